import { untilAborted, type Deadline } from "./deadline.ts";

/** Work under way for one key. */
export interface Flight<T> {
  /**
   * Joins the work under way for this key, or begins it.
   * @param work gets the deadline of the work, which is not the caller's
   * @param caller how long this caller waits; when it aborts, the result rejects with its reason and the work goes on
   */
  run(
    key: string,
    work: (deadline: AbortSignal) => Promise<T>,
    caller: AbortSignal,
  ): { readonly joined: boolean; readonly result: Promise<T> };
  /** Whether there is work under way for this key. */
  has(key: string): boolean;
  /** Keys with work under way. */
  readonly size: number;
}

/**
 * Joins equal work, so that any number of callers cost one run, and gives it a life of its own, so that the first
 * caller's hang-up spoils it for nobody.
 * @param deadline of one piece of work, from its beginning
 */
export function createFlight<T>(deadline: () => Pick<Deadline, "signal" | "end">): Flight<T> {
  const pending = new Map<string, Promise<T>>();
  return {
    run(key, work, caller) {
      const shared = pending.get(key);
      if (shared !== undefined) return { joined: true, result: untilAborted(shared, caller) };
      const own = deadline();
      const begun = begin(work, own.signal).finally(() => {
        own.end();
        pending.delete(key);
      });
      pending.set(key, begun);
      return { joined: false, result: untilAborted(begun, caller) };
    },
    has: (key) => pending.has(key),
    get size() {
      return pending.size;
    },
  };
}

/** Work that throws before its first wait rejects like any other. */
async function begin<T>(
  work: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  return await work(signal);
}
