import type { Undecided } from "../verdict/verdict.ts";

/** Failures in a row that open the circuit. Any answer in between starts the count anew. */
const FAILURES = 10;

/** How long a registry that failed is left alone, in milliseconds. */
const REST_MS = 2000;

/** Longest that a registry is left alone because it asked for it, in milliseconds. */
const MAX_HOLD_MS = 10_000;

export interface CircuitOptions<T> {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** What a failure of the registry itself is answered with; undefined for everything else, such as content that is refused. */
  readonly failureOf: (result: T) => Undecided | undefined;
}

/** Leaves a registry alone for a while after repeated failure, so that keys are answered at once and it can recover. */
export interface Circuit<T> {
  /**
   * Does the work, or repeats the last failure while the registry is left alone. After that one piece of work tries
   * how it is, and the others still get the last failure. Work that rejects counts as nothing.
   * @param work is told whether it is the one that tries. Its caller must not be able to call that off: an image that is asked for in
   *   two requests at once gives up the one because the other got the last failure, and so nobody would ever try to the end
   */
  pass(work: (tries: boolean) => Promise<T>): Promise<T | Undecided>;
  /** Leaves the registry alone for as long as it asked for, and answers with `why` until then. */
  hold(ms: number, why: Undecided): void;
}

export function createCircuit<T>({ now, failureOf }: CircuitOptions<T>): Circuit<T> {
  let failures = 0;
  // Defined while the circuit is open, and half open once `openUntil` has passed.
  let why: Undecided | undefined;
  let openUntil = 0;
  let isProbing = false;
  const open = (ms: number, reason: Undecided): void => {
    why = reason;
    openUntil = Math.max(openUntil, now() + ms);
  };
  const attempt = async (work: (tries: boolean) => Promise<T>, tries: boolean): Promise<T> => {
    const result = await work(tries);
    const failure = failureOf(result);
    if (failure !== undefined) {
      failures += 1;
      if (failures >= FAILURES) open(REST_MS, failure);
      return result;
    }
    failures = 0;
    if (now() >= openUntil) why = undefined;
    return result;
  };
  return {
    async pass(work) {
      if (why === undefined) return attempt(work, false);
      if (now() < openUntil || isProbing) return why;
      isProbing = true;
      try {
        return await attempt(work, true);
      } finally {
        isProbing = false;
      }
    },
    hold: (ms, reason) => open(Math.min(ms, MAX_HOLD_MS), reason),
  };
}
