import assert from "node:assert/strict";
import { test } from "node:test";
import { rejected, undecided } from "../verdict/verdict.ts";
import {
  candidate,
  codeOf,
  createHeldJudge,
  createWorld,
  D1,
  D2,
  EPOCH,
  factsOf,
  never,
  PASSED,
  settle,
  snapshot,
} from "../../testing/verify/world.ts";
import { digestOf } from "../image/digest.ts";

const IMAGE = `r.io/a@${D1}`;

/** A moment of the wall clock, as envelopes write it. */
const at = (ms: number): string => new Date(EPOCH + ms).toISOString();
const UNTRUSTED = rejected("UNTRUSTED_SIGNER", "nobody we know");

test("T-01 a tag moved after a positive verdict is judged by its new digest once the tag map's life is over", async () => {
  const { ask, tags, signatures, time, calls } = createWorld();
  signatures.set(`r.io/a@${D2}`, []);
  assert.equal(factsOf((await ask("r.io/a:v1")).verdict).digest, D1);
  tags.set("r.io/a:v1", D2);
  time.pass(3999);
  assert.equal(factsOf((await ask("r.io/a:v1")).verdict).digest, D1);
  time.pass(1001);
  assert.equal(codeOf((await ask("r.io/a:v1")).verdict), "UNSIGNED");
  assert.deepEqual(calls, { subject: 2, collect: 2, judge: 1 });
});

test("T-01 the life of a tag's answer counts from the question, however slow the registry is", async () => {
  const { ask, tags, parts, time, verifier } = createWorld();
  const { promise, resolve } = Promise.withResolvers<void>();
  parts.network = async () => await promise;
  const asked = verifier.decide(["r.io/a:v1"], never);
  await settle();
  tags.set("r.io/a:v1", D2);
  time.pass(1500);
  resolve();
  assert.equal((await asked)[0]?.digest, D1);
  time.pass(3500);
  assert.equal((await ask("r.io/a:v1")).digest, D2);
});

test("T-01 who joins a look-up that was begun longer ago than the tag map's life asks again", async () => {
  const { verifier, tags, parts, time, calls } = createWorld();
  const slow = Promise.withResolvers<void>();
  parts.network = async () => await slow.promise;
  void verifier.decide(["r.io/a:v1"], never);
  await settle();
  tags.set("r.io/a:v1", D2);
  time.pass(5001);
  const asked = verifier.decide(["r.io/a:v1"], never);
  await settle();
  assert.equal(calls.subject, 1);
  slow.resolve();
  assert.equal((await asked)[0]?.digest, D2);
  assert.equal(calls.subject, 2);
});

test("T-02 a tag is resolved once for a verdict, and the digest judged is the digest said", async () => {
  const { ask, calls, parts } = createWorld();
  let judged: string | undefined;
  parts.judge = async ({ subject }) => {
    judged = subject.digest;
    return PASSED;
  };
  const { verdict, digest } = await ask("r.io/a:v1");
  assert.deepEqual([factsOf(verdict).digest, factsOf(verdict).image], [judged, `r.io/a@${judged}`]);
  assert.equal(digest, judged);
  assert.equal(calls.subject, 1);
});

test("T-02 evidence of another subject than was asked for is never judged", async () => {
  const { ask, parts, calls } = createWorld();
  parts.collected = D2;
  assert.equal(codeOf((await ask(IMAGE)).verdict), "REGISTRY_ERROR");
  assert.equal(calls.judge, 0);
});

test("a tag's descriptor goes with the question for evidence, so that the subject is not asked for twice", async () => {
  const { ask, parts } = createWorld();
  await ask("r.io/a:v1");
  assert.equal(parts.known?.digest, D1);
  await ask(`r.io/b@${D1}`);
  assert.equal(parts.known, undefined);
});

test("T-19 a digest verified in one repository is judged anew in another", async () => {
  const { ask, signatures, calls } = createWorld();
  signatures.set(`r.io/b@${D1}`, []);
  assert.equal(codeOf((await ask(IMAGE)).verdict), "verified");
  assert.equal(codeOf((await ask(`r.io/b@${D1}`)).verdict), "UNSIGNED");
  assert.equal(calls.collect, 2);
});

test("T-27 a verdict of one level or policy answers no other, in either order", async () => {
  const { ask, policies, parts, calls } = createWorld();
  policies.set("prod", snapshot("prod", "e1"));
  parts.judge = async ({ level }) => (level === "audit" ? PASSED : UNTRUSTED);
  const keys = [
    `${IMAGE}?level=audit`,
    `${IMAGE}?level=strict`,
    IMAGE,
    `${IMAGE}?policy=prod`,
    `${IMAGE}?policy=prod&level=strict`,
  ];
  const codes: string[] = [];
  for (const key of [...keys, ...keys.toReversed()]) codes.push(codeOf((await ask(key)).verdict));
  const first = ["verified", ...Array<string>(4).fill("UNTRUSTED_SIGNER")];
  assert.deepEqual(codes, [...first, ...first.toReversed()]);
  assert.equal(calls.judge, 5);
});

test("the facts are what the verified envelope claims, under the level that was asked for", async () => {
  const { ask, signatures, parts, policies } = createWorld();
  policies.set("prod", snapshot("prod", "e1", "permissive"));
  signatures.set(IMAGE, [
    candidate("other"),
    {
      kind: "envelope",
      signature: digestOf("signature"),
      mediaType: "application/cose",
      bytes: Buffer.from("signature"),
      claims: {
        signer: { scheme: "notary.x509.signingAuthority", subject: "CN=aws", identity: "arn:x" },
        signedAt: "2026-11-02T10:00:00Z",
        expiresAt: "2038-01-02T10:00:00Z",
        metadata: { commit: "abc" },
      },
    },
  ]);
  const warnings = [{ check: "revocation", message: "nobody answers" }] as const;
  parts.judge = async ({ envelope }) =>
    envelope.mediaType === "application/cose" ? { kind: "passed", warnings } : UNTRUSTED;
  assert.deepEqual((await ask(`${IMAGE}?policy=prod`)).verdict, {
    kind: "verified",
    facts: {
      outcome: "verified",
      image: IMAGE,
      digest: D1,
      policy: "prod",
      statement: "all",
      level: "permissive",
      signer: { scheme: "notary.x509.signingAuthority", subject: "CN=aws", identity: "arn:x" },
      signature: digestOf("signature"),
      signedAt: "2026-11-02T10:00:00Z",
      expiresAt: "2038-01-02T10:00:00Z",
      warnings,
      metadata: { commit: "abc" },
    },
  });
  assert.equal(factsOf((await ask(`${IMAGE}?policy=prod&level=audit`)).verdict).level, "audit");
});

test("of two ends the nearer one ends a cached verdict", async () => {
  const { ask, signatures, calls, time } = createWorld();
  const expiring = candidate("expires");
  assert.ok(expiring.kind === "envelope");
  const claims = { ...expiring.claims, expiresAt: at(200_000), certificatesUntil: at(4_000) };
  signatures.set(IMAGE, [{ ...expiring, claims }]);
  await ask(IMAGE);
  time.pass(4_001);
  assert.equal((await ask(IMAGE)).cache, "miss");
  assert.equal(calls.judge, 2);
});

for (const { level, member, check, later } of [
  { level: "strict", member: "expiresAt", check: "expiry", later: "SIGNATURE_EXPIRED" },
  { level: "permissive", member: "expiresAt", check: "expiry", later: "verified" },
  {
    level: "strict",
    member: "certificatesUntil",
    check: "authenticTimestamp",
    later: "CERTIFICATE_EXPIRED",
  },
  {
    level: "permissive",
    member: "certificatesUntil",
    check: "authenticTimestamp",
    later: "verified",
  },
] as const) {
  test(`under ${level} a cached verdict ends with what ${member} says, and is ${later} afterwards`, async () => {
    const { ask, signatures, parts, policies, calls, time } = createWorld();
    policies.set("default", snapshot("default", "e1", level));
    const expiring = candidate("expires");
    assert.ok(expiring.kind === "envelope");
    signatures.set(IMAGE, [{ ...expiring, claims: { ...expiring.claims, [member]: at(4_000) } }]);
    parts.judge = async () => {
      if (time.now() < 4_000) return PASSED;
      return later === "verified"
        ? { kind: "passed", warnings: [{ check, message: "it expired" }] }
        : rejected(later, "it expired");
    };
    assert.equal(codeOf((await ask(IMAGE)).verdict), "verified");
    time.pass(3_000);
    await settle();
    assert.equal(codeOf((await ask(IMAGE)).verdict), "verified");
    time.pass(1_001);
    assert.equal(codeOf((await ask(IMAGE)).verdict), later);
    const judged = calls.judge;
    time.pass(4_000);
    assert.equal(codeOf((await ask(IMAGE)).verdict), later);
    assert.equal(calls.judge, judged, "what its level lets pass is kept for its whole life");
  });
}

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
    const { ask, policies, calls } = createWorld();
    policies.set("broken", "never").set("lax", snapshot("lax", "e3", "skip"));
    const decision = await ask(key);
    assert.equal(codeOf(decision.verdict), code);
    assert.equal(decision.registry, key.startsWith("r.io") ? "r.io" : undefined);
    assert.equal(decision.policy === undefined, code === "UNKNOWN_POLICY");
    assert.deepEqual(calls, { subject: 0, collect: 0, judge: 0 });
  });
}

for (const key of ["r.io/a:v1", IMAGE, "other.io/a?policy=lax", "r.io/untrusted"]) {
  test(`the verdict of ${key.slice(0, 24)} is the same object each time, so that its JSON is made once`, async () => {
    const { ask, policies } = createWorld();
    policies.set("lax", snapshot("lax", "e3", "skip"));
    await ask(key);
    assert.equal((await ask(key)).verdict, (await ask(key)).verdict);
  });
}

const FOREIGN = [
  "--help",
  "-u",
  "--plugin-config=x",
  "@file",
  "",
  " ",
  "r.io/a:v1\n",
  "r.io/a:v1 r.io/b",
  "r.io/a:v1?level=skip",
  "r.io/a:v1?level=audit?level=strict",
  "x".repeat(1024 * 1024),
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
];
for (const key of FOREIGN) {
  test(`T-24 T-35 the key ${JSON.stringify(key.slice(0, 24))} reaches nobody`, async () => {
    const { ask, calls, parts } = createWorld();
    parts.allows = (host) => host === "r.io";
    const prototype = Object.getOwnPropertyNames(Object.prototype);
    const code = codeOf((await ask(key)).verdict);
    assert.ok(["INVALID_REFERENCE", "INVALID_OPTION", "REGISTRY_NOT_ALLOWED"].includes(code), code);
    assert.deepEqual(calls, { subject: 0, collect: 0, judge: 0 });
    assert.deepEqual(Object.getOwnPropertyNames(Object.prototype), prototype);
  });
}

const DEATHS: readonly {
  readonly name: string;
  readonly change: (all: ReturnType<typeof createWorld>) => unknown;
  readonly judged: number;
}[] = [
  {
    name: "its policy",
    change: ({ policies }) => policies.set("default", snapshot("default", "e2")),
    judged: 2,
  },
  {
    name: "Notation's version",
    change: ({ parts }) => (parts.version = "1.3.3"),
    judged: 2,
  },
  {
    name: "nothing: another policy",
    change: ({ policies }) => policies.set("other", snapshot("other", "e9")),
    judged: 1,
  },
  {
    name: "nothing: the same policy read again",
    change: ({ policies }) => policies.set("default", snapshot("default", "e1")),
    judged: 1,
  },
  {
    name: "nothing: Notation is gone for a while",
    change: ({ parts }) => (parts.version = undefined),
    judged: 1,
  },
];
for (const { name, change, judged } of DEATHS) {
  test(`a cached positive dies with ${name}`, async () => {
    const all = createWorld();
    await all.ask(IMAGE);
    change(all);
    assert.equal((await all.ask(IMAGE)).verdict.kind, "verified");
    assert.equal(all.calls.judge, judged);
  });
}

test("without Notation a key that is not cached is undecided, and decided as soon as it is back", async () => {
  const { ask, parts } = createWorld();
  parts.version = undefined;
  assert.equal(codeOf((await ask(IMAGE)).verdict), "NOTATION_FAILED");
  parts.version = "1.3.2";
  assert.equal((await ask(IMAGE)).verdict.kind, "verified");
});

test("a run that brought Notation back is not kept for the version before, and the key is decided", async () => {
  const { ask, parts, calls } = createWorld();
  parts.notation = () => ({ version: calls.judge > 0 ? "1.3.2" : undefined, problem: undefined });
  assert.equal((await ask(IMAGE)).verdict.kind, "verified");
  assert.equal((await ask(IMAGE)).cache, "hit");
});

test("F-43 what may have been judged by another Notation is judged anew, though the one before is back", async () => {
  const { verifier, parts, ask } = createWorld();
  const held = createHeldJudge();
  parts.judge = held.judge;
  const asked = verifier.decide([IMAGE], never);
  await settle();
  for (const version of ["1.3.3", "1.3.2"]) {
    parts.version = version;
    await ask("r.io/untrusted");
  }
  parts.judge = async () => UNTRUSTED;
  held.release(PASSED);
  assert.deepEqual(
    (await asked).map(({ verdict }) => codeOf(verdict)),
    ["UNTRUSTED_SIGNER"],
  );
});

test("F-43 what was judged under a policy that changed meanwhile is judged anew and not kept", async () => {
  const { verifier, policies, parts, calls, ask } = createWorld();
  const held = createHeldJudge();
  parts.judge = held.judge;
  const asked = verifier.decide([IMAGE], never);
  await settle();
  policies.set("default", snapshot("default", "e2"));
  parts.judge = async () => UNTRUSTED;
  held.release(PASSED);
  assert.deepEqual(
    (await asked).map(({ verdict }) => codeOf(verdict)),
    ["UNTRUSTED_SIGNER"],
  );
  assert.equal(codeOf((await ask(IMAGE)).verdict), "UNTRUSTED_SIGNER");
  assert.equal(calls.judge, 2);
});

test("F-43 a cached verdict does not answer when the policy changed while the tag was resolved", async () => {
  const { verifier, policies, parts, ask } = createWorld();
  await ask(IMAGE);
  const { promise, resolve } = Promise.withResolvers<void>();
  parts.network = async () => await promise;
  const asked = verifier.decide(["r.io/a:v1"], never);
  await settle();
  policies.set("default", snapshot("default", "e2"));
  parts.judge = async () => UNTRUSTED;
  resolve();
  assert.deepEqual(
    (await asked).map(({ verdict }) => codeOf(verdict)),
    ["UNTRUSTED_SIGNER"],
  );
});

test("F-43 a run during which Notation was replaced is not kept for either version", async () => {
  const { verifier, parts, calls, ask } = createWorld();
  const held = createHeldJudge();
  parts.judge = held.judge;
  const asked = verifier.decide([IMAGE], never);
  await settle();
  parts.version = "1.3.3";
  parts.judge = async () => UNTRUSTED;
  held.release(PASSED);
  await asked;
  for (const version of ["1.3.3", "1.3.2"]) {
    parts.version = version;
    assert.equal(codeOf((await ask(IMAGE)).verdict), "UNTRUSTED_SIGNER");
  }
  assert.equal(calls.judge, 3);
});

test("F-43 a policy that changes during every round ends undecided", async () => {
  const { ask, policies, parts, calls } = createWorld();
  let epoch = 1;
  parts.judge = async () => {
    epoch += 1;
    policies.set("default", snapshot("default", `e${epoch}`));
    return PASSED;
  };
  assert.equal(codeOf((await ask(IMAGE)).verdict), "TRUST_UNAVAILABLE");
  assert.equal(calls.judge, 3);
});

test("F-43 a policy that went away during the run ends the key as it would have been", async () => {
  const { ask, policies, parts } = createWorld();
  parts.judge = async () => {
    policies.delete("default");
    return PASSED;
  };
  assert.equal(codeOf((await ask(IMAGE)).verdict), "UNKNOWN_POLICY");
});

test("the first signature that passes decides, and those behind it are not judged", async () => {
  const { ask, signatures, parts, calls } = createWorld();
  signatures.set(IMAGE, ["bad", "good", "unseen"].map(candidate));
  parts.judge = async ({ envelope }) =>
    envelope.claims.signer.subject === "CN=good" ? PASSED : UNTRUSTED;
  assert.equal(factsOf((await ask(IMAGE)).verdict).signature, digestOf("good"));
  assert.equal(calls.judge, 2);
});

test("a candidate that was refused before is not judged, and spoils no other", async () => {
  const { ask, signatures, calls } = createWorld();
  const verdict = undecided("REGISTRY_ERROR", "the registry lists it and does not have it");
  signatures.set(IMAGE, [{ kind: "bad", signature: digestOf("bad"), verdict }, candidate("good")]);
  assert.equal((await ask(IMAGE)).verdict.kind, "verified");
  assert.equal(calls.judge, 1);
});

test("T-10 of 1,000 signatures those that were fetched are judged, one at a time, and no other", async () => {
  const { ask, signatures, parts, calls } = createWorld();
  signatures.set(
    IMAGE,
    Array.from({ length: 10 }, (_, index) => candidate(`${index}`)),
  );
  parts.listed = 1000;
  let running = 0;
  parts.judge = async () => {
    running += 1;
    assert.equal(running, 1);
    await settle();
    running -= 1;
    return UNTRUSTED;
  };
  assert.equal(codeOf((await ask(IMAGE)).verdict), "TOO_MANY_SIGNATURES");
  assert.equal(calls.judge, 10);
});

test("T-16 a good signature behind more than are looked at is never reached, and says so", async () => {
  const { ask, parts, signatures } = createWorld();
  signatures.set(IMAGE, ["1", "2"].map(candidate));
  parts.listed = 11;
  parts.judge = async () => UNTRUSTED;
  assert.equal(codeOf((await ask(IMAGE)).verdict), "TOO_MANY_SIGNATURES");
});

test("no signature is judged after the verification's own deadline", async () => {
  const { ask, signatures, parts, calls, time } = createWorld();
  signatures.set(IMAGE, ["slow", "late"].map(candidate));
  parts.judge = async () => {
    time.pass(10_000);
    return UNTRUSTED;
  };
  assert.equal(codeOf((await ask(IMAGE)).verdict), "TIMEOUT");
  await settle();
  assert.equal(calls.judge, 1);
});

test("a registry that cannot be asked leaves every key undecided and nothing cached", async () => {
  const { ask, parts, calls } = createWorld();
  parts.failure = undecided("REGISTRY_UNREACHABLE", "no answer");
  assert.equal(codeOf((await ask("r.io/a:v1")).verdict), "REGISTRY_UNREACHABLE");
  assert.equal(codeOf((await ask(IMAGE)).verdict), "REGISTRY_UNREACHABLE");
  parts.failure = undefined;
  assert.equal((await ask("r.io/a:v1")).verdict.kind, "verified");
  assert.equal(calls.judge, 1);
});

test("an image that is not there is asked for again when the tag map's life is over, not before", async () => {
  const { ask, tags, time, calls } = createWorld();
  assert.equal(codeOf((await ask("r.io/a:new")).verdict), "IMAGE_NOT_FOUND");
  assert.equal((await ask("r.io/a:new")).cache, "hit");
  assert.equal(calls.subject, 1);
  tags.set("r.io/a:new", D1);
  time.pass(5000);
  assert.equal((await ask("r.io/a:new")).verdict.kind, "verified");
});
