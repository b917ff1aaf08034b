import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { test } from "node:test";
import { createAsk, type AskOptions, type GetRevocationStatus } from "./ask.ts";
import type { Answered } from "./answer.ts";
import type { SignerQuestion } from "./question.ts";

const never = new AbortController().signal;

const question = (key: string, region = "us-east-1"): SignerQuestion => ({
  key,
  partition: region.startsWith("cn-") ? "aws-cn" : "aws",
  region,
  profileVersionArn: "arn:profile",
  jobArn: `arn:${key}`,
  signatureTimestamp: 0,
  certificateHashes: [],
});

const sdkError = (name: string, httpStatusCode: number): Error =>
  Object.assign(new Error("words"), { name, $metadata: { httpStatusCode } });
const reset = (): Error => Object.assign(new Error("reset"), { code: "ECONNRESET" });

/** Settles only when its signal aborts, as the SDK's calls do. */
const silent: GetRevocationStatus = (_question, signal) =>
  new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () =>
      reject(Object.assign(new Error("aborted"), { name: "AbortError" })),
    );
  });

function fixture(call: GetRevocationStatus, changes: Partial<AskOptions> = {}) {
  let time = 0;
  const timers = new Set<{ readonly at: number; readonly callback: () => void }>();
  const calls: string[] = [];
  const ask = createAsk({
    call: (about, signal) => {
      calls.push(about.key);
      return call(about, signal);
    },
    timeoutMs: 1000,
    deadlineMs: 1500,
    freshMs: 60_000,
    concurrency: 4,
    maxWaiting: 10,
    now: () => time,
    schedule: (ms, callback) => {
      const timer = { at: time + ms, callback };
      timers.add(timer);
      return { cancel: () => void timers.delete(timer) };
    },
    random: () => 0.5,
    ...changes,
  });
  return {
    ask,
    calls,
    timers,
    pass: async (ms: number): Promise<void> => {
      const end = time + ms;
      for (;;) {
        // What was begun gets to its next wait first.
        await setImmediate();
        const next = [...timers].toSorted((one, other) => one.at - other.at)[0];
        if (next === undefined || next.at > end) break;
        timers.delete(next);
        time = next.at;
        next.callback();
      }
      time = end;
    },
  };
}

/** `notRevoked`, the entities, or the reason with its sentence. */
async function codeOf(answered: Promise<Answered>): Promise<string> {
  const { answer } = await answered;
  if (answer.kind === "revoked") return answer.entities.join();
  return answer.kind === "unknown" ? `${answer.reason}: ${answer.sentence}` : answer.kind;
}

const LATE = "REVOCATION_UNKNOWN: AWS Signer did not answer within 1000 ms";

test("an empty list is not revoked, a list is revoked, no list is unknown", async () => {
  const answers: Record<string, readonly string[] | undefined> = { good: [], bad: ["arn:bad"] };
  const { ask, pass } = fixture(({ key }) => Promise.resolve(answers[key]));
  assert.equal(await codeOf(ask.ask(question("good"), never)), "notRevoked");
  assert.equal(await codeOf(ask.ask(question("bad"), never)), "arn:bad");
  const none = codeOf(ask.ask(question("none"), never));
  await pass(1000);
  assert.equal(await none, "REVOCATION_UNKNOWN: AWS Signer gave an answer that cannot be read");
});

test("equal questions at once are one call, and one within the time that an answer is fresh is none", async () => {
  const { ask, calls, pass } = fixture(() => Promise.resolve([]));
  await Promise.all([1, 2, 3].map(() => ask.ask(question("a"), never)));
  await pass(59_999);
  await ask.ask(question("a"), never);
  assert.deepEqual(calls, ["a"]);
  await pass(1);
  await ask.ask(question("a"), never);
  await ask.askAgain(question("a"), never);
  assert.deepEqual(calls, ["a", "a", "a"]);
});

test("what Signer did not say is not remembered", async () => {
  const { ask, calls } = fixture(() => Promise.reject(sdkError("AccessDeniedException", 403)));
  const denied = "SIGNER_DENIED: AWS Signer answered AccessDeniedException: words";
  assert.equal(await codeOf(ask.ask(question("a"), never)), denied);
  assert.equal(await codeOf(ask.ask(question("a"), never)), denied);
  assert.deepEqual(calls, ["a", "a"]);
});

test("an answer counts from when it was asked for", async () => {
  const { promise, resolve } = Promise.withResolvers<readonly string[]>();
  const { ask, pass } = fixture(() => promise);
  const answered = ask.ask(question("a"), never);
  await pass(500);
  resolve([]);
  assert.equal((await answered).askedAt, 0);
});

test("a caller who hangs up leaves the question to the others", async () => {
  const { promise, resolve } = Promise.withResolvers<readonly string[]>();
  const { ask, calls } = fixture(() => promise);
  const caller = new AbortController();
  const first = ask.ask(question("a"), caller.signal);
  const second = ask.ask(question("a"), never);
  caller.abort(new Error("gone"));
  await assert.rejects(first, { message: "gone" });
  resolve([]);
  assert.equal(await codeOf(second), "notRevoked");
  assert.deepEqual(calls, ["a"]);
});

test("T-67 a Signer that is silent is unknown after the time of a call", async () => {
  const { ask, pass, timers } = fixture(silent);
  const answered = codeOf(ask.ask(question("a"), never));
  await pass(1000);
  assert.equal(await answered, LATE);
  assert.equal(timers.size, 0);
});

test("T-67 a call that looks at no signal is given up all the same", async () => {
  const { ask, pass } = fixture(() => new Promise(() => undefined));
  const answered = codeOf(ask.ask(question("a"), never));
  await pass(1000);
  assert.equal(await answered, LATE);
});

for (const [name, error] of [
  ["was reset", reset()],
  ["was throttled", sdkError("TooManyRequestsException", 429)],
  ["met an error of Signer's", sdkError("InternalServiceErrorException", 500)],
] as const) {
  test(`F-13 a call that ${name} is made once more`, async () => {
    let attempts = 0;
    const { ask, calls, pass } = fixture(() => {
      attempts += 1;
      return attempts === 1 ? Promise.reject(error) : Promise.resolve([]);
    });
    const answered = codeOf(ask.ask(question("a"), never));
    await pass(100);
    assert.equal(await answered, "notRevoked");
    assert.deepEqual(calls, ["a", "a"]);
  });
}

test("F-13 a Signer that goes on throttling is unknown after two calls", async () => {
  const { ask, calls, pass } = fixture(() =>
    Promise.reject(sdkError("TooManyRequestsException", 429)),
  );
  const answered = codeOf(ask.ask(question("a"), never));
  await pass(100);
  assert.equal(
    await answered,
    "REVOCATION_UNKNOWN: AWS Signer answered TooManyRequestsException: words",
  );
  assert.equal(calls.length, 2);
});

test("T-13 a Signer that fails is left alone for a while, then tried with one question", async () => {
  let isUp = false;
  const { ask, calls, pass } = fixture(
    (about, signal) => (isUp ? Promise.resolve([]) : silent(about, signal)),
    { concurrency: 5 },
  );
  const first = [1, 2, 3, 4, 5].map((index) => codeOf(ask.ask(question(`q${index}`), never)));
  await pass(2500);
  await Promise.all(first);
  const before = calls.length;
  assert.equal(await codeOf(ask.ask(question("late"), never)), LATE);
  assert.equal(calls.length, before, "nobody is asked while it is left alone");
  await pass(2000);
  isUp = true;
  const probes = ["x", "y"].map((key) => codeOf(ask.ask(question(key), never)));
  assert.deepEqual(await Promise.all(probes), ["notRevoked", LATE]);
  assert.equal(await codeOf(ask.ask(question("z"), never)), "notRevoked");
});

test("T-13 a region whose Signer is silent holds up no other region", async () => {
  const { ask, pass } = fixture((about, signal) =>
    about.region === "us-east-1" ? silent(about, signal) : Promise.resolve([]),
  );
  const hanging = Array.from({ length: 14 }, (_, index) =>
    codeOf(ask.ask(question(`q${index}`), never)),
  );
  assert.equal(await codeOf(ask.ask(question("a", "eu-west-1"), never)), "notRevoked");
  await pass(3000);
  await Promise.all(hanging);
});

test("more questions than may wait are answered at once", async () => {
  const { ask, pass } = fixture(silent, { concurrency: 1, maxWaiting: 1 });
  const waiting = ["a", "b"].map((key) => codeOf(ask.ask(question(key), never)));
  assert.equal(
    await codeOf(ask.ask(question("c"), never)),
    "REVOCATION_UNKNOWN: too many questions wait for AWS Signer",
  );
  await pass(5000);
  assert.deepEqual(await Promise.all(waiting), [
    LATE,
    "REVOCATION_UNKNOWN: AWS Signer did not answer within 1500 ms",
  ]);
});

test("a signature of another partition than the credentials' is unknown, and nobody is asked", async () => {
  const { ask, calls } = fixture(() => Promise.resolve([]), { partition: "aws" });
  assert.match(
    await codeOf(ask.ask(question("a", "cn-north-1"), never)),
    /^REVOCATION_UNKNOWN: .*aws-cn/,
  );
  assert.deepEqual(calls, []);
});

test("a refusal that may come of another partition says whose the signature is", async () => {
  const { ask } = fixture(() => Promise.reject(sdkError("ValidationException", 400)));
  assert.match(
    await codeOf(ask.ask(question("a", "cn-north-1"), never)),
    /^REVOCATION_UNKNOWN: AWS Signer answered ValidationException: words \(the signature is of partition aws-cn\)$/,
  );
});

test("a Signer that takes its time of late is slow, and no longer when it is quick again", async () => {
  let answer = Promise.withResolvers<readonly string[]>();
  const { ask, pass } = fixture(() => answer.promise, { freshMs: 0 });
  const first = ask.ask(question("a"), never);
  await pass(900);
  answer.resolve([]);
  await first;
  assert.equal(ask.isSlow("us-east-1"), true);
  answer = Promise.withResolvers();
  answer.resolve([]);
  for (let index = 0; index < 8; index += 1) await ask.ask(question(`b${index}`), never);
  assert.equal(ask.isSlow("us-east-1"), false);
});

test("a Signer that nobody has heard of yet is slow, and so is one that lets a question wait", async () => {
  let isUp = true;
  const { ask, pass } = fixture((about, signal) =>
    isUp ? Promise.resolve([]) : silent(about, signal),
  );
  assert.equal(ask.isSlow("us-east-1"), true);
  await ask.ask(question("a"), never);
  assert.equal(ask.isSlow("us-east-1"), false);
  isUp = false;
  const waiting = ask.ask(question("b"), never);
  assert.equal(ask.isSlow("us-east-1"), false);
  await pass(200);
  assert.equal(ask.isSlow("us-east-1"), true);
  assert.equal(ask.isSlow("eu-west-1"), true);
  await pass(2000);
  await waiting;
});
