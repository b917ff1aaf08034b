import QuickLRU from "quick-lru";

/** Bounds of a cache. */
export interface CacheOptions<V> {
  /** Never more. At least 1. */
  readonly maxEntries: number;
  readonly maxBytes: number;
  /** Bytes that an entry is counted as. */
  readonly sizeOf: (value: V, key: string) => number;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** Told of each key whose entry had to make room for others, or could not be kept at all; must not throw. */
  readonly onEvicted?: (key: string) => void;
}

/** An entry that has not expired. */
export interface Cached<V> {
  readonly value: V;
  /** Milliseconds since it was set. */
  readonly ageMs: number;
  /** Milliseconds that it was set for. */
  readonly lifeMs: number;
}

export interface Cache<V> {
  /** The entry, if there is one and it has not expired; counts as use. */
  get(key: string): Cached<V> | undefined;
  /** An entry that is larger than the whole cache, or whose life is not above 0, is not kept; what was there goes. */
  set(key: string, value: V, lifeMs: number): void;
  delete(key: string): void;
  clear(): void;
  stats(): { readonly entries: number; readonly bytes: number };
}

interface Entry<V> {
  readonly value: V;
  readonly bytes: number;
  readonly setAt: number;
  readonly lifeMs: number;
}

/**
 * A least-recently-used cache that is bounded in entries and in bytes, whose ages are measured on the given clock. What has expired and
 * nobody asks for leaves with the first entry that is set when twice the longest life has passed since it was set, or before.
 *
 * The half of the entries that was used last is safe from the bound on entries. Of the bound on bytes it is not: among the newer
 * generation quick-lru knows only when an entry came into it.
 *
 * quick-lru keeps two generations: it may hold twice its `maxSize`, less one, which is why it is given half. Its own
 * ages use the wall clock and are not used. Its eviction hook also tells of an old value whose key was set again; a
 * key is therefore deleted before it is set, so that every call of the hook is the end of an entry and bytes can be counted by it.
 */
export function createCache<V>(options: CacheOptions<V>): Cache<V> {
  const { maxEntries, maxBytes, sizeOf, now, onEvicted } = options;
  let bytes = 0;
  let entries = 0;
  let longestMs = 0;
  let sweptAt = now();
  const isOverfull = (): boolean => bytes > maxBytes;
  const forget = (entry: Entry<V>): void => {
    bytes -= entry.bytes;
    entries -= 1;
  };
  const lru = new QuickLRU<string, Entry<V>>({
    maxSize: Math.max(1, Math.floor((maxEntries + 1) / 2)),
    onEviction: (key, entry) => {
      forget(entry);
      onEvicted?.(key);
    },
  });
  const remove = (key: string): void => {
    const entry = lru.peek(key);
    if (entry === undefined) return;
    lru.delete(key);
    forget(entry);
  };
  /** Goes through all entries, at most once in the longest life: each is looked at no more than twice. */
  const sweep = (): void => {
    const time = now();
    if (time - sweptAt < longestMs) return;
    sweptAt = time;
    for (const [key, { setAt, lifeMs }] of lru) if (time - setAt >= lifeMs) remove(key);
  };
  return {
    get(key) {
      const entry = lru.get(key);
      if (entry === undefined) return undefined;
      const ageMs = now() - entry.setAt;
      if (ageMs < entry.lifeMs) return { value: entry.value, ageMs, lifeMs: entry.lifeMs };
      remove(key);
      return undefined;
    },
    set(key, value, lifeMs) {
      remove(key);
      const size = sizeOf(value, key);
      // The comparisons are false for NaN, which would otherwise never expire or spoil the count.
      if (!(lifeMs > 0) || !(size <= maxBytes)) {
        onEvicted?.(key);
        return;
      }
      sweep();
      longestMs = Math.max(longestMs, lifeMs);
      bytes += size;
      entries += 1;
      lru.set(key, { value, bytes: size, setAt: now(), lifeMs });
      // Going through all entries is dear, so that half of them go at once. The newest always stays, and fits.
      while (isOverfull()) lru.evict(Math.ceil(entries / 2));
    },
    delete: remove,
    clear() {
      lru.clear();
      bytes = 0;
      entries = 0;
    },
    stats: () => ({ entries, bytes }),
  };
}
