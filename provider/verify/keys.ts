import QuickLRU from "quick-lru";
import { nameOf } from "../image/reference.ts";
import { parseKey, type Key } from "../protocol/key.ts";
import { isRefusal, type Rejected } from "../verdict/verdict.ts";

/** A key that was parsed, with the name that trust policies and caches know it by. */
export interface KnownKey {
  readonly key: Key;
  /** `registry/repository` */
  readonly name: string;
}

/**
 * Parses keys and remembers the good ones by their text: Gatekeeper asks for the same few again and again. Bad keys
 * are not remembered, so that a flood of them drives nobody out.
 * @param maxEntries keys of at most 1,024 bytes each
 */
export function createKeys(maxEntries: number): (text: string) => KnownKey | Rejected {
  const known = new QuickLRU<string, KnownKey>({ maxSize: maxEntries });
  return (text) => {
    const remembered = known.get(text);
    if (remembered !== undefined) return remembered;
    const key = parseKey(text);
    if (isRefusal(key)) return key;
    const entry = { key, name: nameOf(key.reference) };
    known.set(text, entry);
    return entry;
  };
}
