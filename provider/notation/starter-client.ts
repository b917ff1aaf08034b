import { fork, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  signalGroup,
  type Command,
  type Runner,
  type RunnerOptions,
  type RunResult,
} from "./run.ts";

type StarterOptions = Omit<RunnerOptions, "now">;

/** What it is asked to do. */
export type Order =
  | { readonly kind: "run"; readonly id: number; readonly command: Command }
  | { readonly kind: "interrupt"; readonly id: number }
  | { readonly kind: "kill" };

/** What it says of a run. */
export type Answer =
  /** `group` is the number of the process group, so that somebody can end it if the starter cannot. */
  | { readonly kind: "begun"; readonly id: number; readonly group: number }
  | { readonly kind: "ended"; readonly id: number; readonly result: RunResult };

/** A runner whose processes the starter starts. */
export interface StarterClient extends Runner, Disposable {
  /** The starter; undefined between its end and the next run. */
  readonly pid: number | undefined;
}

/** Heap of the starter: captured output of all runs at once, and Node itself. */
const STARTER_FLAGS = ["--max-old-space-size=64", "--max-semi-space-size=1"];

/** Milliseconds beyond the grace in which a starter that was told to end a run must say that it has. */
const PATIENCE_MS = 1000;

/** The starter went away before a run had ended, or could not be started. */
const LOST: RunResult = {
  code: null,
  signal: null,
  stdout: "",
  stderr: "",
  truncated: true,
  interrupted: false,
  spawnError: "ESTARTER",
  spawnMs: 0,
};

/** A run under way. */
interface Run {
  readonly ended: Promise<RunResult>;
  readonly end: (result: RunResult) => void;
  group?: number;
}

/** The process that starts the others, and what it was asked to run. */
interface Starter {
  readonly child: ChildProcess;
  readonly runs: Map<number, Run>;
  /** Sends an order. A starter that does not take it is lost. */
  send(order: Order): void;
  /** Ends the starter and whatever it runs: every run is a failure to start. */
  lose(): void;
}

/**
 * Runs programs as {@link createRunner} does, from a small process of its own, the starter.
 *
 * To start a process blocks the event loop and copies the page tables of whoever starts it: 1 ms from the starter,
 * 5 ms from a provider with full caches, in which no other caller is answered. The starter also sees it when
 * the provider ends without a word, and ends every run then.
 *
 * When the starter itself is lost, or no longer answers, the runs under way are ended and count as failures to start,
 * and the next run begins another starter.
 * @see docs/reliability.md, F-23 and F-26
 */
export function createStarterClient({ graceMs, outputBytes }: StarterOptions): StarterClient {
  let starter: Starter | undefined;
  let lastId = 0;

  /** @returns undefined when no process can be started now */
  function start(): Starter | undefined {
    const child = forkStarter([String(graceMs), String(outputBytes)]);
    if (child === undefined) return undefined;
    const runs = new Map<number, Run>();
    const lose = (): void => {
      if (starter === started) starter = undefined;
      // While it can be asked: one that stopped between starting a run and telling of it has told of no group.
      const untold = childrenOf(child);
      child.kill("SIGKILL");
      for (const group of untold) signalGroup(group, "SIGKILL");
      for (const { group, end } of runs.values()) {
        // A process that ended in this moment has given its number back, but nobody else gets it so soon: numbers are
        // handed out in a circle.
        if (group !== undefined) signalGroup(group, "SIGKILL");
        end(LOST);
      }
      runs.clear();
    };
    const send = (order: Order): void => {
      try {
        child.send(order, (error) => {
          if (error !== null) lose();
        });
      } catch {
        // A child that got no file descriptors has no `send` at all.
        lose();
      }
    };
    child.on("message", (answer: Answer) => {
      const run = runs.get(answer.id);
      switch (answer.kind) {
        case "begun":
          // What a starter said before it was lost may be read after that.
          if (run === undefined) signalGroup(answer.group, "SIGKILL");
          else run.group = answer.group;
          break;
        case "ended":
          runs.delete(answer.id);
          run?.end(answer.result);
          break;
      }
    });
    child.on("error", lose);
    child.on("exit", lose);
    // It ends when the provider does; nobody waits for it.
    child.unref();
    child.channel?.unref();
    const started: Starter = { child, runs, send, lose };
    return started;
  }

  /** Loses a starter that has not ended a run by then. @param ms from now */
  function watch(watched: Starter, id: number, ms: number): NodeJS.Timeout {
    // After a blocked event loop the timer comes before an answer that already waits.
    const loseIfRunning = (): void => {
      if (watched.runs.has(id)) watched.lose();
    };
    return setTimeout(() => setImmediate(loseIfRunning), ms);
  }

  async function run(command: Command, signal: AbortSignal): Promise<RunResult> {
    if (signal.aborted) {
      return { ...LOST, truncated: false, interrupted: true, spawnError: "ECANCELED" };
    }
    const own = (starter ??= start());
    if (own === undefined) return LOST;
    lastId += 1;
    const id = lastId;
    const { promise: ended, resolve: end } = Promise.withResolvers<RunResult>();
    own.runs.set(id, { ended, end });
    let patience: NodeJS.Timeout | undefined;
    const interrupt = (): void => {
      own.send({ kind: "interrupt", id });
      patience = watch(own, id, graceMs + PATIENCE_MS);
    };
    try {
      signal.addEventListener("abort", interrupt, { once: true });
      own.send({ kind: "run", id, command });
      // A run under way keeps the provider alive, as a child of its own would.
      own.child.channel?.ref();
      return await ended;
    } finally {
      clearTimeout(patience);
      signal.removeEventListener("abort", interrupt);
      if (own.runs.size === 0) own.child.channel?.unref();
    }
  }

  return {
    run,
    async killAll() {
      const own = starter;
      if (own === undefined || own.runs.size === 0) return;
      own.send({ kind: "kill" });
      await Promise.all(
        Array.from(own.runs, async ([id, { ended }]) => {
          const patience = watch(own, id, PATIENCE_MS);
          await ended;
          clearTimeout(patience);
        }),
      );
    },
    get pid() {
      return starter?.child.pid;
    },
    [Symbol.dispose]() {
      starter?.child.disconnect();
      starter = undefined;
    },
  };
}

/** Numbers of a process's children, each of which leads a group; none when it has ended. */
function childrenOf({ pid, exitCode, signalCode }: ChildProcess): readonly number[] {
  if (pid === undefined || exitCode !== null || signalCode !== null) return [];
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return text.split(" ").filter(Boolean).map(Number);
  } catch {
    // It ends in this moment, or the kernel does not list them.
    return [];
  }
}

function forkStarter(args: readonly string[]): ChildProcess | undefined {
  const program = fileURLToPath(new URL("starter.ts", import.meta.url));
  try {
    return fork(program, [...args], {
      execArgv: STARTER_FLAGS,
      // Nothing is inherited: the environment of each run comes with its order.
      env: {},
      // A terminal's Ctrl-C is the provider's alone.
      detached: true,
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
  } catch {
    // ENOMEM, …: other errors come as an event.
    return undefined;
  }
}
