import { type FSWatcher, watch } from "node:fs";
import { dirname } from "node:path";

/** Something that is read again when its files change. */
export interface Reload extends Disposable {
  /** Reads now, after a reading that is under way. */
  now(): Promise<void>;
}

/** Between a change and the reading, so that files that are written one after the other are read together. */
const SETTLE_MS = 100;
/** After a reading that failed: half of a pair may have been written. */
const AGAIN_MS = 1_000;

/**
 * Reads when a directory of the files changes, which is how a mounted Secret does it (its links are swapped), and
 * besides at an interval, because not every file system tells.
 * @param read whether all was well; never rejects
 */
export function createReload(
  files: readonly string[],
  everyMs: number,
  read: () => Promise<boolean>,
): Reload {
  let last = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;

  const once = async (): Promise<void> => {
    if (isStopped) return;
    if (!(await read())) later(AGAIN_MS);
  };
  const now = async (): Promise<void> => {
    last = last.then(once);
    await last;
  };
  const later = (ms: number): void => {
    if (isStopped) return;
    clearTimeout(timer);
    timer = setTimeout(() => void now(), ms).unref();
  };

  const watchers = [...new Set(files.map(dirname))].map((directory) =>
    startWatch(directory, () => {
      later(SETTLE_MS);
    }),
  );
  const interval = setInterval(() => void now(), everyMs).unref();

  return {
    now,
    [Symbol.dispose]() {
      isStopped = true;
      clearTimeout(timer);
      clearInterval(interval);
      for (const watcher of watchers) watcher?.close();
    },
  };
}

/** @returns undefined where the directory cannot be watched: the interval remains */
function startWatch(directory: string, onChange: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(directory, { persistent: false }, onChange);
    watcher.on("error", () => {
      watcher.close();
    });
    return watcher;
  } catch {
    return undefined;
  }
}
