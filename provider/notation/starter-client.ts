import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Command, Runner, RunnerOptions, RunResult } from "./run.ts";

type StarterOptions = Omit<RunnerOptions, "now">;

/** What it is asked to do. */
export type Order =
  | { readonly kind: "run"; readonly id: number; readonly command: Command }
  | { readonly kind: "interrupt"; readonly id: number }
  | { readonly kind: "kill" };

/** What it says of a run that has ended. */
export interface Answer {
  readonly id: number;
  readonly result: RunResult;
}

/** A runner whose processes the starter starts. */
export interface StarterClient extends Runner, Disposable {
  /** The starter; undefined between its end and the next run. */
  readonly pid: number | undefined;
}

/** Heap of the starter: captured output of all runs at once, and Node itself. */
const STARTER_FLAGS = ["--max-old-space-size=64", "--max-semi-space-size=1"];

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

/**
 * Runs programs as {@link createRunner} does, from a small process of its own, the starter.
 *
 * To start a process blocks the event loop and copies the page tables of whoever starts it: 1 ms from the starter,
 * 5 ms from a provider with full caches, in which no other caller is answered. The starter also sees it when
 * the provider ends without a word, and ends every run then.
 *
 * When the starter itself is lost, the runs under way are failures to start, and the next run begins another one.
 */
export function createStarterClient({ graceMs, outputBytes }: StarterOptions): StarterClient {
  const waiting = new Map<number, (result: RunResult) => void>();
  let starter: ChildProcess | undefined;
  let lastId = 0;

  function start(): ChildProcess {
    const program = fileURLToPath(new URL("starter.ts", import.meta.url));
    const child = fork(program, [String(graceMs), String(outputBytes)], {
      execArgv: STARTER_FLAGS,
      // Nothing is inherited: the environment of each run comes with its order.
      env: {},
      // A terminal's Ctrl-C is the provider's alone.
      detached: true,
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const lose = (): void => {
      if (starter === child) starter = undefined;
      for (const resolve of waiting.values()) resolve(LOST);
      waiting.clear();
    };
    child.on("message", ({ id, result }: Answer) => {
      waiting.get(id)?.(result);
      waiting.delete(id);
    });
    child.on("error", lose);
    child.on("exit", lose);
    // It ends when the provider does; nobody waits for it.
    child.unref();
    child.channel?.unref();
    return child;
  }

  /** Sends an order; one that cannot be sent is lost with the process that should have had it. */
  function send(order: Order): void {
    starter ??= start();
    starter.send(order, (error) => {
      if (error === null || order.kind !== "run") return;
      waiting.get(order.id)?.(LOST);
      waiting.delete(order.id);
    });
  }

  async function run(command: Command, signal: AbortSignal): Promise<RunResult> {
    if (signal.aborted) {
      return { ...LOST, truncated: false, interrupted: true, spawnError: "ECANCELED" };
    }
    lastId += 1;
    const id = lastId;
    const { promise, resolve } = Promise.withResolvers<RunResult>();
    waiting.set(id, resolve);
    const interrupt = (): void => send({ kind: "interrupt", id });
    signal.addEventListener("abort", interrupt, { once: true });
    send({ kind: "run", id, command });
    // A run under way keeps the provider alive, as a child of its own would.
    starter?.channel?.ref();
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", interrupt);
      if (waiting.size === 0) starter?.channel?.unref();
    }
  }

  return {
    run,
    async killAll() {
      const ended = [...waiting.keys()].map(
        async (id) =>
          await new Promise<void>((resolve) => {
            const answer = waiting.get(id);
            waiting.set(id, (result) => {
              answer?.(result);
              resolve();
            });
          }),
      );
      if (ended.length > 0) send({ kind: "kill" });
      await Promise.all(ended);
    },
    get pid() {
      return starter?.pid;
    },
    [Symbol.dispose]() {
      starter?.disconnect();
      starter = undefined;
    },
  };
}
