/**
 * Waits for a promise, but no longer than a signal allows. The promise goes on; what becomes of it later, its failure
 * included, concerns nobody here.
 * @throws the promise's error, or the signal's reason
 */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  try {
    // The race handles both, so that neither can be an unhandled rejection afterwards.
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Calls back after a time, in milliseconds, unless it is cancelled. */
export type Schedule = (ms: number, callback: () => void) => { readonly cancel: () => void };

/** Real time. The timers keep no process alive: what they would end does. */
export const realTime: Schedule = (ms, callback) => {
  const timer = setTimeout(callback, ms).unref();
  return { cancel: () => clearTimeout(timer) };
};

/** A signal that aborts at a deadline. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** Brings the deadline forward to now. */
  abort(reason: unknown): void;
  /** To be called when the work has ended, so that nothing is left of it. */
  end(): void;
}

/** Deadlines of one kind, all of which can be brought forward at once. */
export interface Deadlines {
  /** @param spentMs how much of the time is over already */
  begin(spentMs?: number): Deadline;
  /** Aborts every signal that has not ended, and from now on every new one as it begins. */
  abort(reason: unknown): void;
}

/**
 * @param ms milliseconds from the beginning to the deadline
 * @param reason what a signal aborts with at its deadline
 */
export function createDeadlines(ms: number, reason: unknown, schedule: Schedule): Deadlines {
  const running = new Set<AbortController>();
  let aborted: { readonly reason: unknown } | undefined;
  return {
    begin(spentMs = 0) {
      const controller = new AbortController();
      if (aborted !== undefined) controller.abort(aborted.reason);
      const timer = schedule(Math.max(0, ms - spentMs), () => controller.abort(reason));
      running.add(controller);
      return {
        signal: controller.signal,
        abort: (because) => controller.abort(because),
        end() {
          timer.cancel();
          running.delete(controller);
        },
      };
    },
    abort(because) {
      aborted ??= { reason: because };
      for (const controller of running) controller.abort(because);
    },
  };
}
