import { watch, type FSWatcher } from "node:fs";

/** Tells of changes in directories, as well as the system does: an event may be lost, and none says what changed. */
export interface Watcher {
  /** Watches these and no others. @param directories a name that no other directory ever had, to its absolute path */
  follow(directories: ReadonlyMap<string, string>): void;
  close(): void;
}

export type CreateWatcher = (onChange: () => void) => Watcher;

/**
 * Watches directories, not files, because editors and the kubelet put a new file or link in the old one's place.
 * A directory that cannot be watched (none left of the system's watches, say) is not watched; it is
 * tried again at the next {@link Watcher.follow}.
 */
export const createWatcher: CreateWatcher = (onChange) => {
  const watchers = new Map<string, FSWatcher>();
  const stop = (id: string) => {
    watchers.get(id)?.close();
    watchers.delete(id);
  };
  const start = (id: string, path: string) => {
    try {
      // Not persistent: a watch alone keeps no process alive.
      const watcher = watch(path, { persistent: false }, () => onChange());
      watcher.on("error", () => stop(id));
      watchers.set(id, watcher);
    } catch {
      // Whoever follows reads again from time to time as well.
    }
  };
  return {
    follow(directories) {
      for (const id of watchers.keys()) if (!directories.has(id)) stop(id);
      for (const [id, path] of directories) if (!watchers.has(id)) start(id, path);
    },
    close() {
      for (const id of watchers.keys()) stop(id);
    },
  };
};
