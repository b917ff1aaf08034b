// One search in a thread of its own: whoever started it can see what is being read, and end a reader that never ends.
import { performance } from "node:perf_hooks";
import { parentPort, workerData } from "node:worker_threads";
import { search } from "./engine.ts";
import type { Target } from "./target.ts";

/** What a search is told. */
export interface WorkerData {
  /** URL of a module that exports `target`. */
  readonly module: string;
  readonly corpus: readonly Uint8Array[];
  readonly seed: number;
  readonly seconds: number;
  /** What is being read: two 32-bit numbers, how many were begun and how many bytes this one has, and then the bytes. */
  readonly shared: SharedArrayBuffer;
}

/** Bytes before those of the input. */
export const SHARED_HEAD = 8;

if (parentPort !== null) {
  const { module, corpus, seed, seconds, shared } = workerData as WorkerData;
  const { target } = (await import(module)) as { readonly target: Target };
  const numbers = new Int32Array(shared, 0, 2);
  const bytes = new Uint8Array(shared, SHARED_HEAD);
  const end = performance.now() + seconds * 1000;
  const result = await search({
    target,
    corpus,
    seed,
    goesOn: () => performance.now() < end,
    running: (input) => {
      bytes.set(input.subarray(0, bytes.length));
      Atomics.store(numbers, 1, Math.min(input.length, bytes.length));
      Atomics.add(numbers, 0, 1);
    },
  });
  // eslint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort.postMessage(result);
}
