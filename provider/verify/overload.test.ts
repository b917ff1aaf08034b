import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../../testing/fuzz/random.ts";
import { createWorld, D1, never, PASSED, settle, codeOf } from "../../testing/verify/world.ts";
import { createTurns, NOBODY_WAITS } from "../lib/turns.ts";
import { undecided } from "../verdict/verdict.ts";
import type { Decision } from "./decision.ts";

/** Milliseconds of simulated time. */
const STEP_MS = 20;
const LOAD_MS = 10_000;
const JUDGE_MS = 100;

/** Runs of Notation at once, and how many images may be verified at once: as many, or more, which wait for a run. */
interface Shape {
  readonly runs: number;
  readonly concurrency: number;
}
const NARROW: Shape = { runs: 10, concurrency: 10 };
/** Verifications a second. */
const capacityOf = ({ runs }: Shape): number => (runs * 1000) / JUDGE_MS;
/** Keys that may wait: what is verified in four seconds, so that the load fills it in any shape. */
const maxWaitingOf = (shape: Shape): number => 4 * capacityOf(shape);

const HOT = `r.io/hot@${D1}`;

interface LoadOptions {
  /** Life of a verdict. */
  readonly verifiedMs?: number;
  readonly judgeMs?: () => number;
}

/** A world in which Notation takes its time, and whoever asks for how many new images at each step. */
function createLoad(
  shape: Shape = NARROW,
  { verifiedMs = 300_000, judgeMs = () => JUDGE_MS }: LoadOptions = {},
) {
  const { runs, concurrency } = shape;
  const maxWaiting = maxWaitingOf(shape);
  const world = createWorld({ concurrency, maxWaiting, verifiedMs });
  const take = createTurns({ concurrency: runs, maxWaiting, now: world.time.now });
  const { verifier, time, parts } = world;
  const judged = new Map<string, number>();
  const judgeSlowly = async (): Promise<typeof PASSED> => {
    await new Promise<void>((resolve) => time.schedule(judgeMs(), resolve));
    return PASSED;
  };
  parts.judge = async ({ repository: { repository }, demand = NOBODY_WAITS }, signal) => {
    judged.set(repository, (judged.get(repository) ?? 0) + 1);
    const answer = await take(judgeSlowly, { signal, demand });
    return answer === "full" ? undecided("OVERLOADED", "no run") : answer;
  };
  const hot: Decision[] = [];
  const cold: Decision[] = [];
  const peak = { waiting: 0, underWay: 0 };
  let asked = 0;

  const ask = async (key: string, answers: Decision[]): Promise<void> => {
    answers.push(...(await verifier.decide([key], never)));
  };
  const step = async (images: number): Promise<void> => {
    for (let index = 0; index < images; index += 1) {
      void ask(`r.io/cold-${(asked += 1)}@${D1}`, cold);
    }
    void ask(HOT, hot);
    await settle();
    const { waiting, underWay } = verifier.stats();
    peak.waiting = Math.max(peak.waiting, waiting);
    peak.underWay = Math.max(peak.underWay, underWay);
    time.pass(STEP_MS);
    await settle();
  };
  const run = async (ms: number, perSecond: number): Promise<void> => {
    for (let at = 0; at < ms; at += STEP_MS) await step((perSecond * STEP_MS) / 1000);
  };
  return { ...world, run, step, ask, hot, cold, peak, judged, asked: () => asked };
}

const of = (decisions: readonly Decision[], code: string): readonly Decision[] =>
  decisions.filter(({ verdict }) => codeOf(verdict) === code);

const shapes: readonly (Shape & { readonly name: string })[] = [
  { ...NARROW, name: "as many runs as images" },
  { runs: 4, concurrency: 32, name: "the runs of 32 images take half of the deadline" },
  { runs: 2, concurrency: 32, name: "the runs of 32 images take nearly all of the deadline" },
  { runs: 1, concurrency: 32, name: "the runs of 32 images take twice the deadline" },
];
for (const { name, ...shape } of shapes) {
  test(`T-74 L-4 under ten times more new images than can be judged, cached ones are answered at once, as many new ones as can be are verified in time, and nothing grows: ${name}`, async () => {
    const load = createLoad(shape);
    const { run, hot, cold, peak, judged, verifier, time } = load;
    await run(1000, 0);
    hot.length = 0;
    await run(LOAD_MS, 10 * capacityOf(shape));

    assert.equal(hot.length, LOAD_MS / STEP_MS);
    for (const { verdict, cache, durationMs } of hot) {
      assert.deepEqual([codeOf(verdict), cache, durationMs], ["verified", "hit", 0]);
    }
    assert.equal(peak.waiting, maxWaitingOf(shape));
    assert.ok(peak.underWay <= peak.waiting + shape.concurrency, String(peak.underWay));
    for (const { durationMs } of of(cold, "OVERLOADED")) assert.equal(durationMs, 0);
    const verified = of(cold, "verified");
    const possible = (capacityOf(shape) * LOAD_MS) / 1000;
    assert.ok(verified.length > 0.9 * possible, `${verified.length} of ${possible} in time`);

    // The load has ended: whoever waits is answered, and the next image is judged in its time.
    await run(2000, 0);
    assert.equal(cold.length, load.asked(), "everybody is answered");
    assert.deepEqual(
      cold.filter(
        ({ verdict }) => !["verified", "OVERLOADED", "TIMEOUT"].includes(codeOf(verdict)),
      ),
      [],
    );
    const [, most] = Array.from(judged).reduce((one, other) => (other[1] > one[1] ? other : one));
    assert.equal(most, 1, "no image is judged twice");
    await run(10_000, 0);
    assert.deepEqual([verifier.stats().waiting, verifier.stats().underWay], [0, 0]);
    const next: Decision[] = [];
    void load.ask(`r.io/next@${D1}`, next);
    await settle();
    time.pass(JUDGE_MS);
    await settle();
    assert.deepEqual(
      next.map(({ verdict }) => codeOf(verdict)),
      ["verified"],
    );
  });
}

test("T-74 L-4 what is cached and asked for again and again does not run out while there are ten times more new images than can be judged", async () => {
  const [shape, lifeMs] = [{ runs: 2, concurrency: 8 }, 8000];
  const { run, hot, cold, judged } = createLoad(shape, { verifiedMs: lifeMs });
  await run(1000, 0);
  hot.length = 0;
  await run(3 * lifeMs, 10 * capacityOf(shape));
  assert.deepEqual(new Set(hot.map(({ cache }) => cache)), new Set(["hit"]));
  assert.ok((judged.get("hot") ?? 0) > 3);
  const possible = (capacityOf(shape) * 3 * lifeMs) / 1000;
  const verified = of(cold, "verified");
  assert.ok(verified.length > 0.9 * possible, `${verified.length} of ${possible} in time`);
});

for (const runs of [1, 4]) {
  for (const times of [2, 10]) {
    test(`L-4 images that are asked for again and again are decided soon among ${times} times more than can be judged, ${runs} at a time`, async () => {
      const shape = { runs, concurrency: 32 };
      const random = createRandom(7);
      // Where every run takes as long as the next, only those are ever served that came at certain moments.
      const { step, ask } = createLoad(shape, {
        judgeMs: () => JUDGE_MS * (0.6 + random.below(80) / 100),
      });
      const answers = Array.from({ length: 8 }, (): Decision[] => []);
      for (let at = 0; at < 14_000; at += STEP_MS) {
        for (const [index, own] of answers.entries()) {
          const isAsked = at >= 3000 + index * 1000 && random.oneIn(10);
          if (isAsked && of(own, "verified").length === 0)
            void ask(`r.io/popular-${index}@${D1}`, own);
        }
        await step((times * capacityOf(shape) * STEP_MS) / 1000);
      }
      const decided = answers.filter((own) => of(own, "verified").length > 0);
      assert.ok(decided.length > 6, `${decided.length} of ${answers.length}`);
    });
  }
}

test("F-36 what was too late for its caller is judged all the same, and answers the retry", async () => {
  const { verifier, run, time, calls } = createLoad();
  const keys = Array.from({ length: 300 }, (_, index) => `r.io/app-${index}@${D1}`);
  const first = verifier.decide(keys, never);
  await run(1800, 0);
  assert.deepEqual(
    new Set((await first).map(({ verdict }) => codeOf(verdict))),
    new Set(["verified", "TIMEOUT"]),
  );
  // 300 images at 100 a second.
  await run(1500, 0);
  const again = await verifier.decide(keys, never);
  assert.deepEqual(new Set(again.map(({ cache }) => cache)), new Set(["hit"]));
  assert.equal(calls.judge, 301);
  assert.equal(time.timers.size, 0);
});
