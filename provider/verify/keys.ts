import type { Digest } from "../image/digest.ts";
import { nameOf } from "../image/reference.ts";
import { createCache } from "../lib/cache.ts";
import { parseKey, type Key } from "../protocol/key.ts";
import { isRefusal, type Rejected } from "../verdict/verdict.ts";
import { taggedOf, type Tagged } from "./tags.ts";

/** A key that was parsed, with the names that trust policies and caches know it by. */
export interface KnownKey {
  readonly key: Key;
  /** `registry/repository` */
  readonly name: string;
  /** What it asks about: a digest, or a tag that is to be resolved. */
  readonly target: Digest | Tagged;
  /** Whether the configuration names its registry. */
  readonly isAllowed: boolean;
}

export interface KeysOptions {
  readonly maxEntries: number;
  readonly maxBytes: number;
  /** Whether the configuration names a registry. */
  readonly allows: (registry: string) => boolean;
  readonly now: () => number;
}

/**
 * Parses keys and remembers the good ones by their text: Gatekeeper asks for the same few again and again. Bad keys
 * are not remembered, so that a flood of them drives nobody out. The same key is the same object for as long as it
 * is remembered.
 */
export function createKeys(options: KeysOptions): (text: string) => KnownKey | Rejected {
  const { allows } = options;
  const known = createCache<KnownKey>({ ...options, sizeOf: (_key, text) => bytesOf(text) });
  return (text) => {
    const remembered = known.get(text);
    if (remembered !== undefined) return remembered.value;
    const key = parseKey(text);
    if (isRefusal(key)) return key;
    const { reference } = key;
    const entry: KnownKey = {
      key,
      name: nameOf(reference),
      target: reference.digest ?? taggedOf(reference),
      isAllowed: allows(reference.registry),
    };
    known.set(text, entry, Infinity);
    return entry;
  };
}

/** About what a key takes: its text, its parts and names, what is made of them later, and what holds them. */
const bytesOf = (text: string): number => 1024 + 6 * text.length;
