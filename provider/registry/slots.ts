import pLimit from "p-limit";
import { undecided, type Undecided } from "../verdict/verdict.ts";
import { untilAborted } from "../lib/deadline.ts";

export interface SlotOptions {
  /** Pieces of work at once. */
  readonly concurrency: number;
  /** Pieces of work that may wait; one more is `OVERLOADED`. */
  readonly maxWaiting: number;
}

/**
 * Does the work when there is a place for it, first come, first served. Who gives up while waiting is answered at
 * once, no longer counts as waiting, and the work is never begun. Work that was begun keeps its place until it
 * settles, so it has to look at the signal itself. Work must not take a slot of the same kind: it would wait for itself.
 * @returns what the work returned, or undecided `OVERLOADED`; rejects with the signal's reason
 */
export type TakeSlot = <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T | Undecided>;

/** The bulkhead of one registry: it holds its own places, whatever it does, and nobody else's. */
export function createSlots({ concurrency, maxWaiting }: SlotOptions): TakeSlot {
  const limit = pLimit(concurrency);
  // p-limit counts those who gave up until their turn comes; these are the ones that still want it.
  let waiting = 0;
  return async (work, signal) => {
    signal.throwIfAborted();
    if (limit.activeCount >= concurrency && waiting >= maxWaiting) {
      return undecided("OVERLOADED", "too many requests to this registry wait already");
    }
    waiting += 1;
    let isWaiting = true;
    const leaveQueue = (): void => {
      if (isWaiting) waiting -= 1;
      isWaiting = false;
    };
    signal.addEventListener("abort", leaveQueue, { once: true });
    try {
      const done = limit(async () => {
        signal.throwIfAborted();
        leaveQueue();
        return work();
      });
      return await untilAborted(done, signal);
    } finally {
      signal.removeEventListener("abort", leaveQueue);
      leaveQueue();
    }
  };
}
