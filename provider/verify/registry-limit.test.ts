import assert from "node:assert/strict";
import { test } from "node:test";
import type { Judgement } from "../notation/judgement.ts";
import { createWorld, never, PASSED, settle, codeOf } from "../../testing/verify/world.ts";

/** Keys of distinct images, so that each is judged. */
const keys = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `r.io/app-${index}@sha256:${"a".repeat(64)}`);

/** A world where images that wait for AWS Signer are held until it answers; `others` do not need it. */
function createWaiting(limits: { concurrency: number; maxBytesAside?: number }) {
  const world = createWorld(limits);
  const signer = Promise.withResolvers<Judgement>();
  world.parts.judge = async ({ repository, onWait }) => {
    if (repository.repository.startsWith("other")) return PASSED;
    onWait?.();
    return await signer.promise;
  };
  const other = async (): Promise<string> => {
    const decided = world.ask(`r.io/other@sha256:${"b".repeat(64)}`);
    await settle();
    world.time.pass(1800);
    return codeOf((await decided).verdict);
  };
  return { ...world, signer, other };
}

test("T-13 images that wait for AWS Signer hold no place of their registry's other images", async () => {
  const { verifier, signer, other, calls } = createWaiting({ concurrency: 2 });
  const waiting = verifier.decide(keys(8), never);
  await settle();
  assert.equal(calls.judge, 8, "each has left its place to the next");
  assert.equal(await other(), "verified");
  signer.resolve(PASSED);
  await waiting;
});

test("T-12 what images hold without a place is bounded: those beyond keep theirs", async () => {
  // The double's envelopes are four bytes: "good".
  const { verifier, signer, other, calls } = createWaiting({ concurrency: 2, maxBytesAside: 12 });
  const waiting = verifier.decide(keys(8), never);
  await settle();
  assert.equal(calls.judge, 3 + 2, "three without a place, two that keep theirs");
  assert.equal(await other(), "TIMEOUT");
  signer.resolve(PASSED);
  await waiting;
  await settle();
  assert.equal(calls.judge, 8 + 1, "all places are free again");
});

test("a place that was left is free once, and what was held is given back", async () => {
  const { verifier, signer, calls } = createWaiting({ concurrency: 1, maxBytesAside: 4 });
  signer.resolve(PASSED);
  for (const decision of await verifier.decide(keys(8), never)) {
    assert.equal(codeOf(decision.verdict), "verified");
  }
  assert.equal(calls.judge, 8);
  const held = Promise.withResolvers<Judgement>();
  const again = createWaiting({ concurrency: 1 });
  again.parts.judge = async () => await held.promise;
  const waiting = again.verifier.decide(keys(3), never);
  await settle();
  assert.equal(again.calls.judge, 1, "who does not wait for Signer keeps the one place");
  held.resolve(PASSED);
  await waiting;
});
