import { createByDue, type ByDue } from "../lib/by-due.ts";
import type { Demand } from "../lib/turns.ts";
import type { Caller } from "./waiting.ts";

/** Who waits for which verdict. */
export interface Demands {
  /** @returns to be called when the caller does not wait any more */
  join(cacheKey: string, caller: Pick<Caller, "dueAt">): () => void;
  /** When the first of those who wait for a verdict has to be answered. */
  of(cacheKey: string): Demand;
}

interface Asked {
  readonly callers: ByDue<undefined>;
  readonly watchers: Set<() => void>;
}

/** Remembers of each verdict those who wait for it, as long as there are any. */
export function createDemands(): Demands {
  const asked = new Map<string, Asked>();
  const earliest = (cacheKey: string): number =>
    asked.get(cacheKey)?.callers.from(-Infinity)?.due ?? Infinity;

  /** Does something to what is asked; tells whoever watches when that changed how urgent it is. */
  function change<T>(cacheKey: string, make: (entry: Asked) => T): T {
    const entry = asked.get(cacheKey) ?? { callers: createByDue(), watchers: new Set() };
    asked.set(cacheKey, entry);
    const before = earliest(cacheKey);
    const made = make(entry);
    if (earliest(cacheKey) !== before) for (const onChange of entry.watchers) onChange();
    if (entry.callers.size === 0 && entry.watchers.size === 0) asked.delete(cacheKey);
    return made;
  }

  return {
    join(cacheKey, { dueAt }) {
      const item = change(cacheKey, ({ callers }) => callers.add(undefined, dueAt));
      return () => change(cacheKey, () => item.remove());
    },
    of: (cacheKey) => ({
      dueAt: () => earliest(cacheKey),
      watch(onChange) {
        change(cacheKey, ({ watchers }) => watchers.add(onChange));
        return () => void change(cacheKey, ({ watchers }) => watchers.delete(onChange));
      },
    }),
  };
}
