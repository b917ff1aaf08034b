import { spawn } from "node:child_process";
import { isAbsolute } from "node:path";
import { setImmediate } from "node:timers/promises";
import { errorCode } from "../lib/error-code.ts";
import { capture } from "./capture.ts";

/** Milliseconds that the pipes may outlive the process: only a process that left the group can hold them longer. */
const PIPE_PATIENCE_MS = 100;

/** Turns of the event loop in which the pipes are read after that, however late it is. */
const READING_TURNS = 10;

/** One program to run. */
export interface Command {
  /** Absolute path: nothing is looked up in `PATH`, and there is no shell. */
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** The whole environment of the child; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
}

/** How a run ended. A failure to start is one of the ways. */
export interface RunResult {
  /** Null when the process ended by a signal or never started. */
  readonly code: number | null;
  readonly signal: string | null;
  /** UTF-8, at most the runner's `outputBytes`. */
  readonly stdout: string;
  readonly stderr: string;
  /** Something that was printed may be missing: there was more than `outputBytes`, or a pipe did not end in time. */
  readonly truncated: boolean;
  /** We ended it, whatever it then printed or returned. */
  readonly interrupted: boolean;
  /** `ENOENT`, `EACCES`, `ENOEXEC`, `EAGAIN`, `EMFILE`, …: the process never started. */
  readonly spawnError?: string;
  /** Milliseconds that starting blocked the event loop of whoever starts: page tables are copied, so it grows with its memory. */
  readonly spawnMs: number;
}

/** Runs programs, each in a process group of its own. */
export interface Runner {
  /**
   * Runs one program to its end. Never rejects. When it resolves, nothing of the process group runs.
   * @param signal when it aborts, the group gets SIGINT, and SIGKILL after the grace
   */
  run(command: Command, signal: AbortSignal): Promise<RunResult>;
  /** Kills every group at once, without grace, and waits until the runs have ended. */
  killAll(): Promise<void>;
}

/** A runner whose processes are its own children. */
export interface ProcessRunner extends Runner {
  /** @param begun is told the number of the process group, as soon as there is one */
  run(command: Command, signal: AbortSignal, begun?: (group: number) => void): Promise<RunResult>;
}

export interface RunnerOptions {
  /** Milliseconds between SIGINT and SIGKILL. */
  readonly graceMs: number;
  /** Bytes kept of each of the two streams; a program that prints more is killed. */
  readonly outputBytes: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

const NOT_RUN = { code: null, signal: null, stdout: "", stderr: "", truncated: false } as const;

/** @see docs/reliability.md, F-21 to F-26 */
export function createRunner({ graceMs, outputBytes, now }: RunnerOptions): ProcessRunner {
  const running = new Map<Promise<RunResult>, () => void>();

  function start(command: Command) {
    const from = now();
    try {
      if (!isAbsolute(command.file)) return { spawnError: "ENOENT", spawnMs: 0 };
      const child = spawn(command.file, [...command.args], {
        cwd: command.cwd,
        env: { ...command.env },
        // A process group of its own: what Notation starts is ended with it.
        detached: true,
        shell: false,
        stdio: ["ignore", "pipe", "pipe"],
      });
      return { child, spawnMs: now() - from };
    } catch (error) {
      // ENOEXEC, ENOMEM, E2BIG, or an argument with a NUL; the other errors come as an event.
      return { spawnError: errorCode(error) ?? "UNKNOWN", spawnMs: now() - from };
    }
  }

  function run(
    command: Command,
    signal: AbortSignal,
    begun?: (group: number) => void,
  ): Promise<RunResult> {
    if (signal.aborted) return Promise.resolve({ ...NOT_RUN, interrupted: true, spawnMs: 0 });
    const { child, spawnError, spawnMs } = start(command);
    if (child === undefined) {
      return Promise.resolve({ ...NOT_RUN, interrupted: false, spawnError, spawnMs });
    }
    const { pid } = child;
    if (pid === undefined) {
      // Without file descriptors there are no streams to look at.
      const { promise, resolve } = Promise.withResolvers<RunResult>();
      child.once("error", (error) =>
        resolve({
          ...NOT_RUN,
          interrupted: false,
          spawnError: errorCode(error) ?? "UNKNOWN",
          spawnMs,
        }),
      );
      return promise;
    }
    begun?.(pid);

    let isAlive = true;
    let interrupted = false;
    let escalation: NodeJS.Timeout | undefined;
    const kill = () => {
      if (isAlive) signalGroup(pid, "SIGKILL");
    };
    const interrupt = () => {
      interrupted = true;
      // SIGINT first: Notation then reaps its plugin, where SIGKILL leaves it to process 1 as a zombie.
      signalGroup(pid, "SIGINT");
      escalation = setTimeout(kill, graceMs);
    };
    signal.addEventListener("abort", interrupt, { once: true });
    const stdout = capture(child.stdout, outputBytes, kill);
    const stderr = capture(child.stderr, outputBytes, kill);

    const exited = Promise.withResolvers<Pick<RunResult, "code" | "signal">>();
    child.once("exit", (code, by) => {
      clearTimeout(escalation);
      signal.removeEventListener("abort", interrupt);
      // What the process left behind ends with it. The process has just been reaped, so its number is free
      // unless its group still has a member, and a group of a stranger could have it later. The system hands
      // numbers out in a circle, so in the same turn as the reaping this is safe, and afterwards never.
      kill();
      isAlive = false;
      exited.resolve({ code, signal: by });
    });

    async function finish(): Promise<RunResult> {
      const end = await exited.promise;
      const patience = Promise.withResolvers<void>();
      const timer = setTimeout(patience.resolve, PIPE_PATIENCE_MS);
      await Promise.race([Promise.all([stdout.closed, stderr.closed]), patience.promise]);
      clearTimeout(timer);
      const isComplete = () => stdout.isComplete() && stderr.isComplete();
      // After a blocked event loop the timer comes before what already waits in the pipes.
      for (let turn = 0; turn < READING_TURNS && !isComplete(); turn += 1) await setImmediate();
      stdout.close();
      stderr.close();
      return {
        ...end,
        stdout: stdout.text(),
        stderr: stderr.text(),
        truncated: !isComplete(),
        interrupted,
        spawnMs,
      };
    }

    const finished = finish().finally(() => running.delete(finished));
    running.set(finished, () => {
      interrupted = true;
      kill();
    });
    return finished;
  }

  async function killAll(): Promise<void> {
    for (const kill of running.values()) kill();
    await Promise.all(running.keys());
  }

  return { run, killAll };
}

/** Signals every member of a process group; that there is none any more is no error. */
export function signalGroup(pid: number, signal: "SIGINT" | "SIGKILL"): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // ESRCH: nothing of the group is left, which is what was wanted.
  }
}
