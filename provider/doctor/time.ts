const DAY_MS = 24 * 3_600_000;

/**
 * When a certificate ends, for people.
 * @param ends milliseconds since the epoch
 * @param soonDays before its end in which it is named
 */
export function endOf(
  ends: number,
  soonDays: number,
): {
  readonly isOver: boolean;
  readonly isSoon: boolean;
  /** `ends 2027-01-02, in 12 days` */
  readonly text: string;
} {
  const leftMs = ends - Date.now();
  const date = new Date(ends).toISOString().slice(0, 10);
  const days = Math.floor(Math.abs(leftMs) / DAY_MS);
  const isOver = leftMs <= 0;
  const text = isOver ? `ended ${date}, ${days} days ago` : `ends ${date}, in ${days} days`;
  return { isOver, isSoon: leftMs < soonDays * DAY_MS, text };
}
