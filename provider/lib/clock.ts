/** Monotonic milliseconds: the clock of every age and duration. */
export const now = (): number => performance.now();
