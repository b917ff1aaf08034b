import type { Demand } from "../../provider/lib/turns.ts";

/** Somebody who waits for a result, in the hands of a test. */
export interface Until extends Demand {
  /** How often it was asked until when. */
  asked: number;
  readonly watchers: ReadonlySet<() => void>;
  change(other: number): void;
}

/** @param due monotonic milliseconds; Infinity for nobody */
export function until(due: number): Until {
  const watchers = new Set<() => void>();
  return {
    asked: 0,
    watchers,
    dueAt() {
      this.asked += 1;
      return due;
    },
    watch(onChange) {
      watchers.add(onChange);
      return () => void watchers.delete(onChange);
    },
    change(other) {
      due = other;
      for (const onChange of watchers) onChange();
    },
  };
}
