import { performance } from "node:perf_hooks";
import { mutate, repeated } from "./mutate.ts";
import type { Random } from "./random.ts";
import type { Target } from "./target.ts";

/** How many times as long the longer of two inputs is. */
const LONGER = 16;

/** How many times as much an input may cost that is {@link LONGER} times as long. Square time would cost 256 times as much. */
const DEARER = 6 * LONGER;

/** Bytes of the longer input, where its reader takes as many: enough to tell square from straight. */
const MAX_BYTES = 131_072;

/** Measurements of one input, the shortest of which counts: everything that disturbs makes one longer. */
const SAMPLES = 5;

/** Times that two inputs have to disagree with linear time before it is said. */
const PROOFS = 4;

/** Shortest time of one check, in milliseconds, which are compared with each other and with nothing else. */
async function timeOf(target: Target, input: Uint8Array): Promise<number> {
  let shortest = Infinity;
  // One check of a short input is below what the clock can tell.
  const calls = Math.max(1, Math.floor(4096 / (input.length + 1)));
  for (let sample = 0; sample < SAMPLES; sample += 1) {
    const start = performance.now();
    for (let call = 0; call < calls; call += 1) await target.check(input);
    shortest = Math.min(shortest, (performance.now() - start) / calls);
  }
  return shortest;
}

/**
 * Repeats a part of an input and looks how the time of its reader grows: in proportion to its length, or faster.
 * @param running told what is read next, so that an input that takes for ever is known
 * @returns the long input, if time grows faster
 */
export async function growsTooFast(
  input: Uint8Array,
  target: Target,
  random: Random,
  running: (input: Uint8Array) => void,
): Promise<Uint8Array | undefined> {
  const start = random.oneIn(2) ? input : mutate(input, target, [input], random);
  const build = repeated(start, target, random);
  if (build === undefined) return undefined;
  const step = Math.max(1, build(2).length - build(1).length);
  const most = Math.floor((Math.min(target.maxBytes, MAX_BYTES) - build(0).length) / step);
  if (most < 2 * LONGER) return undefined;
  const short = build(Math.floor(most / LONGER));
  const long = build(most);
  for (let proof = 0; proof < PROOFS; proof += 1) {
    running(short);
    const little = await timeOf(target, short);
    running(long);
    const much = await timeOf(target, long);
    if (much <= DEARER * little) return undefined;
  }
  return long;
}
