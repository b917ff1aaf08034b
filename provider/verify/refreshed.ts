import { createCache, type CacheOptions } from "../lib/cache.ts";

/** Share of its life after which an entry that is asked for is refreshed in the background. */
const REFRESH_AFTER = 0.8;

/** Entries that are refreshed ahead of their end. */
export interface RefreshedCache<V> {
  /**
   * The value, if it has not expired. Past 80 % of its life it also begins a refresh, at most one at a time for a key
   * and a bounded number over all, so that nobody has to wait because it grew old while it was being asked for.
   * @param refresh makes the value anew and sets it; must not throw
   */
  get(key: string, refresh: () => Promise<unknown>): V | undefined;
  set(key: string, value: V, lifeMs: number): void;
  clear(): void;
  stats(): { readonly entries: number; readonly bytes: number };
}

export interface RefreshedCacheOptions<V> extends CacheOptions<V> {
  /** Refreshes that may be under way at once; beyond, an entry waits for its next use. */
  readonly maxRefreshes: number;
  /** Milliseconds between two attempts for one key: a source that fails is not asked for every request. */
  readonly coolDownMs: number;
}

/** A cache whose entries are refreshed ahead of their end for as long as they are used. */
export function createRefreshedCache<V>(options: RefreshedCacheOptions<V>): RefreshedCache<V> {
  const { maxRefreshes, coolDownMs } = options;
  const cache = createCache<V>(options);
  // Keys whose refresh began a short while ago.
  const attempts = createCache<true>({ ...options, maxBytes: Infinity, sizeOf: () => 0 });
  let underWay = 0;
  const begin = (key: string, refresh: () => Promise<unknown>): void => {
    attempts.set(key, true, coolDownMs);
    underWay += 1;
    void refresh().finally(() => {
      underWay -= 1;
    });
  };
  return {
    get(key, refresh) {
      const cached = cache.get(key);
      if (cached === undefined) return undefined;
      const isOld = cached.ageMs >= cached.lifeMs * REFRESH_AFTER;
      if (isOld && underWay < maxRefreshes && attempts.get(key) === undefined) begin(key, refresh);
      return cached.value;
    },
    set: (key, value, lifeMs) => cache.set(key, value, lifeMs),
    clear() {
      cache.clear();
      attempts.clear();
    },
    stats: () => cache.stats(),
  };
}
