import type { Ages } from "../provider/lib/clock.ts";

/**
 * Clocks that go faster than time, for whatever grows old.
 * @param factor how much faster
 * @param epoch when they showed the right time, in milliseconds since 1970: two processes that are told the same agree
 */
export function acceleratedAges(factor: number, epoch: number): Ages {
  return {
    now: () => performance.now() * factor,
    wallNow: () => epoch + (Date.now() - epoch) * factor,
  };
}
