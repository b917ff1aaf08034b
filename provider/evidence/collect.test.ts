import assert from "node:assert/strict";
import { test } from "node:test";
import { gather, type Gathered } from "../../testing/evidence/gather.ts";
import { createAuthority } from "../../testing/signing/authority.ts";
import { awsSigner, JWS, jws, type EnvelopeOptions } from "../../testing/signing/envelope.ts";
import type { Descriptor } from "../image/descriptor.ts";
import { digestOf, type Digest } from "../image/digest.ts";
import type { Referrer, RegistryClient, Repository } from "../registry/registry.ts";
import { isRefusal, rejected, undecided, type Refusal } from "../verdict/verdict.ts";
import { createCollect, MAX_MANIFEST_BYTES } from "./collect.ts";
import { createContents } from "./contents.ts";

const IMAGE = "application/vnd.oci.image.manifest.v1+json";
const SIGNATURE = "application/vnd.cncf.notary.signature";
const AWS_PLUGIN = "com.amazonaws.signer.notation.plugin";

const authority = await createAuthority({ name: "Example root" });
const notAfter = new Date("2030-06-01T12:00:00Z");
const signer = await authority.issue({ commonName: "signer", notAfter });

const describe = (mediaType: string, bytes: Uint8Array | string): Descriptor => ({
  mediaType,
  digest: digestOf(bytes),
  size: Buffer.byteLength(bytes),
});
const subject = describe(IMAGE, "image");
const app: Repository = { registry: "registry.example", repository: "team/app" };
const copy: Repository = { registry: "registry.example", repository: "team/copy" };

const envelopeOf = (options: Partial<EnvelopeOptions> = {}) => jws({ signer, subject, ...options });

const nameOf = ({ registry, repository }: Repository, digest: string) =>
  `${registry}/${repository}@${digest}`;

/** A registry in memory that does what {@link RegistryClient} promises, and counts its calls. */
function createRegistry() {
  const contents = new Map<string, Uint8Array>();
  const lists = new Map<string, Referrer[]>();
  /** Refusals by `<call> <digest>`, instead of the answer. */
  const refusals = new Map<string, Refusal>();
  const calls: string[] = [];
  /** Calls that are let through only when the test says so. */
  let gate: ((call: string, signal: AbortSignal) => Promise<void>) | undefined;

  async function ask<T>(
    call: string,
    from: Repository,
    digest: string,
    signal: AbortSignal,
    answer: () => T | undefined,
  ): Promise<T | Refusal> {
    calls.push(`${call} ${from.repository} ${digest.slice(0, 15)}`);
    await gate?.(call, signal);
    signal.throwIfAborted();
    const held = refusals.get(`${call} ${digest}`) ?? answer();
    return held ?? rejected("IMAGE_NOT_FOUND", "no such manifest");
  }

  const client: RegistryClient = {
    allows: () => true,
    subject: (from, name, signal) =>
      ask("subject", from, name, signal, () =>
        contents.has(nameOf(from, name)) ? subject : undefined,
      ),
    signatures: (from, digest, signal) =>
      ask("signatures", from, digest, signal, () => lists.get(nameOf(from, digest)) ?? []),
    manifest: (from, { digest }, signal) =>
      ask("manifest", from, digest, signal, () => contents.get(nameOf(from, digest))),
    blob: (from, { digest }, _limit, signal) =>
      ask("blob", from, digest, signal, () => contents.get(nameOf(from, digest))),
    close: async () => {},
  };

  const put = (from: Repository, mediaType: string, bytes: Uint8Array | string) => {
    const descriptor = describe(mediaType, bytes);
    contents.set(nameOf(from, descriptor.digest), Buffer.from(bytes));
    return descriptor;
  };
  /** Lists a referrer of the subject, whatever it is. */
  const list = (from: Repository, referrer: Referrer) => {
    const name = nameOf(from, subject.digest);
    lists.set(name, [...(lists.get(name) ?? []), referrer]);
    return referrer;
  };
  /** Attaches an envelope to the subject; members of its manifest may be other ones. */
  const attach = (from: Repository, bytes: Uint8Array | string, members: object = {}) => {
    const manifest = {
      schemaVersion: 2,
      mediaType: IMAGE,
      config: { ...describe(SIGNATURE, "{}") },
      layers: [put(from, JWS, bytes)],
      subject,
      ...members,
    };
    return list(from, put(from, IMAGE, JSON.stringify(manifest)));
  };
  put(app, IMAGE, "image");
  put(copy, IMAGE, "image");
  return {
    client,
    calls,
    refusals,
    put,
    list,
    attach,
    hold: (hold: typeof gate) => (gate = hold),
  };
}

type Registry = ReturnType<typeof createRegistry>;

function collecting(
  { client: registry }: Registry,
  {
    maxCacheBytes = 1_000_000,
    plugins = [AWS_PLUGIN],
    onFault = (error: unknown): unknown => assert.ifError(error),
  } = {},
) {
  const limits = { registry, maxEnvelopeBytes: 100_000 };
  const contents = createContents({ ...limits, maxCacheBytes, now: () => 0 });
  return createCollect({ ...limits, contents, plugins, maxSignatures: 10, onFault });
}

/** As {@link collecting}, with every candidate fetched. */
function collector(...of: Parameters<typeof collecting>) {
  const collect = collecting(...of);
  return async (...about: Parameters<typeof collect>) => await gather(await collect(...about));
}

const never = new AbortController().signal;

function evidenceOf<T extends object>(outcome: T | Refusal): T {
  if (isRefusal(outcome)) assert.fail(`${outcome.reason}: ${outcome.sentence}`);
  return outcome;
}
/** What became of each signature: `envelope`, or the code of the refusal. */
const outcomes = (outcome: Gathered | Refusal) =>
  evidenceOf(outcome).candidates.map((candidate) =>
    candidate.kind === "envelope" ? "envelope" : candidate.verdict.reason,
  );

test("an envelope comes with its claims, its bytes and the digest of its manifest", async () => {
  const registry = createRegistry();
  const bytes = envelopeOf({ signedAt: new Date("2026-11-02T10:00:00Z") });
  const { digest } = registry.attach(app, bytes);
  const outcome = await collector(registry)(app, subject.digest, undefined, never);
  assert.deepEqual(outcome, {
    subject,
    candidates: [
      {
        kind: "envelope",
        signature: digest,
        mediaType: JWS,
        bytes: new Uint8Array(bytes),
        claims: {
          signer: { scheme: "notary.x509", subject: "CN=signer,O=Example,ST=WA,C=US" },
          signedAt: "2026-11-02T10:00:00Z",
          certificatesUntil: "2030-06-01T12:00:00Z",
        },
      },
    ],
    listed: 1,
  });
});

test("an image without a signature is evidence without candidates", async () => {
  const outcome = await collector(createRegistry())(app, subject.digest, undefined, never);
  assert.deepEqual(outcome, { subject, candidates: [], listed: 0 });
});

test("three round trips: subject and list, then every manifest, then every envelope", async () => {
  const registry = createRegistry();
  registry.attach(app, envelopeOf());
  registry.attach(app, envelopeOf({ metadata: { second: "one" } }));
  // Everything that is asked for in one turn is let through together, once nothing more is asked for.
  const waves: string[][] = [];
  let wave: { calls: string[]; opened: Promise<void> } | undefined;
  registry.hold((call) => {
    wave ??= { calls: [], opened: settled().then(() => (wave = undefined)) };
    if (wave.calls.length === 0) waves.push(wave.calls);
    wave.calls.push(call);
    return wave.opened;
  });
  evidenceOf(await collector(registry)(app, subject.digest, undefined, never));
  assert.deepEqual(
    waves.map((calls) => calls.toSorted()),
    [
      ["signatures", "subject"],
      ["manifest", "manifest"],
      ["blob", "blob"],
    ],
  );
});

test("F-08 of large envelopes no more are held at once than the largest may have bytes, and what is not gone through is not fetched", async () => {
  const registry = createRegistry();
  // A share of 100,000 bytes: two of the first three, then the other one with the last.
  const sizes = [33_000, 33_000, 33_000, 5_000].map((length, index) => {
    const bytes = envelopeOf({ optional: { index, pad: "x".repeat(length) } });
    registry.attach(app, bytes);
    return bytes.length;
  });
  let held = 0;
  let peak = 0;
  const blobs = () => registry.calls.filter((call) => call.startsWith("blob")).length;
  registry.hold(async (call) => {
    if (call !== "blob") return;
    held += sizes[blobs() - 1] ?? 0;
    peak = Math.max(peak, held);
    await settled();
  });
  const evidence = evidenceOf(await collecting(registry)(app, subject.digest, undefined, never));
  assert.equal(blobs(), 0);
  const fetched: number[] = [];
  for await (const candidate of evidence.candidates) {
    assert.equal(candidate.kind, "envelope");
    fetched.push(blobs());
    held -= candidate.kind === "envelope" ? candidate.bytes.length : 0;
  }
  assert.deepEqual(fetched, [2, 2, 4, 4]);
  assert.ok(peak > 0 && peak <= 100_000, `${peak}`);
});

test("a subject that is known is not asked for", async () => {
  const registry = createRegistry();
  registry.attach(app, envelopeOf());
  evidenceOf(await collector(registry)(app, subject.digest, subject, never));
  assert.deepEqual(
    registry.calls.map((call) => call.split(" ")[0]),
    ["signatures", "manifest", "blob"],
  );
});

test("contents are fetched once, the list each time", async () => {
  const registry = createRegistry();
  registry.attach(app, envelopeOf());
  const collect = collector(registry);
  const first = await collect(app, subject.digest, undefined, never);
  assert.equal(registry.calls.length, 4);
  assert.deepEqual(await collect(app, subject.digest, undefined, never), first);
  assert.deepEqual(
    registry.calls.slice(4).map((call) => call.split(" ")[0]),
    ["signatures"],
  );
  registry.attach(app, envelopeOf({ metadata: { second: "one" } }));
  assert.deepEqual(outcomes(await collect(app, subject.digest, undefined, never)), [
    "envelope",
    "envelope",
  ]);
});

test("what was fetched is forgotten when there is no room for it", async () => {
  const registry = createRegistry();
  registry.attach(app, envelopeOf());
  const collect = collector(registry, { maxCacheBytes: 0 });
  await collect(app, subject.digest, undefined, never);
  await collect(app, subject.digest, undefined, never);
  assert.equal(registry.calls.length, 8);
});

test("the bytes of envelopes are counted", async () => {
  const registry = createRegistry();
  const metadata = { note: "n".repeat(8000) };
  registry.attach(app, envelopeOf({ metadata }));
  // Room for the three entries with some bytes of an envelope, not with 10,000.
  const collect = collector(registry, { maxCacheBytes: 12_000 });
  await collect(app, subject.digest, undefined, never);
  registry.calls.length = 0;
  await collect(app, subject.digest, undefined, never);
  assert.equal(
    registry.calls.some((call) => call.startsWith("blob")),
    true,
  );
});

test("of an envelope its own bytes are kept, and not the memory that they came in", async () => {
  const registry = createRegistry();
  const small = envelopeOf();
  registry.attach(app, small);
  const { candidates } = evidenceOf(
    await collector(registry)(app, subject.digest, undefined, never),
  );
  const [candidate] = candidates;
  assert.equal(candidate?.kind, "envelope");
  assert.deepEqual(Buffer.from(candidate.bytes), small);
  assert.equal(candidate.bytes.buffer.byteLength, small.length);
});

test("T-19 what one repository holds is not taken for another's", async () => {
  const registry = createRegistry();
  registry.attach(app, envelopeOf());
  const collect = collector(registry);
  await collect(app, subject.digest, undefined, never);
  const unsigned = evidenceOf(await collect(copy, subject.digest, undefined, never));
  assert.deepEqual(unsigned.candidates, []);
  // And a list in which the other repository names what only the first holds.
  const { digest, size } = registry.attach(app, envelopeOf({ metadata: { a: "b" } }));
  await collect(app, subject.digest, undefined, never);
  registry.list(copy, { mediaType: IMAGE, digest, size });
  const claimed = await collect(copy, subject.digest, undefined, never);
  assert.deepEqual(outcomes(claimed), ["MALFORMED_SIGNATURE"]);
});

test("T-10 T-16 signatures beyond the limit are counted and not fetched", async () => {
  const registry = createRegistry();
  for (let index = 0; index < 11; index += 1) {
    registry.attach(app, envelopeOf({ metadata: { index: String(index) } }));
  }
  const outcome = evidenceOf(await collector(registry)(app, subject.digest, undefined, never));
  assert.equal(outcome.candidates.length, 10);
  assert.equal(outcome.listed, 11);
  assert.equal(registry.calls.filter((call) => call.startsWith("manifest")).length, 10);
  assert.equal(registry.calls.filter((call) => call.startsWith("blob")).length, 10);
});

test("candidates are in the registry's order, whatever comes first", async () => {
  const registry = createRegistry();
  const digests = ["a", "b", "c"].map(
    (name) => registry.attach(app, envelopeOf({ metadata: { name } })).digest,
  );
  const first = digests[0]?.slice(0, 15) ?? "";
  registry.hold(async (call) => {
    // The first manifest comes last.
    if (call === "manifest" && registry.calls.at(-1)?.endsWith(first)) await settled();
  });
  const outcome = evidenceOf(await collector(registry)(app, subject.digest, undefined, never));
  assert.deepEqual(
    outcome.candidates.map(({ signature }) => signature),
    digests,
  );
});

const pluginNames = [
  "../x",
  "..",
  "com.amazonaws.signer.notation.plugin/../x",
  `${AWS_PLUGIN} `,
  ` ${AWS_PLUGIN}`,
  AWS_PLUGIN.toUpperCase(),
  `${AWS_PLUGIN}\u0000`,
  `${AWS_PLUGIN}\n`,
  "\u001b[2J",
  "com.example.plugin",
  "__proto__",
  "constructor",
];
for (const plugin of pluginNames) {
  test(`T-25 plugin ${JSON.stringify(plugin)} is not allowed`, async () => {
    const registry = createRegistry();
    registry.attach(app, envelopeOf({ plugin }));
    const { candidates } = evidenceOf(
      await collector(registry)(app, subject.digest, undefined, never),
    );
    const [candidate] = candidates;
    assert.equal(candidate?.kind, "bad");
    if (candidate?.kind !== "bad") return;
    assert.equal(candidate.verdict.reason, "PLUGIN_NOT_ALLOWED");
    // eslint-disable-next-line no-control-regex -- these must not be there
    assert.doesNotMatch(candidate.verdict.sentence, /[\u0000-\u001f]/);
  });
}

test("T-25 a blank plugin is malformed", async () => {
  const registry = createRegistry();
  registry.attach(app, envelopeOf({ plugin: " \t" }));
  const outcome = await collector(registry)(app, subject.digest, undefined, never);
  assert.deepEqual(outcomes(outcome), ["MALFORMED_SIGNATURE"]);
});

test("T-25 a plugin on the list is claimed", async () => {
  const registry = createRegistry();
  const profile = "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/app/abcdefghij";
  const job = "arn:aws:signer:eu-west-1:111122223333:/signing-jobs/1";
  registry.attach(app, jws(awsSigner({ signer, subject, profileVersion: profile, job })));
  const { candidates } = evidenceOf(
    await collector(registry)(app, subject.digest, undefined, never),
  );
  const claims = candidates.map((one) => (one.kind === "envelope" ? one.claims.plugin : one.kind));
  assert.deepEqual(claims, [AWS_PLUGIN]);
});

test("T-25 a list of plugins that is empty allows none", async () => {
  const registry = createRegistry();
  registry.attach(app, envelopeOf({ plugin: "com.example.plugin" }));
  const collect = collector(registry, { plugins: [] });
  assert.deepEqual(outcomes(await collect(app, subject.digest, undefined, never)), [
    "PLUGIN_NOT_ALLOWED",
  ]);
});

const other = describe(IMAGE, "another image");
const subjects = [
  { name: "another digest", claimed: other },
  { name: "another size", claimed: { ...subject, size: subject.size + 1 } },
  { name: "another media type", claimed: { ...subject, mediaType: `${IMAGE}x` } },
];
for (const { name, claimed } of subjects) {
  test(`T-26 a signature manifest of a subject with ${name} is TAMPERED`, async () => {
    const registry = createRegistry();
    registry.attach(app, envelopeOf(), { subject: claimed });
    const outcome = await collector(registry)(app, subject.digest, undefined, never);
    assert.deepEqual(outcomes(outcome), ["TAMPERED"]);
    assert.equal(
      registry.calls.some((call) => call.startsWith("blob")),
      false,
    );
  });
}

test("T-26 an envelope of another subject under our manifest is left to Notation", async () => {
  const registry = createRegistry();
  registry.attach(app, envelopeOf({ subject: other }));
  const outcome = await collector(registry)(app, subject.digest, undefined, never);
  assert.deepEqual(outcomes(outcome), ["envelope"]);
});

const bad: readonly {
  readonly name: string;
  readonly spoil: (registry: Registry) => void;
  readonly want: string;
}[] = [
  {
    name: "F-08 an envelope that is not JSON",
    spoil: (registry) => registry.attach(app, "{"),
    want: "MALFORMED_SIGNATURE",
  },
  {
    name: "F-08 a manifest that is not JSON",
    spoil: ({ list, put }) => list(app, put(app, IMAGE, "{")),
    want: "MALFORMED_SIGNATURE",
  },
  {
    name: "a referrer of another kind",
    spoil: ({ list, put }) => list(app, put(app, "application/vnd.oci.image.index.v1+json", "{}")),
    want: "MALFORMED_SIGNATURE",
  },
  {
    name: "T-12 a manifest that is too large",
    spoil: ({ list }) => list(app, { ...other, size: MAX_MANIFEST_BYTES + 1 }),
    want: "MALFORMED_SIGNATURE",
  },
  {
    name: "T-12 an envelope that is too large",
    spoil: (registry) => registry.attach(app, " ".repeat(100_001)),
    want: "MALFORMED_SIGNATURE",
  },
  {
    name: "a manifest that is listed and not there",
    spoil: ({ list }) => list(app, other),
    want: "MALFORMED_SIGNATURE",
  },
  {
    name: "a registry that does not hand out a manifest now",
    spoil: ({ attach, refusals }) =>
      refusals.set(
        `manifest ${attach(app, envelopeOf()).digest}`,
        undecided("REGISTRY_THROTTLED", "asked too often"),
      ),
    want: "REGISTRY_THROTTLED",
  },
  {
    name: "a registry that does not hand out an envelope now",
    spoil: ({ attach, refusals }) => {
      const bytes = envelopeOf({ metadata: { bad: "one" } });
      attach(app, bytes);
      refusals.set(`blob ${digestOf(bytes)}`, undecided("REGISTRY_UNREACHABLE", "no answer"));
    },
    want: "REGISTRY_UNREACHABLE",
  },
  {
    name: "an envelope on a host that is not configured",
    spoil: ({ attach, refusals }) => {
      const bytes = envelopeOf({ metadata: { bad: "one" } });
      attach(app, bytes);
      refusals.set(`blob ${digestOf(bytes)}`, rejected("REGISTRY_NOT_ALLOWED", "other host"));
    },
    want: "REGISTRY_NOT_ALLOWED",
  },
];
for (const { name, spoil, want } of bad) {
  test(`${name} spoils itself and not the signature beside it`, async () => {
    const registry = createRegistry();
    spoil(registry);
    registry.attach(app, envelopeOf({ metadata: { good: "one" } }));
    const outcome = await collector(registry)(app, subject.digest, undefined, never);
    assert.deepEqual(outcomes(outcome), [want, "envelope"]);
    assert.equal(evidenceOf(outcome).listed, 2);
  });
}

test("F-08 a signature that makes us throw spoils itself and not the signature beside it, and is told", async () => {
  const registry = createRegistry();
  const { digest } = registry.attach(app, envelopeOf({ metadata: { bad: "one" } }));
  registry.attach(app, envelopeOf({ metadata: { good: "one" } }));
  const fault = new Error("a fault of ours");
  registry.hold(async (call) => {
    if (call === "manifest" && registry.calls.at(-1)?.includes(digest.slice(0, 15))) throw fault;
    await Promise.resolve();
  });
  const faults: unknown[] = [];
  const collect = collector(registry, { onFault: (error) => faults.push(error) });
  const outcome = await collect(app, subject.digest, undefined, never);
  assert.deepEqual(outcomes(outcome), ["INTERNAL_ERROR", "envelope"]);
  assert.deepEqual(faults, [fault]);
});

test("T-12 what is too large by its descriptor is not asked for", async () => {
  const registry = createRegistry();
  registry.list(app, { ...other, size: MAX_MANIFEST_BYTES + 1 });
  registry.attach(app, " ".repeat(100_001));
  await collector(registry)(app, subject.digest, undefined, never);
  const asked = new Set(registry.calls.map((call) => call.split(" ")[0]));
  assert.deepEqual(asked, new Set(["subject", "signatures", "manifest"]));
  assert.equal(registry.calls.length, 3);
});

test("a refusal of the registry is not kept, a malformed signature is", async () => {
  const registry = createRegistry();
  const { digest } = registry.attach(app, envelopeOf());
  registry.attach(app, "{");
  registry.refusals.set(`manifest ${digest}`, undecided("REGISTRY_ERROR", "odd answer"));
  const collect = collector(registry);
  assert.deepEqual(outcomes(await collect(app, subject.digest, undefined, never)), [
    "REGISTRY_ERROR",
    "MALFORMED_SIGNATURE",
  ]);
  registry.refusals.clear();
  registry.calls.length = 0;
  assert.deepEqual(outcomes(await collect(app, subject.digest, undefined, never)), [
    "envelope",
    "MALFORMED_SIGNATURE",
  ]);
  assert.deepEqual(
    registry.calls.map((call) => call.split(" ")[0]),
    ["signatures", "manifest", "blob"],
  );
});

const refusals: readonly { readonly call: string; readonly refusal: Refusal }[] = [
  { call: "subject", refusal: rejected("IMAGE_NOT_FOUND", "no such image") },
  { call: "subject", refusal: rejected("NOT_AN_IMAGE", "something else") },
  { call: "subject", refusal: undecided("REGISTRY_UNREACHABLE", "no answer") },
  { call: "signatures", refusal: undecided("REGISTRY_ERROR", "odd answer") },
];
for (const { call, refusal } of refusals) {
  test(`${refusal.reason} of the ${call} is the answer`, async () => {
    const registry = createRegistry();
    registry.attach(app, envelopeOf());
    registry.refusals.set(`${call} ${subject.digest}`, refusal);
    const outcome = await collector(registry)(app, subject.digest, undefined, never);
    assert.deepEqual(outcome, refusal);
    assert.equal(registry.calls.length, 2);
  });
}

test("a subject that is refused ends the question for its signatures", async () => {
  const registry = createRegistry();
  registry.refusals.set(`subject ${subject.digest}`, rejected("IMAGE_NOT_FOUND", "no such image"));
  const listing = Promise.withResolvers<AbortSignal>();
  registry.hold((call, signal) => {
    if (call !== "signatures") return Promise.resolve();
    listing.resolve(signal);
    return new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(new Error("ended")));
    });
  });
  const outcome = await collector(registry)(app, subject.digest, undefined, never);
  assert.equal("reason" in outcome && outcome.reason, "IMAGE_NOT_FOUND");
  assert.equal((await listing.promise).aborted, true);
});

test("a registry that answers with another image is an error", async () => {
  const registry = createRegistry();
  const asked: Digest = digestOf("asked for");
  registry.put(app, IMAGE, "asked for");
  const outcome = await collector(registry)(app, asked, undefined, never);
  assert.equal("reason" in outcome && outcome.reason, "REGISTRY_ERROR");
});

test("a descriptor of another image is an error and is not kept", async () => {
  const collect = collector(createRegistry());
  const outcome = await collect(app, subject.digest, other, never);
  assert.equal("reason" in outcome && outcome.reason, "REGISTRY_ERROR");
  assert.deepEqual(
    evidenceOf(await collect(app, subject.digest, undefined, never)).subject,
    subject,
  );
});

for (const at of ["subject", "signatures", "manifest", "blob"]) {
  test(`a deadline during ${at} rejects with its reason and ends every request`, async () => {
    const registry = createRegistry();
    registry.attach(app, envelopeOf());
    registry.attach(app, envelopeOf({ metadata: { second: "one" } }));
    const deadline = new AbortController();
    const reason = new Error("too late");
    const signals: AbortSignal[] = [];
    registry.hold(async (call, signal) => {
      signals.push(signal);
      if (call === at) deadline.abort(reason);
    });
    await assert.rejects(
      collector(registry)(app, subject.digest, undefined, deadline.signal),
      (error) => error === reason,
    );
    assert.equal(
      signals.every((signal) => signal.aborted),
      true,
    );
  });
}

/** Resolves when everything that can go on by itself has gone on. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
