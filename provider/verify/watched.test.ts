import assert from "node:assert/strict";
import { test } from "node:test";
import { candidate, codeOf, createWorld, D1, PASSED } from "../../testing/verify/world.ts";
import type { Asked } from "../notation/judgement.ts";
import { rejected, undecided } from "../verdict/verdict.ts";

const IMAGE = `r.io/a@${D1}`;

/** What AWS Signer was asked for one verdict. */
const asked: Asked = {
  question: {
    key: "question",
    partition: "aws",
    region: "eu-west-1",
    profileVersionArn: "arn:profile",
    jobArn: "arn:job",
    signatureTimestamp: 0,
    certificateHashes: [],
  },
  askedAt: 0,
};

/** A world whose verdicts rest on AWS Signer. */
function setUp({ maxVerdicts = 1000 } = {}) {
  const world = createWorld({ maxVerdicts });
  const held = new Map<string, Asked>();
  world.parts.judge = async () => ({ ...PASSED, asked });
  world.parts.hold = (about, cacheKey) => {
    held.set(cacheKey, about);
    return () => void held.delete(cacheKey);
  };
  return { ...world, held };
}

test("T-13 what a cached verdict rests on is watched, and a verdict that is forgotten is reached anew", async () => {
  const { ask, calls, held, parts, verifier } = setUp();
  assert.equal(codeOf((await ask(IMAGE)).verdict), "verified");
  assert.deepEqual([...held.values()], [asked]);
  assert.equal(codeOf((await ask(IMAGE)).verdict), "verified");
  assert.equal(calls.judge, 1);
  parts.judge = async () => rejected("REVOKED", "arn:job");
  verifier.forget([...held.keys()]);
  assert.equal(held.size, 0);
  assert.equal(codeOf((await ask(IMAGE)).verdict), "REVOKED");
  assert.equal(held.size, 0);
});

test("a verdict that cannot be watched lives no longer than the interval", async () => {
  const { ask, calls, parts, time } = setUp();
  parts.hold = () => undefined;
  await ask(IMAGE);
  time.pass(60_001);
  await ask(IMAGE);
  assert.equal(calls.judge, 2);
});

test("what verdicts rested on is let go of when they have outlived their lives", async () => {
  const { ask, held, time } = setUp();
  await ask(IMAGE);
  time.pass(300_001);
  await ask(`${IMAGE}?level=strict`);
  assert.equal(held.size, 1);
});

test("what verdicts rested on is let go of when they make room for others, and watched again when they are reached anew", async () => {
  const { ask, calls, held } = setUp({ maxVerdicts: 4 });
  const images = Array.from({ length: 40 }, (_, index) => `r.io/a${index}@${D1}`);
  for (const image of images) await ask(image);
  const [first = "", last = ""] = [images.at(0), images.at(-1)];
  const isWatched = (image: string): boolean =>
    held.keys().some((cacheKey) => cacheKey.startsWith(`${image}\n`));
  assert.ok(held.size <= 4, `${held.size} are watched`);
  assert.deepEqual([isWatched(first), isWatched(last)], [false, true]);
  await ask(last);
  assert.equal(calls.judge, images.length);
  await ask(first);
  assert.equal(calls.judge, images.length + 1);
  assert.ok(isWatched(first));
});

test("a verdict that rests on nobody's answer is not watched", async () => {
  const { ask, held, parts } = setUp();
  parts.judge = async () => PASSED;
  await ask(IMAGE);
  assert.equal(held.size, 0);
});

test("an image without a signature is what its registry says, and unsigned otherwise", async () => {
  const { ask, parts, signatures, time } = setUp();
  signatures.set(IMAGE, []);
  parts.whyUnsigned = undecided("SIGNING_IN_PROGRESS", "ECR is at it");
  assert.equal(codeOf((await ask(IMAGE)).verdict), "SIGNING_IN_PROGRESS");
  parts.whyUnsigned = undefined;
  assert.equal(codeOf((await ask(IMAGE)).verdict), "UNSIGNED");
  signatures.set(IMAGE, [candidate("late")]);
  time.pass(30_001);
  assert.equal(codeOf((await ask(IMAGE)).verdict), "verified");
});
