import pLimit from "p-limit";
import { createCache, type Cached, type CacheOptions } from "../lib/cache.ts";

/** Share of its life after which an entry that is asked for is refreshed in the background. */
const REFRESH_AFTER = 0.8;

/** Entries that are refreshed ahead of their end. */
export interface RefreshedCache<V> {
  /**
   * The value, if it has not expired. Past 80 % of its life it is also put into the queue of refreshes, so that nobody
   * has to wait because it grew old while it was being asked for.
   * @param refresh makes the value anew and sets it, or leaves it as it is
   */
  get(key: string, refresh: () => Promise<unknown>): V | undefined;
  set(key: string, value: V, lifeMs: number): void;
  delete(key: string): void;
  stats(): { readonly entries: number; readonly bytes: number };
}

export interface RefreshedCacheOptions<V> extends CacheOptions<V> {
  /** Refreshes at once. The others wait; each key waits once, so that they are no more than the entries. */
  readonly maxRefreshes: number;
  /** Milliseconds between the end of a refresh and the next of the same key: a source that fails is not asked for every request. */
  readonly coolDownMs: number;
  /** Told of a refresh that threw; must not throw. */
  readonly onFault: (error: unknown) => void;
}

/** A cache whose entries are refreshed ahead of their end for as long as they are used. */
export function createRefreshedCache<V>(options: RefreshedCacheOptions<V>): RefreshedCache<V> {
  const { maxEntries, now, maxRefreshes, coolDownMs, onFault } = options;
  const cache = createCache(options);
  // Keys that wait for a refresh or have one under way, and keys that had one a short while ago.
  const begun = new Set<string>();
  const rested = createCache<true>({ maxEntries, maxBytes: Infinity, sizeOf: () => 0, now });
  const limit = pLimit(maxRefreshes);

  const refreshIfOld = async (key: string, refresh: () => Promise<unknown>): Promise<void> => {
    try {
      // Somebody may have made it anew while this one waited, or it may have gone.
      if (isOld(cache.get(key))) await refresh();
    } catch (error) {
      onFault(error);
    } finally {
      begun.delete(key);
      rested.set(key, true, coolDownMs);
    }
  };
  return {
    get(key, refresh) {
      const cached = cache.get(key);
      if (cached === undefined) return undefined;
      if (isOld(cached) && !begun.has(key) && rested.get(key) === undefined) {
        begun.add(key);
        void limit(refreshIfOld, key, refresh);
      }
      return cached.value;
    },
    set: (key, value, lifeMs) => cache.set(key, value, lifeMs),
    delete: (key) => cache.delete(key),
    stats: () => cache.stats(),
  };
}

const isOld = (cached: Cached<unknown> | undefined): boolean =>
  cached !== undefined && cached.ageMs >= cached.lifeMs * REFRESH_AFTER;
