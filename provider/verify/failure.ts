import { undecided, type Undecided } from "../verdict/verdict.ts";

/**
 * What it means that a part of the verification threw, which parts do only when their deadline ends them: undecided
 * `TIMEOUT` if it did; otherwise `INTERNAL_ERROR`, a fault of ours, which is reported and leaves the key undecided.
 * @param signal deadline of the part; absent where it has none
 */
export type Failure = (error: unknown, signal?: AbortSignal) => Undecided;

/** A verification that its own deadline ended. */
export const ENDED = undecided("TIMEOUT", "the verification took too long and was ended");

/** More wait than may. */
export const OVERLOADED = undecided(
  "OVERLOADED",
  "too many images wait for verification; try again",
);

const FAULT = undecided(
  "INTERNAL_ERROR",
  "the verification ended in a way that it never should; this is a fault of the provider",
);

/** @param report told of faults; must not throw */
export function createFailure(report: (error: unknown) => void): Failure {
  return (error, signal) => {
    if (signal?.aborted === true) return ENDED;
    report(error);
    return FAULT;
  };
}
