import type { Demand } from "../../provider/lib/turns.ts";

/** Somebody who waits for a result, in the hands of a test. */
export interface Until extends Demand {
  /** How often it was asked until when. */
  asked: number;
  readonly watchers: ReadonlySet<() => void>;
  change(...others: readonly number[]): void;
}

/** @param dues monotonic milliseconds of one or several, in ascending order; Infinity for nobody */
export function until(...dues: readonly number[]): Until {
  const watchers = new Set<() => void>();
  return {
    asked: 0,
    watchers,
    dueAt(enough) {
      this.asked += 1;
      return dues.find((due) => due >= enough) ?? dues.at(-1) ?? Infinity;
    },
    watch(onChange) {
      watchers.add(onChange);
      return () => void watchers.delete(onChange);
    },
    change(...others) {
      dues = others;
      for (const onChange of watchers) onChange();
    },
  };
}
