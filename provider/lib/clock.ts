/** Monotonic milliseconds: the clock of every age and duration. */
export const now = (): number => performance.now();

/** Milliseconds since the epoch, as the machine believes: only for comparison with times that others wrote. */
export const wallNow = (): number => Date.now();
