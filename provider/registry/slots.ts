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
  // Who works or still wants to: p-limit counts those who gave up as well, until their turn comes.
  let present = 0;
  return async (work, signal) => {
    signal.throwIfAborted();
    if (present >= concurrency + maxWaiting) {
      return undecided("OVERLOADED", "too many requests to this registry wait already");
    }
    present += 1;
    let isWaiting = true;
    const giveUp = (): void => {
      if (isWaiting) present -= 1;
    };
    signal.addEventListener("abort", giveUp, { once: true });
    const done = limit(async () => {
      signal.removeEventListener("abort", giveUp);
      signal.throwIfAborted();
      isWaiting = false;
      try {
        return await work();
      } finally {
        present -= 1;
      }
    });
    return untilAborted(done, signal);
  };
}
