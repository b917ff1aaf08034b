/** The value below which `share` of the values lie (nearest rank). @param share 0 to 1 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
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
