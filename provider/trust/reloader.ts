/** Milliseconds for which events are gathered before they are acted on: a volume's swap is many events. */
const SETTLE_MS = 100;

/** Runs one piece of work whenever it is asked for, never twice at once. */
export interface Reloader {
  /** Runs the work from its beginning after this moment; calls that come together share one run. */
  run(): Promise<void>;
  /** Runs the work soon, once for all events of a moment. */
  nudge(): void;
  /** Starts no more; resolves when the last run has ended. */
  close(): Promise<void>;
}

/**
 * @param work gets whether someone asked for this run, as opposed to an event alone; must not reject
 */
export function createReloader(work: (asked: boolean) => Promise<void>): Reloader {
  let current: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isAsked = false;
  let isClosed = false;

  const start = (): Promise<void> => {
    if (isClosed) return Promise.resolve();
    if (current !== undefined) {
      // What is running may have looked already.
      next ??= current.then(() => {
        next = undefined;
        return start();
      });
      return next;
    }
    const asked = isAsked;
    isAsked = false;
    current = work(asked).finally(() => {
      current = undefined;
    });
    return current;
  };

  return {
    run() {
      isAsked = true;
      return start();
    },
    nudge() {
      if (isClosed) return;
      timer ??= setTimeout(() => {
        timer = undefined;
        void start();
      }, SETTLE_MS).unref();
    },
    async close() {
      isClosed = true;
      clearTimeout(timer);
      await current;
    },
  };
}
