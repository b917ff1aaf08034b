import { Counter, Histogram, type Registry } from "prom-client";

/** The values of a metric's labels, in the order of its names. */
type Values = readonly string[];

/** A metric whose labels have closed lists of values. */
export interface BoundOptions {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  /** Those that begin at 0. */
  readonly combinations: readonly Values[];
  readonly registers: Registry[];
}

/** Every combination of one value of each list. */
export function product(...lists: readonly (readonly string[])[]): readonly Values[] {
  let combinations: readonly Values[] = [[]];
  for (const list of lists) {
    combinations = combinations.flatMap((values) => list.map((value) => values.concat(value)));
  }
  return combinations;
}

/** A counter by the values of its labels. It counts in plain numbers, which prom-client gets when somebody reads them. */
export function bindCounter(options: BoundOptions): (...values: Values) => void {
  const { combinations, labelNames, ...rest } = options;
  const counts: { readonly labels: Record<string, string>; unread: number }[] = [];
  const find = createChildren(labelNames, (labels) => {
    const count = { labels, unread: 0 };
    counts.push(count);
    return count;
  });
  for (const values of combinations) find(values);
  void new Counter({
    ...rest,
    labelNames: [...labelNames],
    collect() {
      for (const count of counts) {
        this.inc(count.labels, count.unread);
        count.unread = 0;
      }
    },
  });
  return (...values) => {
    find(values).unread += 1;
  };
}

/** A histogram by the values of its labels. @param buckets upper bounds, in seconds */
export function bindHistogram(
  options: BoundOptions & { readonly buckets: readonly number[] },
): (seconds: number, ...values: Values) => void {
  const { combinations, labelNames, buckets, ...rest } = options;
  const histogram = new Histogram({ ...rest, labelNames: [...labelNames], buckets: [...buckets] });
  const find = createChildren(labelNames, (labels) => histogram.labels(labels));
  for (const values of combinations) histogram.zero(labelsOf(labelNames, values));
  return (seconds, ...values) => {
    find(values).observe(seconds);
  };
}

/** Finds what was made for a combination of values, or makes it. */
function createChildren<T>(
  names: readonly string[],
  make: (labels: Record<string, string>) => T,
): (values: Values) => T {
  // By the first value, then by the others: a text of all of them would have to be made anew each time.
  const children = new Map<string | undefined, Map<string, T>>();
  return (values) => {
    const [first, second = ""] = values;
    const rest = values.length > 2 ? values.slice(1).join("\n") : second;
    let group = children.get(first);
    if (group === undefined) {
      group = new Map();
      children.set(first, group);
    }
    let child = group.get(rest);
    if (child === undefined) {
      child = make(labelsOf(names, values));
      group.set(rest, child);
    }
    return child;
  };
}

const labelsOf = (names: readonly string[], values: Values): Record<string, string> =>
  Object.fromEntries(names.map((name, index) => [name, values[index] ?? ""]));
