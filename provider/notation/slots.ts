import pLimit from "p-limit";
import { undecided, type Undecided } from "../verdict/verdict.ts";

/** Bounds of {@link createSlots}. */
export interface SlotOptions {
  /** Pieces of work at once. */
  readonly concurrency: number;
  /** Pieces of work that may wait; one more is `OVERLOADED`. */
  readonly maxWaiting: number;
}

/**
 * Does the work when a place is free. A caller whose signal aborts while it waits is answered at once, and its work
 * is never begun. Work that was begun keeps its place until it settles, so it has to look at the signal itself.
 * @returns what the work returned, or undecided `OVERLOADED` or `TIMEOUT` when it was not begun
 */
export type TakeSlot = <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T | Undecided>;

/** Places for work that costs a process, with a bounded queue before them, first come, first served. */
export function createSlots({ concurrency, maxWaiting }: SlotOptions): TakeSlot {
  const limit = pLimit(concurrency);
  return async (work, signal) => {
    if (signal.aborted) return late();
    if (limit.activeCount >= concurrency && limit.pendingCount >= maxWaiting) {
      return undecided("OVERLOADED", "too many signatures wait to be verified");
    }
    const gaveUp = Promise.withResolvers<Undecided>();
    const giveUp = () => gaveUp.resolve(late());
    signal.addEventListener("abort", giveUp, { once: true });
    const done = limit(async () => {
      signal.removeEventListener("abort", giveUp);
      return signal.aborted ? late() : work();
    });
    return Promise.race([done, gaveUp.promise]);
  };
}

/** What is said of work that was not begun in time. */
export const late = (): Undecided =>
  undecided("TIMEOUT", "the deadline passed before Notation could be started");
