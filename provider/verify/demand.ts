import { createByDue, type ByDue } from "../lib/by-due.ts";
import type { Demand } from "../lib/turns.ts";
import type { Caller } from "./waiting.ts";

/** Who waits for which verdict. */
export interface Demands {
  /** @returns to be called when the caller does not wait any more */
  join(cacheKey: string, caller: Pick<Caller, "dueAt">): () => void;
  /** All who wait for a verdict. */
  of(cacheKey: string): Demand;
}

interface Asked {
  readonly callers: ByDue<undefined>;
  readonly watchers: Set<() => void>;
}

/** Remembers of each verdict those who wait for it, as long as there are any. */
export function createDemands(): Demands {
  const asked = new Map<string, Asked>();

  function enter(cacheKey: string): Asked {
    const entry = asked.get(cacheKey) ?? { callers: createByDue(), watchers: new Set() };
    asked.set(cacheKey, entry);
    return entry;
  }
  /** Forgets what nobody waits for and nobody watches. */
  function leave(cacheKey: string, { callers, watchers }: Asked): void {
    if (callers.size === 0 && watchers.size === 0) asked.delete(cacheKey);
  }
  const tell = ({ watchers }: Asked): void => {
    for (const onChange of watchers) onChange();
  };

  return {
    join(cacheKey, { dueAt }) {
      const entry = enter(cacheKey);
      const caller = entry.callers.add(undefined, dueAt);
      tell(entry);
      return () => {
        caller.remove();
        tell(entry);
        leave(cacheKey, entry);
      };
    },
    of: (cacheKey) => ({
      dueAt(enough) {
        const { callers } = asked.get(cacheKey) ?? NOBODY;
        const first = callers.from(-Infinity);
        if (first === undefined || first.due === -Infinity) return first?.due ?? Infinity;
        return (callers.from(enough) ?? callers.before(Infinity) ?? first).due;
      },
      watch(onChange) {
        const entry = enter(cacheKey);
        entry.watchers.add(onChange);
        return () => {
          entry.watchers.delete(onChange);
          leave(cacheKey, entry);
        };
      },
    }),
  };
}

const NOBODY: Pick<Asked, "callers"> = { callers: createByDue() };
