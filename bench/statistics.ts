/** The value below which `share` of the values lie (nearest rank). @param share 0 to 1 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/**
 * How steeply values rise, by the median of the slopes between all pairs: a few that stand out change nothing.
 * @param points of place and value
 * @see Theil, "A rank-invariant method of linear and polynomial regression analysis"; Sen (1968)
 */
export function slopeOf(points: readonly (readonly [number, number])[]): number {
  const slopes = points.flatMap(([x, y], index) =>
    points.slice(index + 1).map(([otherX, otherY]) => (otherY - y) / (otherX - x)),
  );
  return quantile(slopes, 0.5);
}

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
