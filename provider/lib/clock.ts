/** Monotonic milliseconds: the clock of every age and duration. */
export const now = (): number => performance.now();

/** Milliseconds since the epoch, as the machine believes: only for comparison with times that others wrote. */
export const wallNow = (): number => Date.now();

/** The clocks of what grows old and is kept: verdicts, tags, evidence, tokens. Deadlines are timers, in real time. */
export interface Ages {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Milliseconds since the epoch. */
  readonly wallNow: () => number;
}

/** As time goes by. */
export const REAL_AGES: Ages = { now, wallNow };
