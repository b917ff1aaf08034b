import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { test } from "node:test";
import type { SignerAnswer } from "./answer.ts";
import type { SignerQuestion } from "./question.ts";
import { createRevocationWatch, type RevocationWatchOptions } from "./watch.ts";

/** A clock that a test moves, with the timers that hang on it. */
function createTime() {
  let time = 0;
  const timers = new Set<{ readonly at: number; readonly callback: () => void }>();
  return {
    now: () => time,
    schedule: (ms: number, callback: () => void) => {
      const timer = { at: time + ms, callback };
      timers.add(timer);
      return { cancel: () => void timers.delete(timer) };
    },
    timers,
    /** Moves on, and lets each timer and what it began run at its own moment. */
    pass: async (ms: number): Promise<void> => {
      const end = time + ms;
      for (;;) {
        const next = [...timers].toSorted((one, other) => one.at - other.at)[0];
        if (next === undefined || next.at > end) break;
        timers.delete(next);
        time = Math.max(time, next.at);
        next.callback();
        await setImmediate();
      }
      time = end;
    },
  };
}

const question = (key: string): SignerQuestion => ({
  key,
  partition: "aws",
  region: "us-east-1",
  profileVersionArn: "arn:profile",
  jobArn: `arn:${key}`,
  signatureTimestamp: 0,
  certificateHashes: [],
});

const GOOD: SignerAnswer = { kind: "notRevoked" };
const REVOKED = { kind: "revoked", entities: ["arn:a"] } as const satisfies SignerAnswer;
const UNKNOWN: SignerAnswer = {
  kind: "unknown",
  reason: "REVOCATION_UNKNOWN",
  sentence: "down",
};
const MINUTE = 60_000;

function fixture(changes: Partial<RevocationWatchOptions<string>> = {}) {
  const time = createTime();
  const asked: string[] = [];
  const told: string[] = [];
  const signer: { answer: SignerAnswer } = { answer: GOOD };
  const watch = createRevocationWatch<string>({
    ask: (about) => {
      asked.push(`${about.key}@${time.now()}`);
      return Promise.resolve({ answer: signer.answer, askedAt: time.now() });
    },
    onRevoked: (handles, about) => told.push(`revoked ${about.key}: ${handles.join()}`),
    onUnknown: (handles, about) => told.push(`unknown ${about.key}: ${handles.join()}`),
    intervalMs: MINUTE,
    maxAgeMs: 10 * MINUTE,
    perSecond: 5,
    maxQuestions: 100,
    now: time.now,
    schedule: time.schedule,
    random: () => 0,
    ...changes,
  });
  return { time, asked, told, signer, watch };
}

test("a question that is held is asked once in each interval, however many hold it", async () => {
  const { time, asked, watch } = fixture();
  for (const handle of ["one", "two", "three"]) watch.hold(question("a"), handle, 0);
  await time.pass(3 * MINUTE);
  assert.deepEqual(asked, ["a@60000", "a@120000", "a@180000"]);
});

test("the age of the oldest answer is told, and starts anew with the next one", async () => {
  const { time, watch } = fixture();
  assert.equal(watch.oldestAnswerMs, 0);
  watch.hold(question("a"), "one", 0);
  await time.pass(50_000);
  watch.hold(question("b"), "one", 40_000);
  assert.equal(watch.oldestAnswerMs, 50_000);
  await time.pass(20_000);
  assert.equal(watch.oldestAnswerMs, 30_000);
});

test("the first time comes up to half an interval early, so that replicas and bursts come apart", async () => {
  const { time, asked, watch } = fixture({ random: () => 0.5 });
  watch.hold(question("a"), "one", 0);
  await time.pass(2 * MINUTE);
  assert.deepEqual(asked, ["a@45000", "a@105000"]);
});

test("whoever holds what was revoked is told at once, and the question is asked no more", async () => {
  const { time, asked, told, signer, watch } = fixture();
  watch.hold(question("a"), "one", 0);
  const release = watch.hold(question("a"), "two", 0);
  watch.hold(question("b"), "other", 59_000);
  signer.answer = REVOKED;
  await time.pass(MINUTE);
  assert.deepEqual(told, ["revoked a: one,two"]);
  release?.();
  assert.equal(watch.size, 1);
  await time.pass(MINUTE);
  assert.deepEqual(asked, ["a@60000", "b@119000"]);
});

test("F-13 a question that could not be asked for too long is told once, and again after an answer in between", async () => {
  const { time, told, signer, watch } = fixture({ maxAgeMs: 150_000 });
  watch.hold(question("a"), "one", 0);
  signer.answer = UNKNOWN;
  await time.pass(149_999);
  assert.deepEqual(told, []);
  await time.pass(10 * MINUTE);
  assert.deepEqual(told, ["unknown a: one"]);
  signer.answer = GOOD;
  await time.pass(MINUTE);
  signer.answer = UNKNOWN;
  await time.pass(10 * MINUTE);
  assert.deepEqual(told, ["unknown a: one", "unknown a: one"]);
});

test("F-13 a question whose answer never comes grows too old as well", async () => {
  const never = Promise.withResolvers<never>();
  const { time, told, watch } = fixture({ ask: () => never.promise });
  watch.hold(question("a"), "one", 0);
  await time.pass(11 * MINUTE);
  assert.deepEqual(told, ["unknown a: one"]);
});

test("no more questions are asked in a second than may be, the longest due first", async () => {
  const { time, asked, watch } = fixture();
  for (let index = 0; index < 20; index += 1) {
    watch.hold(question(`q${index}`), "one", 20 - index);
  }
  await time.pass(MINUTE + 20);
  assert.deepEqual(asked, ["q19@60001"]);
  await time.pass(1000);
  assert.equal(asked.length, 6);
  await time.pass(3000);
  assert.equal(new Set(asked.map((text) => text.split("@")[0])).size, 20);
});

test("what nobody holds is forgotten, with its timer", async () => {
  const { time, asked, watch } = fixture();
  const releases = ["one", "two"].map((handle) => watch.hold(question("a"), handle, 0));
  releases[0]?.();
  releases[0]?.();
  assert.equal(watch.size, 1);
  releases[1]?.();
  assert.equal(watch.size, 0);
  assert.equal(time.timers.size, 0);
  await time.pass(10 * MINUTE);
  assert.deepEqual(asked, []);
});

test("who lets go late does not let go of what others hold since", () => {
  const { watch } = fixture();
  const first = watch.hold(question("a"), "one", 0);
  first?.();
  watch.hold(question("a"), "two", 0);
  first?.();
  assert.equal(watch.size, 1);
});

test("T-13 an answer that comes after a question was let go of and held anew counts for who holds it then", async () => {
  const answer = Promise.withResolvers<{ answer: SignerAnswer; askedAt: number }>();
  const { time, told, watch } = fixture({ ask: async () => await answer.promise });
  const first = watch.hold(question("a"), "one", 0);
  await time.pass(MINUTE);
  first?.();
  watch.hold(question("a"), "two", 0);
  answer.resolve({ answer: REVOKED, askedAt: MINUTE });
  await setImmediate();
  assert.deepEqual(told, ["revoked a: two"]);
  assert.equal(watch.size, 0);
});

test("a question that is let go of because it is unknown is not asked any more", async () => {
  const releases: ((() => void) | undefined)[] = [];
  const { time, asked, signer, watch } = fixture({
    intervalMs: MINUTE,
    maxAgeMs: MINUTE,
    onUnknown: () => releases[0]?.(),
  });
  signer.answer = UNKNOWN;
  releases.push(watch.hold(question("a"), "one", 0));
  await time.pass(10 * MINUTE);
  assert.deepEqual([asked, watch.size], [[], 0]);
});

test("more questions than may be held are refused, and one that is held already is not more", () => {
  const { watch } = fixture({ maxQuestions: 2 });
  assert.ok(watch.hold(question("a"), "one", 0));
  assert.ok(watch.hold(question("b"), "one", 0));
  assert.equal(watch.hold(question("c"), "one", 0), undefined);
  assert.ok(watch.hold(question("a"), "two", 0));
  assert.equal(watch.size, 2);
});

test("an answer that somebody else got counts, and puts the next question off", async () => {
  const { time, asked, watch } = fixture();
  watch.hold(question("a"), "one", 0);
  await time.pass(30_000);
  watch.hold(question("a"), "two", 30_000);
  await time.pass(MINUTE);
  assert.deepEqual(asked, ["a@90000"]);
});

test("when it is closed, nobody is asked and nobody is called any more", async () => {
  const answer = Promise.withResolvers<{ answer: SignerAnswer; askedAt: number }>();
  const { time, told, watch } = fixture({ ask: () => answer.promise });
  watch.hold(question("a"), "one", 0);
  await time.pass(MINUTE);
  watch.close();
  answer.resolve({ answer: REVOKED, askedAt: MINUTE });
  await time.pass(20 * MINUTE);
  assert.deepEqual([told, time.timers.size, watch.size], [[], 0, 0]);
});

test("questions without end hold no more than may be held", async () => {
  const { time, watch } = fixture({ maxQuestions: 50 });
  for (let index = 0; index < 1000; index += 1) {
    const release = watch.hold(question(`q${index}`), "one", time.now());
    if (index % 2 === 0) release?.();
    await time.pass(10);
  }
  assert.ok(watch.size <= 50);
  assert.ok(time.timers.size <= 1);
});
