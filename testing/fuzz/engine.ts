import { createCoverage } from "./coverage.ts";
import { growsTooFast } from "./growth.ts";
import { mutate } from "./mutate.ts";
import { createRandom } from "./random.ts";
import type { Target } from "./target.ts";

/** An input for which something does not hold that should. */
export interface Finding {
  readonly input: Uint8Array;
  /** What an assertion said, or that time grows too fast. */
  readonly problem: string;
}

/** What came of a search. */
export interface Search {
  /** Inputs that were read. */
  readonly runs: number;
  /** Blocks of our own code that any of them reached. */
  readonly blocks: number;
  /** Names that {@link Target.check} gave to what came of them. */
  readonly outcomes: readonly string[];
  /** Inputs that were made and led to new code or to a new outcome, in their order. */
  readonly kept: readonly Uint8Array[];
  /** The first, made as short as it could; with it the search ends. */
  readonly finding?: Finding;
}

export interface SearchOptions {
  readonly target: Target;
  /** Inputs to begin with; at least one. */
  readonly corpus: readonly Uint8Array[];
  readonly seed: number;
  /** Asked again and again; the search ends when it says no. */
  readonly goesOn: () => boolean;
  /** Told what is read next, so that whoever watches can name an input that takes for ever. */
  readonly running: (input: Uint8Array) => void;
}

/** Inputs that are read before V8 is asked what ran. */
const BATCH = 256;

/** How long kept inputs may be, so that the corpus stays one of small things. */
const MAX_KEPT = 16_384;

/** One growth of an input is tried in so many batches. */
const GROWTH_EVERY = 8;

/** Attempts to make a finding shorter. */
const MAX_SHORTENINGS = 2000;

const isOurs = (url: string): boolean => url.includes("/provider/") && !url.includes(".test.ts");

/** What anyone could reach through a prototype, and no input may add to. */
const PROTOTYPES = [Object.prototype, Array.prototype, Function.prototype, String.prototype];
const membersOfPrototypes = (): number =>
  PROTOTYPES.reduce<number>((sum, prototype) => sum + Reflect.ownKeys(prototype).length, 0);

/**
 * Looks for an input for which the target's assertions fail, or whose time grows faster than its length. Inputs are made of known
 * ones by small changes; those that reach new code or a new outcome become known. The same seed makes the same choices.
 */
export async function search(options: SearchOptions): Promise<Search> {
  const { target, corpus, seed, goesOn, running } = options;
  const random = createRandom(seed);
  using coverage = createCoverage(isOurs);
  const known: Uint8Array[] = [];
  const kept: Uint8Array[] = [];
  const outcomes = new Set<string>();
  let runs = 0;
  const members = membersOfPrototypes();

  /** @returns whether the outcome is new, or what the assertion that failed said */
  const read = async (input: Uint8Array): Promise<boolean | Finding> => {
    runs += 1;
    running(input);
    try {
      const before = outcomes.size;
      outcomes.add(await target.check(input));
      if (membersOfPrototypes() !== members) throw new Error("a prototype has a new member");
      return outcomes.size > before;
    } catch (error) {
      return { input, problem: error instanceof Error ? error.message : String(error) };
    }
  };
  const end = async (found?: Finding): Promise<Search> => ({
    runs,
    blocks: coverage.known,
    outcomes: [...outcomes].toSorted(),
    kept,
    ...(found !== undefined && { finding: await shortened(found, target, running) }),
  });
  /** Those of the inputs just read that reach new code: each half is read again as long as one of them does. */
  const sift = async (inputs: readonly Uint8Array[]): Promise<readonly Uint8Array[]> => {
    const blocks = coverage.news();
    if (blocks.length === 0) return [];
    if (inputs.length === 1) {
      coverage.learn(blocks);
      return inputs;
    }
    const middle = Math.ceil(inputs.length / 2);
    const found: Uint8Array[] = [];
    for (const half of [inputs.slice(0, middle), inputs.slice(middle)]) {
      for (const input of half) await read(input);
      found.push(...(await sift(half)));
    }
    return found;
  };
  /** Reads inputs, keeps those that are news, and says what was found. */
  const readAll = async (inputs: readonly Uint8Array[], isCorpus: boolean) => {
    const news = new Set<Uint8Array>(isCorpus ? inputs : []);
    for (const input of inputs) {
      const result = await read(input);
      if (typeof result === "object") return result;
      if (result) news.add(input);
    }
    for (const input of await sift(inputs)) news.add(input);
    for (const input of news) {
      if (input.length > MAX_KEPT && !isCorpus) continue;
      known.push(input);
      if (!isCorpus) kept.push(input);
    }
    return undefined;
  };

  const problem = await readAll(corpus, true);
  if (problem !== undefined) return await end(problem);
  for (let batch = 0; goesOn(); batch += 1) {
    const made = Array.from({ length: BATCH }, () =>
      // What was found last is where there is more to find.
      mutate(random.pick(random.oneIn(2) ? known.slice(-16) : known), target, known, random),
    );
    const found = await readAll(made, false);
    if (found !== undefined) return await end(found);
    if (batch % GROWTH_EVERY !== 0) continue;
    const slow = await growsTooFast(random.pick(known), target, random, running);
    if (slow !== undefined) {
      return await end({ input: slow, problem: "its time grows faster than its length" });
    }
    // Measuring is no search.
    coverage.news();
  }
  return await end();
}

/** Takes parts out of an input as long as the same assertion fails. */
async function shortened(
  finding: Finding,
  target: Target,
  running: (input: Uint8Array) => void,
): Promise<Finding> {
  const fails = async (input: Uint8Array): Promise<boolean> => {
    running(input);
    try {
      await target.check(input);
      return false;
    } catch {
      return true;
    }
  };
  let { input } = finding;
  if (!(await fails(input))) return finding;
  let attempts = 0;
  for (let size = Math.ceil(input.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < input.length && attempts < MAX_SHORTENINGS; attempts += 1) {
      const shorter = Buffer.concat([input.subarray(0, at), input.subarray(at + size)]);
      if (await fails(shorter)) input = shorter;
      else at += size;
    }
  }
  return { ...finding, input };
}
