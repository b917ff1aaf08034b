import assert from "node:assert/strict";
import { test } from "node:test";
import type { Candidate, Evidence } from "../evidence/evidence.ts";
import { digestOf, type Digest } from "../image/digest.ts";
import type { Schedule } from "../lib/deadline.ts";
import type { Judgement, Question } from "../notation/judgement.ts";
import type { Statement, TrustSnapshot } from "../trust/trust.ts";
import { rejected, undecided, type Level, type Refusal, type Verdict } from "../verdict/verdict.ts";
import type { Decision } from "./decision.ts";
import { createVerifier, type VerifierEvent } from "./verifier.ts";

const D1 = digestOf("one");
const D2 = digestOf("two");
const never = new AbortController().signal;

/** A clock and timers that move only when a test moves them. */
function createTime() {
  const timers = new Set<{ at: number; callback: () => void }>();
  const time = { now: 0 };
  const schedule: Schedule = (ms, callback) => {
    const timer = { at: time.now + ms, callback };
    timers.add(timer);
    return { cancel: () => timers.delete(timer) };
  };
  const pass = (ms: number): void => {
    time.now += ms;
    for (const timer of [...timers].filter(({ at }) => at <= time.now)) {
      timers.delete(timer);
      timer.callback();
    }
  };
  return { now: () => time.now, schedule, pass, timers };
}

function statement(name: string, level: Level): Statement {
  const action = level === "skip" ? "skip" : "enforce";
  return {
    name,
    level,
    registryScopes: ["*"],
    trustStores: [],
    trustedIdentities: [],
    actions: () => ({
      integrity: action,
      authenticity: action,
      authenticTimestamp: action,
      expiry: action,
      revocation: action,
    }),
  };
}

function snapshot(name: string, epoch: string, level: Level = "strict"): TrustSnapshot {
  const only = statement("all", level);
  return {
    name,
    epoch,
    statement: (scope) => (scope.startsWith("r.io/untrusted") ? undefined : only),
    open: () => ({ path: "/nowhere", [Symbol.dispose]: () => undefined }),
  };
}

const candidate = (name: string): Candidate => ({
  kind: "envelope",
  signature: digestOf(name),
  mediaType: "application/jose+json",
  bytes: Buffer.from(name),
  claims: { signer: { scheme: "notary.x509", subject: `CN=${name}` } },
});

/** One verifier over a registry, a Notation and trust policies that a test can change at will. */
function setUp({ maxWaiting = 1000, concurrency = 100 } = {}) {
  const time = createTime();
  const policies = new Map<string, TrustSnapshot | "never">([
    ["default", snapshot("default", "e1")],
  ]);
  const tags = new Map<string, Digest>([["r.io/a:v1", D1]]);
  const signatures = new Map<string, readonly Candidate[]>();
  const world = {
    version: "1.3.2" as string | undefined,
    /** Decides what Notation says; the default verifies everything. */
    judge: async (_question: Question, _signal: AbortSignal): Promise<Judgement> => ({
      kind: "passed",
      warnings: [],
    }),
    /** What the registry says instead of resolving or collecting. */
    failure: undefined as Refusal | undefined,
    listed: undefined as number | undefined,
  };
  const calls = { subject: 0, collect: 0, judge: 0 };
  const events: VerifierEvent[] = [];
  const verifier = createVerifier({
    trust: { policy: (name) => policies.get(name) },
    registry: {
      allows: (host) => ["r.io", "other.example"].includes(host),
      subject: async ({ registry, repository }, name) => {
        calls.subject += 1;
        if (world.failure !== undefined) return world.failure;
        const digest = tags.get(`${registry}/${repository}:${name}`);
        if (digest === undefined) return rejected("IMAGE_NOT_FOUND", "no such tag");
        return { mediaType: "application/vnd.oci.image.manifest.v1+json", digest, size: 10 };
      },
    },
    collect: async ({ registry, repository }, digest): Promise<Evidence | Refusal> => {
      calls.collect += 1;
      if (world.failure !== undefined) return world.failure;
      const name = `${registry}/${repository}@${digest}`;
      const candidates = signatures.get(name) ?? [candidate("good")];
      return {
        subject: { mediaType: "application/vnd.oci.image.manifest.v1+json", digest, size: 10 },
        candidates,
        listed: world.listed ?? candidates.length,
      };
    },
    judge: async (question, signal) => {
      calls.judge += 1;
      return await world.judge(question, signal);
    },
    notation: () => ({ version: world.version, problem: undefined }),
    limits: { deadlineMs: 1800, workDeadlineMs: 10_000, maxWaiting, concurrency },
    lives: { verifiedMs: 300_000, rejectedMs: 30_000, tagMs: 5000 },
    cache: { maxVerdicts: 1000, maxBytes: 1_000_000, maxTags: 1000 },
    keepTag: true,
    now: time.now,
    schedule: time.schedule,
    observe: (event) => events.push(event),
  });
  const ask = async (key: string): Promise<Decision> => {
    const [decision] = await verifier.decide([key], never);
    assert.ok(decision);
    return decision;
  };
  return { verifier, time, policies, tags, signatures, world, calls, events, ask };
}

/** Everything that is runnable has run: promises only, no time passes. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

const codeOf = (verdict: Verdict): string =>
  verdict.kind === "rejected" || verdict.kind === "undecided" ? verdict.reason : verdict.kind;

const factsOf = (verdict: Verdict) => {
  assert.ok(verdict.kind === "verified" || verdict.kind === "skipped", codeOf(verdict));
  return verdict.facts;
};

/** A judgement that a test releases. */
function held() {
  const { promise, resolve } = Promise.withResolvers<Judgement>();
  return {
    judge: async () => await promise,
    release: (judgement: Judgement) => resolve(judgement),
  };
}
const PASSED: Judgement = { kind: "passed", warnings: [] };

test("T-01 a tag moved after a positive verdict is judged by its new digest once the tag map's life is over", async () => {
  const { ask, tags, signatures, time, calls } = setUp();
  signatures.set(`r.io/a@${D2}`, []);
  assert.equal(factsOf((await ask("r.io/a:v1")).verdict).digest, D1);
  tags.set("r.io/a:v1", D2);
  assert.equal(factsOf((await ask("r.io/a:v1")).verdict).digest, D1);
  time.pass(5000);
  assert.equal(codeOf((await ask("r.io/a:v1")).verdict), "UNSIGNED");
  assert.deepEqual(calls, { subject: 2, collect: 2, judge: 1 });
});

test("T-02 a tag is resolved once for a verdict, and the digest judged is the digest said", async () => {
  const { ask, calls, world } = setUp();
  let judged: string | undefined;
  world.judge = async ({ subject }) => {
    judged = subject.digest;
    return PASSED;
  };
  const { verdict, digest } = await ask("r.io/a:v1");
  assert.deepEqual([factsOf(verdict).digest, factsOf(verdict).image], [judged, `r.io/a@${judged}`]);
  assert.equal(digest, judged);
  assert.equal(calls.subject, 1);
});

test("T-19 a digest verified in one repository is judged anew in another", async () => {
  const { ask, signatures, calls } = setUp();
  signatures.set(`r.io/b@${D1}`, []);
  assert.equal(codeOf((await ask(`r.io/a@${D1}`)).verdict), "verified");
  assert.equal(codeOf((await ask(`r.io/b@${D1}`)).verdict), "UNSIGNED");
  assert.equal(calls.collect, 2);
});

test("T-27 a verdict of one level or policy answers no other, in either order", async () => {
  const { ask, policies, world, calls } = setUp();
  policies.set("prod", snapshot("prod", "e1"));
  world.judge = async ({ level }) =>
    level === "audit" ? PASSED : rejected("UNTRUSTED_SIGNER", "nobody we know");
  const image = `r.io/a@${D1}`;
  const keys = [`${image}?level=audit`, `${image}?level=strict`, image, `${image}?policy=prod`];
  const codes: string[] = [];
  for (const key of [...keys, ...keys.toReversed()]) codes.push(codeOf((await ask(key)).verdict));
  const first = ["verified", "UNTRUSTED_SIGNER", "UNTRUSTED_SIGNER", "UNTRUSTED_SIGNER"];
  assert.deepEqual(codes, [...first, ...first.toReversed()]);
  assert.equal(calls.judge, 4);
});

test("200 callers at once with the same new key cost one verification", async () => {
  const { verifier, world, calls } = setUp();
  const gate = held();
  world.judge = gate.judge;
  const asked = Array.from(
    { length: 200 },
    async () => await verifier.decide(["r.io/a:v1"], never),
  );
  await settle();
  gate.release(PASSED);
  const verdicts = (await Promise.all(asked)).map(([decision]) => decision?.verdict.kind);
  assert.deepEqual(new Set(verdicts), new Set(["verified"]));
  assert.deepEqual(calls, { subject: 1, collect: 1, judge: 1 });
});

test("T-22 a first caller who hangs up spoils the work for nobody, and it fills the cache", async () => {
  const { verifier, world, calls, ask } = setUp();
  const gate = held();
  world.judge = gate.judge;
  const caller = new AbortController();
  const leader = verifier.decide([`r.io/a@${D1}`], caller.signal);
  const follower = verifier.decide([`r.io/a@${D1}`], never);
  await settle();
  caller.abort();
  assert.equal(codeOf((await leader)[0]?.verdict ?? assert.fail()), "TIMEOUT");
  gate.release(PASSED);
  assert.equal((await follower)[0]?.verdict.kind, "verified");
  assert.equal((await ask(`r.io/a@${D1}`)).cache, "hit");
  assert.equal(calls.judge, 1);
});

test("F-01 at the deadline late keys are TIMEOUT, the others decided, and the late result answers the retry", async () => {
  const { verifier, world, time, ask } = setUp();
  const gate = held();
  world.judge = async ({ subject }) => (subject.digest === D2 ? await gate.judge() : PASSED);
  const asked = verifier.decide([`r.io/a@${D1}`, `r.io/a@${D2}`], never);
  await settle();
  time.pass(1800);
  assert.deepEqual(
    (await asked).map(({ verdict }) => codeOf(verdict)),
    ["verified", "TIMEOUT"],
  );
  gate.release(PASSED);
  await settle();
  assert.equal((await ask(`r.io/a@${D2}`)).cache, "hit");
});

test("T-13 of many images at once those that were begun are finished first, and another registry has its own places", async () => {
  const { verifier, world, calls } = setUp({ concurrency: 2 });
  const gate = held();
  world.judge = async ({ repository }) =>
    repository.registry === "r.io" ? await gate.judge() : PASSED;
  const cold = Array.from({ length: 10 }, (_, index) => `r.io/cold-${index}@${D1}`);
  const asked = verifier.decide(cold, never);
  await settle();
  assert.deepEqual([calls.collect, calls.judge], [2, 2]);
  const [other] = await verifier.decide([`other.example/a@${D1}`], never);
  assert.equal(other?.verdict.kind, "verified");
  gate.release(PASSED);
  assert.equal((await asked).length, 10);
});

test("work that waited for its turn until its deadline is never begun", async () => {
  const { verifier, world, calls, time } = setUp({ concurrency: 1 });
  world.judge = held().judge;
  void verifier.decide([`r.io/a@${D1}`, `r.io/b@${D1}`], never);
  await settle();
  time.pass(10_000);
  await settle();
  assert.equal(calls.collect, 1);
});

test("work has a deadline of its own, after which it is TIMEOUT and not kept", async () => {
  const { verifier, world, time, ask, calls } = setUp();
  world.judge = async (_question, signal) =>
    await new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(new Error("ended")));
    });
  void verifier.decide([`r.io/a@${D1}`], never);
  await settle();
  time.pass(10_000);
  await settle();
  assert.equal(verifier.stats().underWay, 0);
  world.judge = async () => PASSED;
  assert.equal((await ask(`r.io/a@${D1}`)).verdict.kind, "verified");
  assert.equal(calls.judge, 2);
});

test("no timer is left when all is answered", async () => {
  const { ask, time } = setUp();
  await ask("r.io/a:v1");
  assert.equal(time.timers.size, 0);
});

test("F-38 T-21 one key 500 times is one verification and one decision, in the request's order", async () => {
  const { verifier, calls } = setUp();
  const keys = [
    ...Array<string>(500).fill(`r.io/a@${D1}`),
    "bad key",
    `r.io/a@${D1}`,
    `r.io/b@${D1}`,
  ];
  const decisions = await verifier.decide(keys, never);
  assert.deepEqual(
    decisions.map(({ key }) => key),
    [`r.io/a@${D1}`, "bad key", `r.io/b@${D1}`],
  );
  assert.equal(calls.judge, 2);
});

test("F-36 beyond the bound on waiting keys the rest is OVERLOADED at once; cached keys are answered", async () => {
  const { verifier, world, ask } = setUp({ maxWaiting: 3 });
  await ask(`r.io/hot@${D1}`);
  const gate = held();
  world.judge = gate.judge;
  const cold = Array.from({ length: 10 }, (_, index) => `r.io/cold-${index}@${D1}`);
  const asked = verifier.decide([...cold, `r.io/hot@${D1}`], never);
  await settle();
  assert.equal(verifier.stats().waiting, 3);
  gate.release(PASSED);
  const codes = (await asked).map(({ verdict }) => codeOf(verdict));
  assert.deepEqual(codes, [
    ...Array<string>(3).fill("verified"),
    ...Array<string>(7).fill("OVERLOADED"),
    "verified",
  ]);
  assert.equal(verifier.stats().waiting, 0);
});

for (const key of [
  "--help",
  "-u",
  "",
  "r.io/a:v1\n",
  "x".repeat(1024 * 1024),
  "__proto__",
  "@file",
]) {
  test(`T-24 T-35 the key ${JSON.stringify(key.slice(0, 12))} reaches neither registry nor Notation as an option`, async () => {
    const { ask, calls } = setUp();
    const { verdict } = await ask(key);
    assert.ok(
      ["INVALID_REFERENCE", "REGISTRY_NOT_ALLOWED"].includes(codeOf(verdict)),
      codeOf(verdict),
    );
    assert.deepEqual(calls, { subject: 0, collect: 0, judge: 0 });
  });
}

test("F-43 what was judged under a policy that changed meanwhile is judged anew and not kept", async () => {
  const { verifier, policies, world, calls, ask } = setUp();
  const gate = held();
  world.judge = gate.judge;
  const asked = verifier.decide([`r.io/a@${D1}`], never);
  await settle();
  policies.set("default", snapshot("default", "e2"));
  world.judge = async () => rejected("UNTRUSTED_SIGNER", "no longer");
  gate.release(PASSED);
  assert.equal(codeOf((await asked)[0]?.verdict ?? assert.fail()), "UNTRUSTED_SIGNER");
  assert.equal(codeOf((await ask(`r.io/a@${D1}`)).verdict), "UNTRUSTED_SIGNER");
  assert.equal(calls.judge, 2);
});

test("F-43 a policy that changes during every round ends undecided", async () => {
  const { ask, policies, world } = setUp();
  let epoch = 1;
  world.judge = async () => {
    epoch += 1;
    policies.set("default", snapshot("default", `e${epoch}`));
    return PASSED;
  };
  assert.equal(codeOf((await ask(`r.io/a@${D1}`)).verdict), "TRUST_UNAVAILABLE");
});

const DEATHS = [
  {
    name: "its policy",
    change: ({ policies }: ReturnType<typeof setUp>) =>
      policies.set("default", snapshot("default", "e2")),
    judged: 2,
  },
  {
    name: "Notation's version",
    change: ({ world }: ReturnType<typeof setUp>) => (world.version = "1.3.3"),
    judged: 2,
  },
  {
    name: "nothing: another policy",
    change: ({ policies }: ReturnType<typeof setUp>) =>
      policies.set("other", snapshot("other", "e9")),
    judged: 1,
  },
  {
    name: "nothing: the same policy read again",
    change: ({ policies }: ReturnType<typeof setUp>) =>
      policies.set("default", snapshot("default", "e1")),
    judged: 1,
  },
  {
    name: "nothing: Notation is gone for a while",
    change: ({ world }: ReturnType<typeof setUp>) => (world.version = undefined),
    judged: 1,
  },
];
for (const { name, change, judged } of DEATHS) {
  test(`a cached positive dies with ${name}`, async () => {
    const all = setUp();
    await all.ask(`r.io/a@${D1}`);
    change(all);
    assert.equal((await all.ask(`r.io/a@${D1}`)).verdict.kind, "verified");
    assert.equal(all.calls.judge, judged);
  });
}

test("a verified key is refreshed after 80 % of its life without anybody waiting", async () => {
  const { ask, time, world, calls, events } = setUp();
  await ask(`r.io/a@${D1}`);
  time.pass(239_999);
  await ask(`r.io/a@${D1}`);
  assert.equal(calls.judge, 1);
  time.pass(1);
  const gate = held();
  world.judge = gate.judge;
  for (let count = 0; count < 3; count += 1) assert.equal((await ask(`r.io/a@${D1}`)).cache, "hit");
  assert.equal(calls.judge, 2);
  assert.deepEqual(events, []);
  gate.release(PASSED);
  await settle();
  assert.deepEqual(events, [{ kind: "refresh", outcome: "verified" }]);
  time.pass(200_000);
  assert.equal((await ask(`r.io/a@${D1}`)).cache, "hit");
});

test("a refresh that finds a revocation replaces the verdict at once", async () => {
  const { ask, time, world } = setUp();
  await ask(`r.io/a@${D1}`);
  time.pass(240_000);
  world.judge = async () => rejected("REVOKED", "the certificate is revoked");
  await ask(`r.io/a@${D1}`);
  await settle();
  assert.equal(codeOf((await ask(`r.io/a@${D1}`)).verdict), "REVOKED");
});

test("a refresh that ends undecided keeps the verdict to its end and not beyond, and is not repeated at once", async () => {
  const { ask, time, world, calls } = setUp();
  await ask(`r.io/a@${D1}`);
  time.pass(240_000);
  world.judge = async () => undecided("REVOCATION_UNKNOWN", "nobody answers");
  for (let count = 0; count < 5; count += 1) {
    assert.equal((await ask(`r.io/a@${D1}`)).verdict.kind, "verified");
    await settle();
  }
  assert.equal(calls.judge, 2);
  time.pass(60_000);
  assert.equal(codeOf((await ask(`r.io/a@${D1}`)).verdict), "REVOCATION_UNKNOWN");
});

test("a tag that is asked for all the time never makes a caller wait again, and is not asked for every time", async () => {
  const { ask, time, calls } = setUp();
  await ask("r.io/a:v1");
  for (let count = 0; count < 100; count += 1) {
    time.pass(500);
    assert.equal((await ask("r.io/a:v1")).cache, "hit");
    await settle();
  }
  assert.ok(calls.subject <= 14, `${calls.subject} look-ups in 50 s`);
});

test("a rejected key lives 30 s, an undecided one not at all", async () => {
  const { ask, time, world, calls } = setUp();
  world.judge = async () => rejected("UNTRUSTED_SIGNER", "nobody we know");
  await ask(`r.io/a@${D1}`);
  await ask(`r.io/a@${D1}`);
  assert.equal(calls.judge, 1);
  time.pass(30_000);
  world.judge = async () => undecided("REVOCATION_UNKNOWN", "nobody answers");
  await ask(`r.io/a@${D1}`);
  await ask(`r.io/a@${D1}`);
  assert.equal(calls.judge, 3);
});

const ENDS = [
  { name: "an unknown policy", key: "r.io/a?policy=none", code: "UNKNOWN_POLICY" },
  { name: "a policy that was never good", key: "r.io/a?policy=broken", code: "TRUST_UNAVAILABLE" },
  { name: "a repository no statement applies to", key: "r.io/untrusted", code: "NO_TRUST_POLICY" },
  { name: "a registry that is not configured", key: "other.io/a", code: "REGISTRY_NOT_ALLOWED" },
  { name: "a statement that says skip", key: "other.io/a?policy=lax", code: "skipped" },
  {
    name: "a level for a statement that says skip",
    key: "other.io/a?policy=lax&level=strict",
    code: "skipped",
  },
];
for (const { name, key, code } of ENDS) {
  test(`${name} ends a key as ${code} before anybody is asked`, async () => {
    const { ask, policies, calls } = setUp();
    policies.set("broken", "never").set("lax", snapshot("lax", "e3", "skip"));
    const decision = await ask(key);
    assert.equal(codeOf(decision.verdict), code);
    assert.equal(decision.registry, key.startsWith("r.io") ? "r.io" : undefined);
    assert.deepEqual(calls, { subject: 0, collect: 0, judge: 0 });
  });
}

test("the first signature that passes decides, and those behind it are not judged", async () => {
  const { ask, signatures, world, calls } = setUp();
  signatures.set(`r.io/a@${D1}`, ["bad", "good", "unseen"].map(candidate));
  world.judge = async ({ envelope }) =>
    envelope.claims.signer.subject === "CN=good" ? PASSED : rejected("UNTRUSTED_SIGNER", "who?");
  assert.equal(factsOf((await ask(`r.io/a@${D1}`)).verdict).signature, digestOf("good"));
  assert.equal(calls.judge, 2);
});

const MIXES = [
  {
    name: "the furthest reason wins",
    said: ["MALFORMED_SIGNATURE", "REVOKED", "UNTRUSTED_SIGNER"],
    code: "REVOKED",
  },
  {
    name: "one undecided signature leaves the image undecided",
    said: ["REVOKED", "NOTATION_FAILED"],
    code: "NOTATION_FAILED",
  },
  { name: "an image without signatures is unsigned", said: [], code: "UNSIGNED" },
] as const;
for (const { name, said, code } of MIXES) {
  test(name, async () => {
    const { ask, signatures, world } = setUp();
    signatures.set(`r.io/a@${D1}`, said.map(candidate));
    world.judge = async ({ envelope }) => {
      const reason = said.find((one) => envelope.claims.signer.subject === `CN=${one}`);
      return reason === "NOTATION_FAILED"
        ? undecided(reason, "broken")
        : rejected(reason ?? "UNSIGNED", "no");
    };
    assert.equal(codeOf((await ask(`r.io/a@${D1}`)).verdict), code);
  });
}

test("T-16 a good signature behind more than are looked at is never reached, and says so", async () => {
  const { ask, world, signatures } = setUp();
  signatures.set(`r.io/a@${D1}`, ["1", "2"].map(candidate));
  world.listed = 11;
  world.judge = async () => rejected("UNTRUSTED_SIGNER", "who?");
  assert.equal(codeOf((await ask(`r.io/a@${D1}`)).verdict), "TOO_MANY_SIGNATURES");
});

test("a registry that cannot be asked leaves every key undecided and nothing cached", async () => {
  const { ask, world, calls } = setUp();
  world.failure = undecided("REGISTRY_UNREACHABLE", "no answer");
  assert.equal(codeOf((await ask("r.io/a:v1")).verdict), "REGISTRY_UNREACHABLE");
  assert.equal(codeOf((await ask(`r.io/a@${D1}`)).verdict), "REGISTRY_UNREACHABLE");
  world.failure = undefined;
  assert.equal((await ask("r.io/a:v1")).verdict.kind, "verified");
  assert.equal(calls.judge, 1);
});

test("T-56 a part that throws leaves its key undecided, is reported, and harms no other key", async () => {
  const { verifier, world, events } = setUp();
  world.judge = async ({ subject }) => {
    if (subject.digest === D1) throw new TypeError("a bug");
    return PASSED;
  };
  const decisions = await verifier.decide([`r.io/a@${D1}`, `r.io/a@${D2}`], never);
  assert.deepEqual(
    decisions.map(({ verdict }) => codeOf(verdict)),
    ["NOTATION_FAILED", "verified"],
  );
  assert.equal(events.filter(({ kind }) => kind === "error").length, 1);
});

test("after close everybody who waits gets SHUTTING_DOWN, and so does who comes", async () => {
  const { verifier, world } = setUp();
  world.judge = held().judge;
  const asked = verifier.decide([`r.io/a@${D1}`], never);
  await settle();
  verifier.close();
  assert.equal(codeOf((await asked)[0]?.verdict ?? assert.fail()), "SHUTTING_DOWN");
  const [later] = await verifier.decide([`r.io/a@${D2}`], never);
  assert.equal(codeOf(later?.verdict ?? assert.fail()), "SHUTTING_DOWN");
});

const PINS = [
  { name: "a tag is pinned to its digest and kept", key: "r.io/a:v1", want: `r.io/a:v1@${D1}` },
  {
    name: "an image with a digest stays as it is",
    key: `r.io/a:v1@${D2}`,
    want: `r.io/a:v1@${D2}`,
  },
  { name: "an image of another registry stays as it is", key: "nginx", want: "nginx" },
  { name: "an image that is not there is refused", key: "r.io/a:gone", want: "IMAGE_NOT_FOUND" },
  {
    name: "an option is no part of an image to run",
    key: "r.io/a:v1?level=audit",
    want: "INVALID_REFERENCE",
  },
  { name: "an empty image is refused", key: "", want: "INVALID_REFERENCE" },
];
for (const { name, key, want } of PINS) {
  test(`mutation: ${name}`, async () => {
    const { verifier } = setUp();
    const [pin] = await verifier.pin([key, key], never);
    assert.ok(pin);
    assert.equal(pin.result.kind === "pinned" ? pin.result.image : codeOf(pin.result), want);
  });
}
