/** What came to a double so far, for tests that count it or wait for more. */
export interface Arrivals<T> {
  /** In the order of arrival. */
  readonly all: readonly T[];
  add(item: T): void;
  count(isIt: (item: T) => boolean): number;
  /** Resolves when so many have come since the start. */
  seen(isIt: (item: T) => boolean, times: number): Promise<void>;
  /** Forgets them all. */
  clear(): void;
}

export function createArrivals<T>(): Arrivals<T> {
  const all: T[] = [];
  const watchers = new Set<() => void>();
  const count = (isIt: (item: T) => boolean): number => all.filter(isIt).length;
  return {
    all,
    count,
    add(item) {
      all.push(item);
      for (const watcher of watchers) watcher();
    },
    async seen(isIt, times) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const watcher = (): void => {
        if (count(isIt) >= times) resolve();
      };
      watchers.add(watcher);
      watcher();
      await promise;
      watchers.delete(watcher);
    },
    clear: () => void (all.length = 0),
  };
}
