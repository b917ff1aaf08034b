import { Session, type Profiler } from "node:inspector";

/** Which blocks of code ran, as V8 counts them. */
export interface Coverage extends Disposable {
  /** Blocks that ran since this was last asked and are not known. */
  news(): readonly string[];
  learn(blocks: readonly string[]): void;
  readonly known: number;
}

/**
 * Counts the blocks of some files in this thread. To ask costs milliseconds, whatever ran: ask once for many inputs.
 * @param isOurs whether a script's URL is one that counts
 * @see Chrome DevTools Protocol, `Profiler.takePreciseCoverage`
 */
export function createCoverage(isOurs: (url: string) => boolean): Coverage {
  const session = new Session();
  session.connect();
  session.post("Profiler.enable");
  session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });

  const known = new Set<string>();
  /** Names of the blocks that ran since the last call. A session with its own thread answers before `post` returns. */
  const take = (): readonly string[] => {
    let taken: Profiler.TakePreciseCoverageReturnType | undefined;
    session.post("Profiler.takePreciseCoverage", (error, result) => {
      if (error !== null) throw error;
      taken = result;
    });
    if (taken === undefined) throw new Error("the inspector did not answer at once");
    return taken.result
      .filter(({ url }) => isOurs(url))
      .flatMap(({ scriptId, functions }) =>
        functions.flatMap(({ ranges }) =>
          ranges
            .filter(({ count }) => count > 0)
            .map(({ startOffset, endOffset }) => `${scriptId}:${startOffset}:${endOffset}`),
        ),
      );
  };
  const news = (): readonly string[] => take().filter((block) => !known.has(block));
  const learn = (blocks: readonly string[]): void => {
    for (const block of blocks) known.add(block);
  };
  // What ran while modules were loaded is no news.
  learn(news());
  const loaded = known.size;
  return {
    news,
    learn,
    get known() {
      return known.size - loaded;
    },
    [Symbol.dispose]: () => session.disconnect(),
  };
}
