import { rmSync } from "node:fs";
import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createProcesses, type Processes } from "./processes.ts";
import { endOnSignal } from "./signals.ts";
import { createWait, type Wait } from "./wait.ts";

/** What all parts of a cluster share, and what ends them together. */
export interface Lifetime {
  /** One file for each process. Removed in the end, unless something failed. */
  readonly logs: string;
  /** For everything else. Removed in the end. */
  readonly state: string;
  /** What processes take for the home of their user. */
  readonly home: string;
  readonly processes: Processes;
  readonly wait: Wait;
  /** What has to be disposed of, the last first. Empty and unusable after {@link end}. */
  readonly parts: AsyncDisposableStack;
  /** Tells of a step, with the time since the start. */
  readonly step: (line: string) => void;
  /** A process that is not one of {@link processes}: killed if this process exits too early to end it well. */
  readonly adopt: (pid: number) => void;
  /** Keeps the logs. */
  readonly keepLogs: () => void;
  /** Rejects when a process ends that nobody stopped. */
  readonly ended: Promise<never>;
  /** Disposes of everything once what is being started has started. */
  readonly end: () => Promise<void>;
  /** Starts something; if that fails, and if a signal comes meanwhile, everything ends. */
  start<T>(work: () => Promise<T>): Promise<T>;
  /** All of them. When one fails, the waits of the others end, and the first error is thrown when none is under way. */
  all<const T extends readonly Promise<unknown>[]>(
    works: T,
  ): Promise<{ -readonly [Index in keyof T]: Awaited<T[Index]> }>;
}

/** @param progress told of each step */
export async function createLifetime(progress: (line: string) => void): Promise<Lifetime> {
  const began = performance.now();
  const directory = await mkdtemp(join(tmpdir(), "notation-cluster-"));
  const logs = join(directory, "logs");
  const state = join(directory, "state");
  const home = join(state, "home");
  await mkdir(home, { recursive: true });

  let keep = false;
  let isInterrupted = false;
  const interruption = new AbortController();
  const parts = new AsyncDisposableStack();
  const processes = createProcesses(logs, home);
  const adopted: number[] = [];
  let starting: Promise<unknown> = Promise.resolve();
  let ending: Promise<void> | undefined;

  const removeFiles = (): void => {
    rmSync(keep ? state : directory, { recursive: true, force: true, maxRetries: 5 });
  };
  /** What is still being started has to be there before it can be ended. */
  const end = async (): Promise<void> => {
    ending ??= Promise.allSettled([starting]).then(async () => await parts.disposeAsync());
    await ending;
  };
  const signals = endOnSignal({
    onSignal: async (name) => {
      progress(`${name}: ending`);
      isInterrupted = true;
      interruption.abort(new Error(`interrupted by ${name}`));
      await end();
    },
    onExit: () => {
      processes.kill();
      for (const pid of adopted) kill(pid);
      removeFiles();
    },
  });
  /** The error with the place of the logs, which are then kept. */
  const failed = (error: unknown): Error => {
    keep = true;
    const text = error instanceof Error ? error.message : String(error);
    return new Error(text.includes(logs) ? text : `${text}\nlogs: ${logs}`, { cause: error });
  };
  const ended = processes.failed.catch((error: unknown) => {
    throw failed(error);
  });
  ended.catch(() => undefined);
  parts.defer(signals.forget);
  parts.defer(removeFiles);
  parts.use(processes);

  return {
    logs,
    state,
    home,
    processes,
    parts,
    ended,
    wait: createWait({
      check: processes.check,
      signal: interruption.signal,
      onFailure: () => {
        keep = true;
        return `logs: ${logs}`;
      },
    }),
    step: (line) => {
      const seconds = (performance.now() - began) / 1000;
      progress(`${seconds.toFixed(1).padStart(5)} s  ${line}`);
    },
    adopt: (pid) => {
      adopted.push(pid);
    },
    keepLogs: () => {
      keep = true;
    },
    end,
    async start(work) {
      const running = work();
      starting = running;
      try {
        return await running;
      } catch (error) {
        const failure = isInterrupted ? error : failed(error);
        await end();
        throw failure;
      }
    },
    async all(works) {
      const failures: unknown[] = [];
      for (const work of works) {
        work.catch((error: unknown) => {
          failures.push(error);
          interruption.abort(error);
        });
      }
      await Promise.allSettled(works);
      if (failures.length > 0) throw failures[0];
      return await Promise.all(works);
    },
  };
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended, as it should.
  }
}
