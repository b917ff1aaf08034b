import assert from "node:assert/strict";
import { test } from "node:test";
import type { Check } from "./http/admin.ts";
import { announceChanges, readinessOf, type ReadinessSources } from "./readiness.ts";

const DAY = 24 * 3_600_000;
const inDays = (days: number): Date => new Date(Date.now() + days * DAY);

/** A provider that is ready, but for what a test says. */
const checksOf = (change: Partial<ReadinessSources> = {}): readonly Check[] =>
  readinessOf({
    isDraining: () => false,
    certificates: () => ({ notBefore: inDays(-1), notAfter: inDays(90), problem: undefined }),
    notation: {
      state: () => ({ version: "1.3.2", problem: undefined }),
      check: () => assert.fail("a Notation that can be used is asked nothing"),
    },
    trust: { states: () => [{ name: "default", state: "current", problems: [] }] },
    aws: { credentials: () => [], tokens: () => [] },
    awsHealth: { failing: () => [] },
    ...change,
  });
const failed = (checks: readonly Check[]): readonly string[] =>
  checks.filter(({ ok }) => !ok).map(({ name }) => name);
const detailOf = (checks: readonly Check[], name: string): string | undefined =>
  checks.find((check) => check.name === name)?.detail;
const certificates = (notBefore: Date, notAfter: Date, problem?: string) => () => ({
  notBefore,
  notAfter,
  problem,
});

test("what is well is ready, and only Notation and the policies say more", () =>
  assert.deepEqual(checksOf(), [
    { name: "serving", ok: true },
    { name: "certificate", ok: true },
    { name: "notation", ok: true, detail: "version 1.3.2" },
    { name: "trust", ok: true },
    { name: "trust/default", ok: true, detail: "current" },
  ]));

test("F-33 a provider that drains is not ready", () =>
  assert.deepEqual(failed(checksOf({ isDraining: () => true })), ["serving"]));

for (const { name, state, want } of [
  { name: "lasts", state: certificates(inDays(-1), inDays(8)), want: undefined },
  { name: "ends within a week", state: certificates(inDays(-1), inDays(6)), want: /^ends / },
  { name: "has ended", state: certificates(inDays(-2), inDays(-1)), want: /^ended / },
  { name: "has not begun", state: certificates(inDays(1), inDays(90)), want: /^begins / },
  {
    name: "could not be replaced",
    state: certificates(inDays(-1), inDays(90), "the key is another's"),
    want: /^the key is another's$/,
  },
]) {
  test(`F-31 a serving certificate that ${name} leaves it ready, and is ${want === undefined ? "not " : ""}named`, () => {
    const checks = checksOf({ certificates: state });
    assert.deepEqual(failed(checks), []);
    if (want === undefined) assert.equal(detailOf(checks, "certificate"), undefined);
    else assert.match(detailOf(checks, "certificate") ?? "", want);
  });
}

for (const { name, state, want } of [
  { name: "as they should be", state: { ageMs: 30_000 }, want: undefined },
  { name: "not read for long", state: { ageMs: 120_001 }, want: /two minutes/ },
  { name: "never read", state: {}, want: /two minutes/ },
  {
    name: "not to be written",
    state: { ageMs: 0, problem: "secret_write: Forbidden" },
    want: /^secret_write: Forbidden$/,
  },
]) {
  test(`F-42 certificates of its own that are ${name} leave it ready, and are ${want === undefined ? "not " : ""}named`, () => {
    const own = { authorityEnds: undefined, ageMs: undefined, problem: undefined, ...state };
    const checks = checksOf({ ownCertificates: () => own });
    assert.deepEqual(failed(checks), []);
    if (want === undefined) assert.equal(detailOf(checks, "certificates"), undefined);
    else assert.match(detailOf(checks, "certificates") ?? "", want);
  });
}

test("T-04 F-20 a Notation that cannot be used is not ready with its reason, and is asked again", () => {
  let asked = 0;
  const state = { version: undefined, problem: "version 1.2.0 is too old" };
  const checks = checksOf({
    notation: {
      state: () => state,
      check: async () => {
        asked += 1;
        return state;
      },
    },
  });
  assert.deepEqual(failed(checks), ["notation"]);
  assert.equal(detailOf(checks, "notation"), "version 1.2.0 is too old");
  assert.equal(asked, 1);
});

const problem = { severity: "error", path: "trustpolicy.json", message: "is no JSON" } as const;
for (const { name, states, want } of [
  { name: "no policy at all", states: [], want: ["trust"] },
  {
    name: "no policy that was ever good",
    states: [{ name: "default", state: "never", problems: [problem] }],
    want: ["trust"],
  },
  {
    name: "a policy that is stale",
    states: [{ name: "default", state: "stale", problems: [problem] }],
    want: [],
  },
  {
    name: "one good policy beside one that never was",
    states: [
      { name: "default", state: "never", problems: [problem] },
      { name: "prod", state: "current", problems: [] },
    ],
    want: [],
  },
] as const) {
  test(`F-44 ${name} is ${want.length === 0 ? "ready" : "not ready"}`, () =>
    assert.deepEqual(failed(checksOf({ trust: { states: () => states } })), want));
}

test("F-44 a policy that was refused is named with its first error", () => {
  const problems = [{ ...problem, severity: "warning", message: "is odd" } as const, problem];
  const states = () => [{ name: "default", state: "stale" as const, problems }];
  assert.equal(
    detailOf(checksOf({ trust: { states } }), "trust/default"),
    "stale: trustpolicy.json: is no JSON",
  );
});

const NO_ROLE = { failure: "missing", sentence: "there are no AWS credentials" } as const;
const held = [
  {
    name: "a token that is held",
    token: { region: "eu-west-1", leftMs: 3_600_000 },
    want: ["aws/token/eu-west-1", "ends in 60 min"],
  },
  {
    name: "a token that nobody could renew yet",
    token: { region: "eu-west-1", leftMs: 3_600_000, why: NO_ROLE },
    want: ["aws/token/eu-west-1", "failing, ends in 60 min: there are no AWS credentials"],
  },
  {
    name: "a token that could not be had",
    token: { region: "eu-west-1", role: "arn:aws:iam::111122223333:role/a", why: NO_ROLE },
    want: [
      "aws/token/eu-west-1/arn:aws:iam::111122223333:role/a",
      "failing: there are no AWS credentials",
    ],
  },
  {
    name: "a token that is on its way",
    token: { region: "eu-west-1" },
    want: ["aws/token/eu-west-1", "is being fetched"],
  },
];
for (const { name, token, want } of held) {
  test(`F-15 ${name} leaves a replica ready, and is named`, () => {
    const checks = checksOf({ aws: { credentials: () => [], tokens: () => [token] } });
    assert.deepEqual(failed(checks), []);
    const last = checks.at(-1);
    assert.deepEqual([last?.name, last?.detail], want);
  });
}

test("F-16 credentials are named with their source, and keys that do not end as such", () => {
  const state = { source: "environment", leftMs: Infinity } as const;
  const checks = checksOf({ aws: { credentials: () => [state], tokens: () => [] } });
  assert.equal(detailOf(checks, "aws/credentials"), "environment, does not end");
});

test("F-13 an AWS Signer that may not be asked is named, and leaves a replica ready", () => {
  const failing = {
    service: "signer",
    operation: "revocation",
    region: "eu-west-1",
    sentence: "denied",
  } as const;
  const checks = checksOf({ awsHealth: { failing: () => [failing] } });
  assert.deepEqual(failed(checks), []);
  assert.equal(detailOf(checks, "aws/signer/revocation/eu-west-1"), "failing: denied");
});

test("of a thousand tokens those that fail are named, and the page stays short", () => {
  const tokens = [
    ...Array.from({ length: 1000 }, () => ({ region: "eu-west-1", leftMs: 1 })),
    { region: "eu-north-1", why: NO_ROLE },
  ];
  const checks = checksOf({ aws: { credentials: () => [], tokens: () => tokens } });
  assert.match(detailOf(checks, "aws/token/eu-north-1") ?? "", /^failing/);
  assert.ok(checks.length < 100);
});

test("a line is written at the first look and when readiness changes, and none when it does not", () => {
  const lines: unknown[] = [];
  const log = {
    info: (...line: readonly unknown[]) => void lines.push(line),
    warn: (...line: readonly unknown[]) => void lines.push(line),
  };
  const fields = { url: "https://a", admin: "http://b" };
  let found: readonly Check[] = [{ name: "notation", ok: true }];
  const look = announceChanges(() => found, log, fields);
  look();
  found = [{ name: "notation", ok: false, detail: "the binary is missing" }];
  assert.equal(look(), found);
  look();
  found = [{ name: "notation", ok: true }];
  look();
  look();
  assert.deepEqual(lines, [
    ["ready", fields],
    ["not ready", { reason: "notation", problem: "the binary is missing" }],
    ["ready", fields],
  ]);
});
