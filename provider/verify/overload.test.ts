import assert from "node:assert/strict";
import { test } from "node:test";
import { createWorld, D1, never, PASSED, settle, codeOf } from "../../testing/verify/world.ts";
import type { Decision } from "./decision.ts";

/** Milliseconds of simulated time. */
const STEP_MS = 20;
const LOAD_MS = 10_000;
const JUDGE_MS = 100;

const LIMITS = { concurrency: 10, maxWaiting: 400 };
/** Verifications a second. */
const CAPACITY = (LIMITS.concurrency * 1000) / JUDGE_MS;

const HOT = `r.io/hot@${D1}`;

/** A world in which Notation takes its time, and whoever asks for how many new images at each step. */
function createLoad() {
  const world = createWorld(LIMITS);
  const { verifier, time, parts } = world;
  const judged = new Map<string, number>();
  parts.judge = async ({ repository: { repository } }) => {
    judged.set(repository, (judged.get(repository) ?? 0) + 1);
    await new Promise<void>((resolve) => time.schedule(JUDGE_MS, resolve));
    return PASSED;
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
  return { ...world, run, ask, hot, cold, peak, judged, asked: () => asked };
}

const of = (decisions: readonly Decision[], code: string): readonly Decision[] =>
  decisions.filter(({ verdict }) => codeOf(verdict) === code);

test("T-74 L-4 under ten times more new images than can be judged, cached ones are answered at once, as many new ones as can be are verified in time, and nothing grows", async () => {
  const load = createLoad();
  const { run, hot, cold, peak, judged, verifier, time } = load;
  await run(1000, 0);
  hot.length = 0;
  await run(LOAD_MS, 10 * CAPACITY);

  assert.equal(hot.length, LOAD_MS / STEP_MS);
  for (const { verdict, cache, durationMs } of hot) {
    assert.deepEqual([codeOf(verdict), cache, durationMs], ["verified", "hit", 0]);
  }
  assert.equal(peak.waiting, LIMITS.maxWaiting);
  assert.ok(peak.underWay <= LIMITS.maxWaiting + LIMITS.concurrency, String(peak.underWay));
  for (const { durationMs } of of(cold, "OVERLOADED")) assert.equal(durationMs, 0);
  const verified = of(cold, "verified");
  const possible = (CAPACITY * LOAD_MS) / 1000;
  assert.ok(verified.length > 0.9 * possible, `${verified.length} of ${possible} in time`);

  // The load has ended: whoever waits is answered, and the next image is judged in its time.
  await run(2000, 0);
  assert.equal(cold.length, load.asked(), "everybody is answered");
  assert.deepEqual(
    cold.filter(({ verdict }) => !["verified", "OVERLOADED", "TIMEOUT"].includes(codeOf(verdict))),
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
