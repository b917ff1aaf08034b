/** The sentence of an error that is one of ours. */
export const sentenceOf = (problem: unknown): string =>
  problem instanceof Error ? problem.message : String(problem);
