import { setTimeout } from "node:timers/promises";

/** Waits, or rejects with the signal's reason when it aborts before. */
export type Wait = (ms: number, signal: AbortSignal) => Promise<void>;

/** The clock of the machine. */
export const wait: Wait = async (ms, signal) => {
  signal.throwIfAborted();
  try {
    await setTimeout(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
};

/** Longest wait that a registry may ask for and get, in milliseconds: a caller's whole deadline is hardly longer. */
export const MAX_WAIT_MS = 1000;

/** Wait where the registry named none, in milliseconds: spread, so that replicas do not come back together. */
export const jitterMs = (): number => 50 + Math.random() * 100;

/**
 * Milliseconds to wait by a `Retry-After`, which is a number of seconds or a date.
 * @param date the reply's own `Date`, so that the clock of this machine does not matter
 * @returns undefined when it is absent or not readable
 * @see RFC 9110 10.2.3
 */
export function parseRetryAfter(
  text: string | undefined,
  date: string | undefined,
): number | undefined {
  if (text === undefined || text.length > 40) return undefined;
  if (/^[0-9]+$/.test(text)) return Number(text) * 1000;
  const distance = dateOf(text) - dateOf(date ?? "");
  return Number.isNaN(distance) ? undefined : Math.max(distance, 0);
}

/** The one form of a date that is sent today; Date.parse alone would take many more. @see RFC 9110 5.6.7, "IMF-fixdate" */
const FIXDATE = /^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT$/;

const dateOf = (text: string): number => (FIXDATE.test(text) ? Date.parse(text) : Number.NaN);
