/** The value below which `share` of the values lie (nearest rank). @param share 0 to 1 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** How steeply values rise, and how far off that may be. */
export interface Slope {
  readonly slope: number;
  /** Half of the interval that holds the true slope in 95 of 100 such measurements. */
  readonly within: number;
}

/**
 * The least-squares line through values. Neighbours that are off to the same side, as while a cache fills, say the same thing twice, and
 * are counted as fewer values by how alike they are.
 * @param points of place and value, in the order of the places; at least 3
 * @see Santer et al., "Statistical significance of trends and trend differences" (2000), section 3
 */
export function slopeOf(points: readonly (readonly [number, number])[]): Slope {
  const count = points.length;
  const meanX = sum(points.map(([x]) => x)) / count;
  const meanY = sum(points.map(([, y]) => y)) / count;
  const spreadX = sum(points.map(([x]) => (x - meanX) ** 2));
  const slope = sum(points.map(([x, y]) => (x - meanX) * (y - meanY))) / spreadX;
  const off = points.map(([x, y]) => y - meanY - slope * (x - meanX));
  const squares = sum(off.map((each) => each ** 2));
  const products = sum(off.slice(1).map((each, index) => each * (off[index] ?? 0)));
  const alike = squares === 0 ? 0 : Math.max(0, products / squares);
  const counted = (count * (1 - alike)) / (1 + alike);
  // Of two values or fewer nothing is known but that they lie on some line.
  const deviation = counted > 2 ? Math.sqrt(squares / (counted - 2) / spreadX) : Infinity;
  return { slope, within: squares === 0 ? 0 : T_95 * deviation };
}

/** Student's t for 95 % and thirty values; less for more. */
const T_95 = 2.04;

const sum = (values: readonly number[]): number => values.reduce((total, each) => total + each, 0);

/**
 * Runs `work` for each item, `concurrency` at once.
 * @returns milliseconds of each, and items a second over all
 */
export async function measure<T>(
  items: readonly T[],
  concurrency: number,
  work: (item: T) => Promise<void>,
): Promise<{ readonly times: readonly number[]; readonly perSecond: number }> {
  const times: number[] = [];
  const queue = items.values();
  const began = performance.now();
  const worker = async (): Promise<void> => {
    for (const item of queue) {
      const start = performance.now();
      await work(item);
      times.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return { times, perSecond: (items.length * 1000) / (performance.now() - began) };
}

/**
 * Does `work` again and again for so long, `concurrency` at once.
 * @param work of the next number from 0 on; whether it counts
 * @returns those that count, a second
 */
export async function rateFor(
  seconds: number,
  concurrency: number,
  work: (index: number) => Promise<boolean>,
): Promise<number> {
  const began = performance.now();
  const elapsed = (): number => (performance.now() - began) / 1000;
  let [next, counted] = [0, 0];
  const worker = async (): Promise<void> => {
    while (elapsed() < seconds) {
      if (await work(next++)) counted += 1;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return counted / elapsed();
}
