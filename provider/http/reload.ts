/** Something that is read again when it changes. */
export interface Reload extends Disposable {
  /** Reads now, after a reading that is under way. */
  now(): Promise<void>;
}

/** After a reading that failed: half of a pair may have been written. */
const AGAIN_MS = 1_000;

/**
 * Reads as soon as it is told of a change, and besides at an interval, because not everything tells.
 * @param watch calls back at every change
 * @param read whether all was well; never rejects
 */
export function createReload(
  watch: (onChange: () => void) => Disposable,
  everyMs: number,
  read: () => Promise<boolean>,
): Reload {
  let last = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;

  const once = async (): Promise<void> => {
    if (isStopped) return;
    clearTimeout(timer);
    if (!(await read()) && !isStopped) timer = setTimeout(() => void now(), AGAIN_MS).unref();
  };
  const now = async (): Promise<void> => {
    last = last.then(once);
    await last;
  };

  const watcher = watch(() => void now());
  const interval = setInterval(() => void now(), everyMs).unref();

  return {
    now,
    [Symbol.dispose]() {
      isStopped = true;
      clearTimeout(timer);
      clearInterval(interval);
      watcher[Symbol.dispose]();
    },
  };
}
