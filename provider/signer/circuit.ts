import type { Unknown } from "./answer.ts";

/** Failures in a row that open the circuit. */
const FAILURES = 5;

/** Milliseconds that a Signer that failed is left alone. */
const REST_MS = 2000;

/** Leaves the Signer of one region alone for a while after repeated failure, so that who asks is answered at once. */
export interface Circuit {
  /**
   * Why Signer is not asked now. Once the rest is over one question may try how it is, and the others are still told this.
   * Whoever is told nothing must {@link note} how the question ended.
   */
  enter(): Unknown | undefined;
  /** The same without asking for a turn. */
  readonly why: Unknown | undefined;
  /** @param failure undefined when Signer answered, whatever it said */
  note(failure: Unknown | undefined): void;
}

/** @param now monotonic milliseconds */
export function createCircuit(now: () => number): Circuit {
  let failures = 0;
  let why: Unknown | undefined;
  let openUntil = 0;
  let isProbing = false;
  return {
    enter() {
      if (why === undefined) return undefined;
      if (now() < openUntil || isProbing) return why;
      isProbing = true;
      return undefined;
    },
    get why() {
      return now() < openUntil ? why : undefined;
    },
    note(failure) {
      isProbing = false;
      if (failure === undefined) {
        failures = 0;
        why = undefined;
        return;
      }
      failures += 1;
      if (failures < FAILURES) return;
      why = failure;
      openUntil = now() + REST_MS;
    },
  };
}
