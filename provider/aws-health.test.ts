import assert from "node:assert/strict";
import { test } from "node:test";
import { createAwsHealth } from "./aws-health.ts";
import type { AwsEvent } from "./aws/aws.ts";
import type { AwsFailure } from "./aws/failure.ts";
import type { SignerEvent } from "./signer/ask.ts";

const DENIED: AwsFailure = {
  failure: "denied",
  sentence: "AWS refused ecr:GetAuthorizationToken: allow it",
  words: "AccessDeniedException: User: arn:aws:iam::111122223333:user/provider",
};
const THROTTLED: AwsFailure = { failure: "throttled", sentence: "ECR asked for fewer requests" };
const MISSING: AwsFailure = { failure: "missing", sentence: "there are no AWS credentials" };

/** A token for eu-west-1, unless a test says otherwise. */
const token = (failure?: AwsFailure, region = "eu-west-1"): AwsEvent => ({
  service: "ecr",
  operation: "token",
  region,
  durationMs: 1,
  outcome: failure?.failure ?? "ok",
  ...(failure !== undefined && { failure }),
});
const own = (failure?: AwsFailure): AwsEvent => ({
  service: "credentials",
  operation: "own",
  source: "webIdentity",
  durationMs: 1,
  outcome: failure?.failure ?? "ok",
  ...(failure !== undefined && { failure }),
});
const signer = (outcome: SignerEvent["outcome"]): SignerEvent => ({
  service: "signer",
  operation: "revocation",
  region: "eu-west-1",
  durationMs: 1,
  outcome,
  ...(outcome === "denied" && {
    failure: { kind: "unknown", reason: "SIGNER_DENIED", sentence: "denied", remedy: "allow it" },
  }),
  ...(outcome === "unknown" && {
    failure: { kind: "unknown", reason: "REVOCATION_UNKNOWN", sentence: "no answer" },
  }),
});

function fixture() {
  const lines: (readonly [string, string, unknown])[] = [];
  const clock = { ms: 0 };
  const write = (level: string) => (message: string, fields?: unknown) =>
    void lines.push([level, message, fields]);
  const health = createAwsHealth(
    { info: write("info"), warn: write("warn"), error: write("error") },
    () => clock.ms,
  );
  return { lines, clock, health, levels: () => lines.map(([level]) => level).join(" ") };
}

test("F-15 what fails is a line, once, with AWS's words and what to do, and so is that it works again", () => {
  const { lines, health } = fixture();
  for (const event of [token(), token(DENIED), token(DENIED), token(), token()]) {
    health.observe(event);
  }
  const place = { service: "ecr", operation: "token", region: "eu-west-1" };
  assert.deepEqual(lines, [
    [
      "error",
      "AWS cannot be asked",
      { ...place, reason: "denied", problem: DENIED.sentence, words: DENIED.words },
    ],
    ["info", "AWS can be asked again", place],
  ]);
});

test("F-13 a permission that AWS Signer asks for is named with what to do", () => {
  const { lines, health } = fixture();
  health.observe(signer("denied"));
  const [, , fields] = lines[0] ?? [];
  assert.deepEqual(fields, {
    service: "signer",
    operation: "revocation",
    region: "eu-west-1",
    reason: "denied",
    problem: "denied",
    remedy: "allow it",
  });
});

test("each region and each role is told of by itself", () => {
  const { health, levels } = fixture();
  for (const event of [token(DENIED), token(DENIED, "eu-north-1"), token(), own(MISSING)]) {
    health.observe(event);
  }
  assert.equal(levels(), "error error info error");
  assert.deepEqual(
    health.failing().map(({ service, region }) => [service, region]),
    [
      ["ecr", "eu-north-1"],
      ["credentials", undefined],
    ],
  );
});

test("tokens that are wanting because credentials are say nothing new, and fail all the same", () => {
  const { health, levels } = fixture();
  for (const event of [own(MISSING), token(MISSING), token(MISSING, "eu-north-1")]) {
    health.observe(event);
  }
  assert.equal(levels(), "error");
  assert.equal(health.failing().length, 3);
});

test("a failure that becomes a denial is told anew", () => {
  const { health, levels } = fixture();
  for (const event of [token(THROTTLED), token(DENIED), token(DENIED)]) health.observe(event);
  assert.equal(levels(), "error error");
});

test("of questions about images that fail now and then one line is written, until a minute passes without", () => {
  const { clock, health, levels } = fixture();
  for (let count = 0; count < 100; count += 1) {
    health.observe(signer(count % 2 === 0 ? "unknown" : "ok"));
    clock.ms += 10_000;
  }
  assert.equal(levels(), "error");
  clock.ms += 60_000;
  health.observe(signer("ok"));
  assert.equal(levels(), "error info");
});

test("a permission that was granted is told at once", () => {
  const { health, levels } = fixture();
  for (const event of [signer("denied"), signer("revoked")]) health.observe(event);
  assert.equal(levels(), "error info");
  assert.deepEqual(health.failing(), []);
});

test("signing status, which may be denied on purpose, is a warning", () => {
  const { health, levels } = fixture();
  health.observe({ ...token(DENIED), service: "ecr", operation: "signingStatus", region: "a" });
  assert.equal(levels(), "warn");
});
