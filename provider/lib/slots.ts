import pLimit from "p-limit";

/** Bounds of {@link createSlots}. */
export interface SlotOptions {
  /** Pieces of work at once. */
  readonly concurrency: number;
  /** Pieces of work that may wait; one more is answered `full`. */
  readonly maxWaiting: number;
}

/**
 * Does the work when there is a place for it, first come, first served. Who gives up while waiting is answered at
 * once, no longer counts as waiting, and the work is never begun. Work that was begun keeps its place until it
 * settles, so it has to look at the signal itself. Work must not take a slot of the same kind: it would wait for itself.
 * @returns what the work returned, or `full` when too many wait already; rejects with the signal's reason when the work
 *   was not begun
 */
export type TakeSlot = <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T | "full">;

/** Places for work of one kind, with a bounded queue before them. */
export function createSlots({ concurrency, maxWaiting }: SlotOptions): TakeSlot {
  const limit = pLimit(concurrency);
  // Who works or still wants to: p-limit counts those who gave up as well, until their turn comes.
  let present = 0;
  return async (work, signal) => {
    signal.throwIfAborted();
    if (present >= concurrency + maxWaiting) return "full";
    present += 1;
    const { promise: gaveUp, reject } = Promise.withResolvers<never>();
    const giveUp = (): void => {
      present -= 1;
      reject(signal.reason);
    };
    signal.addEventListener("abort", giveUp, { once: true });
    const done = limit(async () => {
      signal.throwIfAborted();
      signal.removeEventListener("abort", giveUp);
      try {
        return await work();
      } finally {
        present -= 1;
      }
    });
    return Promise.race([done, gaveUp]);
  };
}
