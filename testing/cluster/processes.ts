import { execFile, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface ProcessOptions {
  /** Of the process, and of its log: `<name>.log`. */
  readonly name: string;
  readonly binary: string;
  readonly args: readonly string[];
  /** Beside PATH and HOME, which are all that is inherited. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Between SIGTERM and SIGKILL, milliseconds. Default 0: SIGKILL at once, for whatever keeps nothing. */
  readonly graceMs?: number;
}

/** A process in a group of its own. Stopping it is no failure; its end in any other way is. */
export interface Process {
  readonly name: string;
  readonly pid: number;
  /** The file of its standard output and error. */
  readonly log: string;
  readonly stop: () => Promise<void>;
}

/** The processes of one cluster. */
export interface Processes extends AsyncDisposable {
  start(options: ProcessOptions): Process;
  /** @throws Error with the last lines of its log, when a process ended that nobody stopped */
  readonly check: () => void;
  /** Rejects as {@link check} throws, when the first such process ends. */
  readonly failed: Promise<never>;
  /** Ends all groups at once, without waiting: for the last moment of this process. */
  kill(): void;
}

/** Lines of a log that are shown when its process ended. */
const SHOWN_LINES = 20;

/**
 * @param logs directory of the logs, made if it is not there
 * @param home directory that the processes take for their user's
 */
export function createProcesses(logs: string, home: string): Processes {
  mkdirSync(logs, { recursive: true });
  const running = new Set<{ readonly pid: number; readonly stop: () => Promise<void> }>();
  const failures: string[] = [];
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => undefined);
  const fail = (text: string): void => {
    failures.push(text);
    reject(new Error(text));
  };

  const start = (options: ProcessOptions): Process => {
    const { name, binary, args, environment, graceMs = 0 } = options;
    const log = join(logs, `${name}.log`);
    const file = openSync(log, "a");
    const child = spawn(binary, args, {
      detached: true,
      // Nothing of this machine's settings, proxies above all, may reach a process of the cluster.
      env: { PATH: process.env["PATH"] ?? "", HOME: home, ...environment },
      stdio: ["ignore", file, file],
    });
    closeSync(file);
    let isStopped = false;
    let hasEnded = false;
    const ended = new Promise<void>((resolve) => {
      child.on("error", (error) => {
        fail(`${name} did not start: ${error.message} (make cluster-tools builds it)`);
        resolve();
      });
      child.on("exit", (code, signal) => {
        hasEnded = true;
        running.delete(entry);
        if (!isStopped) fail(`${name} ended (${code ?? signal}):\n${lastLines(log)}`);
        resolve();
      });
    });
    const pid = child.pid ?? 0;
    const stop = async (): Promise<void> => {
      isStopped = true;
      if (pid !== 0 && !hasEnded) {
        signalGroup(pid, graceMs > 0 ? "SIGTERM" : "SIGKILL");
        const giveUp = setTimeout(() => signalGroup(pid, "SIGKILL"), graceMs);
        await ended;
        clearTimeout(giveUp);
      }
    };
    const entry = { pid, stop };
    if (pid !== 0) running.add(entry);
    return { name, pid, log, stop };
  };

  return {
    start,
    failed,
    check() {
      if (failures.length > 0) throw new Error(failures.join("\n"));
    },
    kill() {
      for (const { pid } of running) signalGroup(pid, "SIGKILL");
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...running].map(async ({ stop }) => await stop()));
    },
  };
}

/** A group whose last process is gone has no number any more, which is as good. */
function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

const lastLines = (log: string): string =>
  readFileSync(log, "utf8").trimEnd().split("\n").slice(-SHOWN_LINES).join("\n");

/** Runs a program to its end, for two minutes at most. @throws Error with what it wrote to its standard error, unless it ended with 0 */
export async function output(
  binary: string,
  args: readonly string[],
  directory: string,
): Promise<string> {
  const options = { cwd: directory, timeout: 120_000, maxBuffer: 16 * 1024 * 1024 };
  return await new Promise((resolve, reject) => {
    execFile(binary, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${binary} ${args.join(" ")}: ${stderr || error.message}`));
    });
  });
}
