import { setTimeout } from "node:timers/promises";

/**
 * Asks again and again until there is an answer.
 * @param what completes "waited 30 s for …"
 * @param probe its first value that is not undefined is the answer; what it throws counts as no answer yet
 * @param seconds deadline, default 30
 * @throws Error that names what was waited for, why the last try was none, and where the logs are
 */
export type Wait = <T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
  seconds?: number,
) => Promise<T>;

export interface WaitOptions {
  /** Throws when waiting has no sense any more. */
  readonly check: () => void;
  /** Told of a wait in vain. @returns what to add to the error: where the logs are */
  readonly onFailure: () => string;
  /** Ends all waits. */
  readonly signal: AbortSignal;
}

/** Between two tries, milliseconds. */
const EVERY_MS = 25;

/** @returns a {@link Wait} that ends early when a process of the cluster has ended */
export function createWait({ check, onFailure, signal }: WaitOptions): Wait {
  return async (what, probe, seconds = 30) => {
    const deadline = performance.now() + seconds * 1000;
    let last: unknown;
    for (;;) {
      signal.throwIfAborted();
      try {
        check();
      } catch (error) {
        throw new Error(`while waiting for ${what}: ${text(error)}\n${onFailure()}`, {
          cause: error,
        });
      }
      try {
        const answer = await probe();
        if (answer !== undefined) return answer;
        last = undefined;
      } catch (error) {
        last = error;
      }
      if (performance.now() > deadline) {
        const why = last === undefined ? "" : ` (last: ${text(last)})`;
        throw new Error(`waited ${seconds} s for ${what}${why}\n${onFailure()}`, { cause: last });
      }
      await setTimeout(EVERY_MS);
    }
  };
}

const text = (error: unknown): string => (error instanceof Error ? error.message : String(error));
