import assert from "node:assert/strict";
import { test } from "node:test";
import { rejected, undecided } from "../verdict/verdict.ts";
import {
  codeOf,
  createHeldJudge,
  createWorld,
  D1,
  D2,
  never,
  PASSED,
  settle,
  snapshot,
} from "../../testing/verify/world.ts";

const IMAGE = `r.io/a@${D1}`;

test("a verified key is refreshed after 80 % of its life without anybody waiting", async () => {
  const { ask, time, parts, calls, events } = createWorld();
  await ask(IMAGE);
  time.pass(239_999);
  await ask(IMAGE);
  await settle();
  assert.equal(calls.judge, 1);
  time.pass(1);
  const held = createHeldJudge();
  parts.judge = held.judge;
  for (let count = 0; count < 3; count += 1) assert.equal((await ask(IMAGE)).cache, "hit");
  await settle();
  assert.equal(calls.judge, 2);
  assert.deepEqual(events, []);
  held.release(PASSED);
  await settle();
  assert.deepEqual(events, [{ kind: "refresh", outcome: "verified" }]);
  time.pass(200_000);
  assert.equal((await ask(IMAGE)).cache, "hit");
});

test("the life of a verdict counts from the beginning of the verification", async () => {
  const { ask, verifier, time, parts } = createWorld();
  const held = createHeldJudge();
  parts.judge = held.judge;
  const asked = verifier.decide([IMAGE], never);
  await settle();
  time.pass(1500);
  held.release(PASSED);
  await asked;
  time.pass(298_500);
  assert.equal((await ask(IMAGE)).cache, "miss");
});

test("a refresh that finds a revocation replaces the verdict at once", async () => {
  const { ask, time, parts } = createWorld();
  await ask(IMAGE);
  time.pass(240_000);
  parts.judge = async () => rejected("REVOKED", "the certificate is revoked");
  await ask(IMAGE);
  await settle();
  assert.equal(codeOf((await ask(IMAGE)).verdict), "REVOKED");
});

test("a refresh that ends undecided keeps the verdict to its end and not beyond, and is not repeated at once", async () => {
  const { ask, time, parts, calls } = createWorld();
  await ask(IMAGE);
  time.pass(240_000);
  parts.judge = async () => undecided("REVOCATION_UNKNOWN", "nobody answers");
  for (let count = 0; count < 5; count += 1) {
    assert.equal((await ask(IMAGE)).verdict.kind, "verified");
    await settle();
  }
  assert.equal(calls.judge, 2);
  time.pass(5000);
  await ask(IMAGE);
  await settle();
  assert.equal(calls.judge, 3);
  time.pass(55_000);
  assert.equal(codeOf((await ask(IMAGE)).verdict), "REVOCATION_UNKNOWN");
});

test("400 keys that grow old together are all refreshed, eight at a time, and none is waited for", async () => {
  const { verifier, time, parts, calls } = createWorld();
  const keys = Array.from({ length: 400 }, (_, index) => `r.io/app-${index}@${D1}`);
  await verifier.decide(keys, never);
  time.pass(240_000);
  let running = 0;
  let most = 0;
  parts.judge = async () => {
    running += 1;
    most = Math.max(most, running);
    await settle();
    running -= 1;
    return PASSED;
  };
  await verifier.decide(keys, never);
  for (let turn = 0; turn < 400 && calls.judge < 800; turn += 1) await settle();
  await settle();
  assert.equal(most, 8);
  time.pass(60_000);
  const later = await verifier.decide(keys, never);
  assert.deepEqual(new Set(later.map(({ cache }) => cache)), new Set(["hit"]));
  assert.equal(calls.judge, 800);
});

test("nothing is refreshed for a policy that is no longer in force", async () => {
  const { verifier, time, parts, calls, policies } = createWorld();
  const keys = Array.from({ length: 9 }, (_, index) => `r.io/app-${index}@${D1}`);
  await verifier.decide(keys, never);
  time.pass(240_000);
  const held = createHeldJudge();
  parts.judge = held.judge;
  await verifier.decide(keys, never);
  await settle();
  policies.set("default", snapshot("default", "e2"));
  held.release(PASSED);
  await settle();
  // Eight were under way, the ninth waited and was not begun.
  assert.equal(calls.judge, 9 + 8);
});

test("a tag that is asked for all the time never makes a caller wait again, and is not asked for every time", async () => {
  const { ask, time, calls } = createWorld();
  await ask("r.io/a:v1");
  for (let count = 0; count < 100; count += 1) {
    time.pass(500);
    assert.equal((await ask("r.io/a:v1")).cache, "hit");
    await settle();
  }
  assert.ok(calls.subject >= 10 && calls.subject <= 14, `${calls.subject} look-ups in 50 s`);
});

test("a tag that moved is seen by the refresh, before its life is over", async () => {
  const { ask, time, tags } = createWorld();
  await ask("r.io/a:v1");
  tags.set("r.io/a:v1", D2);
  time.pass(4000);
  assert.equal((await ask("r.io/a:v1")).digest, D1);
  await settle();
  assert.equal((await ask("r.io/a:v1")).digest, D2);
});

test("a tag whose refresh fails is answered to its end, asked for four times a second at most, and then undecided", async () => {
  const { ask, time, parts, calls } = createWorld();
  await ask("r.io/a:v1");
  time.pass(4000);
  parts.failure = undecided("REGISTRY_UNREACHABLE", "no answer");
  for (let count = 0; count < 10; count += 1) {
    assert.equal((await ask("r.io/a:v1")).verdict.kind, "verified");
    await settle();
    time.pass(99);
  }
  assert.equal(calls.subject, 1 + 4);
  time.pass(10);
  assert.equal(codeOf((await ask("r.io/a:v1")).verdict), "REGISTRY_UNREACHABLE");
});

test("a rejected key lives 30 s, an undecided one not at all", async () => {
  const { ask, time, parts, calls } = createWorld();
  parts.judge = async () => rejected("UNTRUSTED_SIGNER", "nobody we know");
  await ask(IMAGE);
  await ask(IMAGE);
  assert.equal(calls.judge, 1);
  time.pass(30_000);
  parts.judge = async () => undecided("REVOCATION_UNKNOWN", "nobody answers");
  await ask(IMAGE);
  await ask(IMAGE);
  assert.equal(calls.judge, 3);
});

test("T-56 a part that throws during a refresh is reported and the verdict stays", async () => {
  const { ask, time, parts, events } = createWorld();
  await ask(IMAGE);
  time.pass(240_000);
  parts.judge = async () => {
    // The refresh looks the policy up again when Notation has answered.
    parts.policy = () => {
      throw new TypeError("a bug");
    };
    return PASSED;
  };
  assert.equal((await ask(IMAGE)).verdict.kind, "verified");
  await settle();
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ["error"],
  );
});
