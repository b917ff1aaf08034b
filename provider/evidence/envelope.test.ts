import assert from "node:assert/strict";
import { test } from "node:test";
import { encode, Tagged } from "cborg";
import { createAuthority } from "../../testing/signing/authority.ts";
import { brokenEnvelopes, changed } from "../../testing/signing/broken.ts";
import {
  awsSigner,
  COSE,
  cose,
  coseHeader,
  JWS,
  jws,
  jwsHeader,
  payloadOf,
  sealCose,
  sealJws,
  type EnvelopeOptions,
} from "../../testing/signing/envelope.ts";
import { isRefusal } from "../verdict/verdict.ts";
import { readEnvelope } from "./envelope.ts";
import { MAX_METADATA } from "./envelope-payload.ts";

const subject = {
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  digest: `sha256:${"a".repeat(64)}`,
  size: 528,
};
const NOTARY = "io.cncf.notary.";
const label = `${NOTARY}signingTime`;
const AWS_PLUGIN = "com.amazonaws.signer.notation.plugin";
const PROFILE = "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/app/abcdefghij";
const JOB =
  "arn:aws:signer:eu-west-1:111122223333:/signing-jobs/6e6b9a4c-0000-4000-8000-000000000000";

const authority = await createAuthority({ name: "Example root", intermediate: true });
const signer = await authority.issue({
  commonName: "release",
  organization: "Example, Inc.",
  notAfter: new Date("2030-06-01T12:00:00Z"),
});
const broken = await brokenEnvelopes(subject);
const signedAt = new Date("2026-11-02T10:00:00.900Z");
const expiry = new Date("2038-01-02T10:00:00Z");
const good: EnvelopeOptions = { signer, subject, signedAt };
/** The leaf's end, which comes before those of its issuers. */
const certificatesUntil = "2030-06-01T12:00:00Z";
const LINE = "CN=release,O=Example\\, Inc.,ST=WA,C=US";

/** Header members that make an otherwise good JWS. */
const jwsWith = (members: object, options: EnvelopeOptions = good) =>
  sealJws({
    signer,
    header: { ...jwsHeader(options), ...members },
    payload: payloadOf(options),
  });
const coseWith = (...members: readonly (readonly [unknown, unknown])[]) =>
  sealCose({
    signer,
    header: new Map([...coseHeader(good), ...members]),
    payload: payloadOf(good),
  });
const jwsOf = (payload: unknown) => sealJws({ signer, header: jwsHeader(good), payload });
const jwsChain = (chain: readonly Uint8Array[]) =>
  sealJws({ signer, header: jwsHeader(good), payload: payloadOf(good), chain });

const claims = [
  {
    name: "a plain signature",
    options: good,
    want: {
      signer: { scheme: "notary.x509", subject: LINE },
      signedAt: "2026-11-02T10:00:00Z",
      certificatesUntil,
    },
  },
  {
    name: "a signature with expiry and metadata",
    options: { ...good, expiry, metadata: { commit: "abc", __proto__x: "y" } },
    want: {
      signer: { scheme: "notary.x509", subject: LINE },
      signedAt: "2026-11-02T10:00:00Z",
      certificatesUntil,
      expiresAt: "2038-01-02T10:00:00Z",
      metadata: { commit: "abc", __proto__x: "y" },
    },
  },
  {
    name: "a signing authority's signature",
    options: { ...good, scheme: "notary.x509.signingAuthority" },
    want: {
      signer: { scheme: "notary.x509.signingAuthority", subject: LINE },
      signedAt: "2026-11-02T10:00:00Z",
    },
  },
  {
    name: "a plugin that is named, with attributes that only it understands",
    options: { ...good, plugin: "com.example.plugin", critical: { "com.example.a": { b: [1] } } },
    want: {
      signer: { scheme: "notary.x509", subject: LINE },
      signedAt: "2026-11-02T10:00:00Z",
      certificatesUntil,
      plugin: "com.example.plugin",
    },
  },
  {
    name: "AWS Signer's profile version and job",
    options: awsSigner({ ...good, expiry, profileVersion: PROFILE, job: JOB }),
    want: {
      signer: {
        scheme: "notary.x509.signingAuthority",
        subject: LINE,
        identity: PROFILE,
        job: JOB,
      },
      signedAt: "2026-11-02T10:00:00Z",
      expiresAt: "2038-01-02T10:00:00Z",
      plugin: AWS_PLUGIN,
    },
  },
  {
    name: "no identity from attributes that no plugin of AWS has compared",
    options: {
      ...good,
      plugin: "com.example.plugin",
      critical: {
        "com.amazonaws.signer.signingProfileVersion": PROFILE,
        "com.amazonaws.signer.signingJob": JOB,
      },
    },
    want: {
      signer: { scheme: "notary.x509", subject: LINE },
      signedAt: "2026-11-02T10:00:00Z",
      certificatesUntil,
      plugin: "com.example.plugin",
    },
  },
  {
    name: "no identity from attributes that nobody has to understand",
    options: { ...good, optional: { "com.amazonaws.signer.signingProfileVersion": PROFILE } },
    want: {
      signer: { scheme: "notary.x509", subject: LINE },
      signedAt: "2026-11-02T10:00:00Z",
      certificatesUntil,
    },
  },
] as const satisfies readonly { name: string; options: EnvelopeOptions; want: object }[];

for (const { name, options, want } of claims) {
  test(`JWS claims: ${name}`, () => assert.deepEqual(readEnvelope(JWS, jws(options)), want));
  test(`COSE claims: ${name}`, () => assert.deepEqual(readEnvelope(COSE, cose(options)), want));
}

// The codes of what Notation refuses as well, and of what only we refuse. The integration test holds the same table
// against Notation.
for (const { name, mediaType, bytes, vetted } of broken.cases) {
  test(`${vetted ? "refuses" : "leaves to Notation"}: ${name}`, () => {
    const read = readEnvelope(mediaType, bytes);
    assert.equal(
      isRefusal(read) ? read.reason : "claims",
      vetted ? "MALFORMED_SIGNATURE" : "claims",
    );
  });
}

const times = [
  { time: "2028-02-29T23:59:59Z", want: "2028-02-29T23:59:59Z" },
  { time: "2026-11-02T10:00:00.999999999Z", want: "2026-11-02T10:00:00Z" },
  { time: "2026-11-02T10:00:00+05:30", want: "2026-11-02T04:30:00Z" },
  { time: "2026-02-29T00:00:00Z", want: undefined },
  { time: "2026-13-01T00:00:00Z", want: undefined },
  { time: "2026-00-01T00:00:00Z", want: undefined },
  { time: "2026-01-00T00:00:00Z", want: undefined },
  { time: "2026-01-01T24:00:00Z", want: undefined },
  { time: "2026-01-01T00:00:60Z", want: undefined },
  { time: "2026-01-01T00:00:00", want: undefined },
  { time: "2026-01-01 00:00:00Z", want: undefined },
  { time: "2026-01-01t00:00:00z", want: undefined },
  { time: "2026-01-01T00:00:00Z\n", want: undefined },
  { time: 1_700_000_000, want: undefined },
  { time: null, want: undefined },
];
for (const { time, want } of times) {
  test(`JWS time ${JSON.stringify(time)} is ${want ?? "refused"}`, () => {
    const read = readEnvelope(JWS, jwsWith({ [`${NOTARY}signingTime`]: time }));
    assert.equal("signedAt" in read ? read.signedAt : undefined, want);
  });
}

const text = jws(good).toString();
const leaf = signer.chain[0] ?? Buffer.alloc(0);
const pem = `-----BEGIN CERTIFICATE-----\n${leaf.toString("base64")}\n-----END CERTIFICATE-----\n`;
const many = Object.fromEntries(
  Array.from({ length: MAX_METADATA.entries + 1 }, (_, index) => [`name${index}`, "value"]),
);
const plugin = { ...good, plugin: "com.example.plugin" };
const aws = awsSigner({ ...good, profileVersion: PROFILE, job: JOB });
/** The critical names of a good JWS. */
const critical = (options: EnvelopeOptions) => jwsHeader(options)["crit"] as readonly string[];
/** A list of so many texts. */
const partsOf = (count: number) => Array.from({ length: count }, () => "");
/** The leaf below so many roots. */
const chainOf = (roots: number) => [leaf, ...Array.from({ length: roots }, () => authority.root)];
/** A part of the JWS replaced by text that means the same bytes to a lax reader. */
const respelt = (name: string, change: (value: string) => string) =>
  changed(jws(good), (envelope) => ({ ...envelope, [name]: change(String(envelope[name])) }));

const refusedJws: readonly (readonly [name: string, bytes: Uint8Array])[] = [
  ["base64url with padding", respelt("payload", (value) => `${value}=`)],
  ["base64url with a line break", respelt("payload", (value) => `${value}\n`)],
  ["base64url with loose bits", respelt("signature", (value) => `${value.slice(0, -1)}B`)],
  ["base64 where base64url belongs", respelt("signature", () => "+/+/")],
  ["an empty signature", respelt("signature", () => "")],
  [
    "a signature that is a number",
    changed(jws(good), (envelope) => ({ ...envelope, signature: 1 })),
  ],
  [
    "a member in the envelope that is none of a JWS",
    changed(jws(good), (e) => ({ ...e, more: 1 })),
  ],
  ["a byte order mark", Buffer.from(`\ufeff${text}`)],
  ["UTF-16", Buffer.from(text, "utf16le")],
  ["50,000 levels", Buffer.from("[".repeat(50_000) + "]".repeat(50_000))],
  [
    "T-12 more parts than a signer writes",
    changed(jws(good), (e) => ({
      ...e,
      header: { ...(e["header"] as object), more: partsOf(5000) },
    })),
  ],
  ["T-12 a header of more parts than a signer writes", jwsWith({ more: partsOf(5000) })],
  [
    "T-12 a payload of more parts than a signer writes",
    jwsOf({ targetArtifact: subject, more: partsOf(5000) }),
  ],
  ["a chain in PEM", jwsChain([Buffer.from(pem), ...signer.chain.slice(1)])],
  [
    "bytes after a certificate",
    jwsChain([Buffer.concat([leaf, Buffer.of(0)]), ...signer.chain.slice(1)]),
  ],
  [
    "a certificate that ends at no time",
    jwsChain([
      Buffer.from(leaf.toString("latin1").replace("300601120000Z", "300601990000Z"), "latin1"),
      ...signer.chain.slice(1),
    ]),
  ],
  ["a certificate that is none", jwsChain([...signer.chain, Buffer.from("hello")])],
  ["an empty chain", jwsChain([])],
  ["eleven certificates", jwsChain(chainOf(10))],
  ["a chain that is text", changed(jws(good), (e) => ({ ...e, header: { x5c: "abcd" } }))],
  [
    "a certificate with a line break in its base64",
    changed(jws(good), (e) => ({
      ...e,
      header: { x5c: signer.chain.map((der) => `${der.toString("base64")}\n`) },
    })),
  ],
  [
    "a timestamp that is not base64",
    changed(jws(good), (e) => ({
      ...e,
      header: { ...(e["header"] as object), [`${NOTARY}timestampSignature`]: "!" },
    })),
  ],
  [
    "a signing agent that is not text",
    changed(jws(good), (e) => ({
      ...e,
      header: { ...(e["header"] as object), [`${NOTARY}signingAgent`]: {} },
    })),
  ],
  [
    "an unprotected member in another case",
    changed(jws(good), (e) => ({
      ...e,
      header: { X5C: signer.chain.map((der) => der.toString("base64")) },
    })),
  ],
  ["a critical list that is text", jwsWith({ crit: `${NOTARY}signingScheme` })],
  [
    "a critical name twice",
    jwsWith({ crit: [`${NOTARY}signingScheme`, `${NOTARY}signingScheme`] }),
  ],
  ["a critical name that is a number", jwsWith({ crit: [`${NOTARY}signingScheme`, 1] })],
  [
    "a critical signing time of notary.x509",
    jwsWith({ crit: [...critical(plugin), label] }, plugin),
  ],
  [
    "a critical signing authority's time under notary.x509",
    jwsWith({
      crit: [...critical(good), `${NOTARY}authenticSigningTime`],
      [`${NOTARY}authenticSigningTime`]: "2026-11-02T10:00:00Z",
    }),
  ],
  [
    "the time of notary.x509 under a signing authority",
    jwsWith(
      { [label]: "2026-11-02T10:00:00Z" },
      { ...good, scheme: "notary.x509.signingAuthority" },
    ),
  ],
  ["an expiry in another case", jwsWith({ "IO.CNCF.NOTARY.EXPIRY": "2026-11-02T11:00:00Z" })],
  [
    "an attribute with a long s",
    jwsWith({ [`${NOTARY}authentic\u017figningTime`]: "2026-11-02T11:00:00Z" }),
  ],
  [
    "an artifact with a second digest with a long s",
    jwsOf({ targetArtifact: { ...subject, "dige\u017ft": "sha256:" } }),
  ],
  [
    "AWS Signer's profile that is not critical",
    jws({
      ...good,
      scheme: "notary.x509.signingAuthority",
      plugin: AWS_PLUGIN,
      critical: { "com.amazonaws.signer.signingJob": JOB },
      optional: { "com.amazonaws.signer.signingProfileVersion": PROFILE },
    }),
  ],
  ["an expiry that is not critical", jwsWith({ [`${NOTARY}expiry`]: "2038-01-02T10:00:00Z" })],
  ["an expiry at the signing time", jws({ ...good, expiry: signedAt })],
  ["an expiry that is null", jwsWith({ [`${NOTARY}expiry`]: null }, { ...good, expiry })],
  [
    "a signing authority without its time",
    jwsWith(
      { [`${NOTARY}authenticSigningTime`]: undefined },
      { ...good, scheme: "notary.x509.signingAuthority" },
    ),
  ],
  [
    "a plugin that is no text",
    jwsWith({ [`${NOTARY}verificationPlugin`]: ["com.example.plugin"] }, plugin),
  ],
  ["a plugin's version that is none", jws({ ...plugin, pluginMinVersion: "1.x" })],
  [
    "a plugin's version without a plugin",
    jwsWith(
      {
        [`${NOTARY}verificationPlugin`]: undefined,
        crit: [`${NOTARY}signingScheme`, `${NOTARY}verificationPluginMinVersion`],
      },
      plugin,
    ),
  ],
  ["AWS Signer's plugin under notary.x509", jws({ ...aws, scheme: "notary.x509" })],
  [
    "AWS Signer's plugin without a profile",
    jws({ ...good, scheme: "notary.x509.signingAuthority", plugin: AWS_PLUGIN }),
  ],
  [
    "AWS Signer's profile that is no ARN",
    jws(awsSigner({ ...good, profileVersion: "app", job: JOB })),
  ],
  [
    "AWS Signer's job with control characters",
    jws(awsSigner({ ...good, profileVersion: PROFILE, job: `${JOB}\n` })),
  ],
  ["a payload that is text", jwsOf('"hello"')],
  ["a payload that is not JSON", jwsOf("hello")],
  ["a payload with the artifact in another case", jwsOf({ TargetArtifact: subject })],
  ["an artifact without a digest", jwsOf({ targetArtifact: { ...subject, digest: undefined } })],
  ["an artifact whose size is text", jwsOf({ targetArtifact: { ...subject, size: "528" } })],
  [
    "an artifact with the digest in another case as well",
    jwsOf({ targetArtifact: { ...subject, Digest: "sha256:" } }),
  ],
  ["metadata that is a list", jwsOf({ targetArtifact: { ...subject, annotations: [] } })],
  ["metadata that is not text", jwsOf({ targetArtifact: { ...subject, annotations: { a: 1 } } })],
  ["more metadata than travels, in entries", jws({ ...good, metadata: many })],
  [
    "more metadata than travels, in bytes",
    jws({ ...good, metadata: { a: "é".repeat(MAX_METADATA.bytes / 2) } }),
  ],
];
for (const [name, bytes] of refusedJws) {
  test(`JWS with ${name} is malformed`, () => assertMalformed(readEnvelope(JWS, bytes)));
}

test("certificates are valid until the first of a chain ends, whichever that is", async () => {
  const notAfter = new Date("2029-03-01T00:00:00Z");
  const short = await createAuthority({ name: "Ends first", notAfter });
  const outlived = await short.issue({ commonName: "release", notAfter: new Date("2035-01-01") });
  for (const envelope of [
    readEnvelope(JWS, jws({ ...good, signer: outlived })),
    readEnvelope(COSE, cose({ ...good, signer: outlived })),
  ]) {
    assert.ok(!isRefusal(envelope));
    assert.equal(envelope.certificatesUntil, "2029-03-01T00:00:00Z");
  }
});

test("metadata may be as much as travels, and its names are only names", () => {
  const metadata = Object.fromEntries([
    ["__proto__", "p"],
    ["constructor", "c"],
    ["a", "b".repeat(MAX_METADATA.bytes - "__proto__pconstructorca".length)],
  ]);
  const read = readEnvelope(JWS, jws({ ...good, metadata }));
  assert.deepEqual(
    "metadata" in read && Object.entries(read.metadata ?? {}),
    Object.entries(metadata),
  );
  assert.equal(Object.hasOwn(Object.prototype, "p"), false);
});

/** The parts of a COSE_Sign1, put together with no regard to a signature. */
const sign1 = (protectedBytes: Uint8Array, unprotected: Uint8Array) =>
  Buffer.concat([
    Buffer.of(0xd2, 0x84),
    encode(protectedBytes),
    unprotected,
    encode(Buffer.from(JSON.stringify(payloadOf(good)))),
    encode(Buffer.alloc(64, 1)),
  ]);
const x5chain = encode(new Map([[33, signer.chain.map((der) => new Uint8Array(der))]]));
const cborHeader = encode(coseHeader(good));
/** The protected map with one more entry whose bytes are given. */
const withEntry = (entry: Uint8Array) => {
  const grown = Buffer.concat([cborHeader, entry]);
  grown[0] = (grown[0] ?? 0) + 1;
  return sign1(grown, x5chain);
};
const bytesOf = (...values: readonly unknown[]) =>
  Buffer.concat(values.map((value) => encode(value)));

test("members that nobody knows are allowed in the unprotected header", () => {
  const more = changed(jws(good), (e) => ({
    ...e,
    header: { ...(e["header"] as object), more: partsOf(100) },
  }));
  assert.equal(isRefusal(readEnvelope(JWS, more)), false);
});

test("ten certificates are a chain", () => {
  assert.equal(isRefusal(readEnvelope(JWS, jwsChain(chainOf(9)))), false);
  const chain = encode(new Map([[33, chainOf(9).map((der) => new Uint8Array(der))]]));
  assert.equal(isRefusal(readEnvelope(COSE, sign1(cborHeader, chain))), false);
});

test("the parts that the rows below are made of are good ones", () => {
  assert.equal(isRefusal(readEnvelope(COSE, sign1(cborHeader, x5chain))), false);
  assert.equal(isRefusal(readEnvelope(COSE, withEntry(bytesOf("com.example.a", 1)))), false);
});

const refusedCose: readonly (readonly [name: string, bytes: Uint8Array])[] = [
  ["another tag", Buffer.concat([Buffer.of(0xd3), sign1(cborHeader, x5chain).subarray(1)])],
  [
    "a fifth part",
    Buffer.concat([Buffer.of(0xd2, 0x85), sign1(cborHeader, x5chain).subarray(2), Buffer.of(0)]),
  ],
  [
    "a protected map of indefinite length",
    sign1(Buffer.concat([Buffer.of(0xbf), cborHeader.subarray(1), Buffer.of(0xff)]), x5chain),
  ],
  ["a label twice", withEntry(bytesOf(label, new Tagged(1, 1_700_000_000)))],
  [
    "an integer label twice, once as a float",
    withEntry(Buffer.concat([Buffer.of(0xf9, 0x3c, 0), encode(-7)])),
  ],
  ["a label that is not UTF-8", withEntry(Buffer.of(0x61, 0xff, 0x01))],
  [
    "a label that a lax reader takes for another",
    withEntry(bytesOf(`\ufeff${NOTARY}verificationPlugin`, "p")),
  ],
  ["a label that is bytes", withEntry(bytesOf(Buffer.from("a"), 1))],
  ["an integer label that Notation does not sign", withEntry(bytesOf(33, [Buffer.from("a")]))],
  ["a length in more bytes than it needs", withEntry(Buffer.of(0x78, 0x01, 0x61, 0x01))],
  ["an undefined value", withEntry(Buffer.of(0x61, 0x61, 0xf7))],
  [
    "a number beyond 2^53",
    withEntry(Buffer.concat([encode("a"), Buffer.of(0x1b), Buffer.alloc(8, 0xff)])),
  ],
  [
    "a tag that is none of the format's",
    withEntry(Buffer.concat([encode("a"), Buffer.of(0xc2, 0x41, 0x01)])),
  ],
  [
    "600 items",
    withEntry(
      bytesOf(
        "a",
        Array.from({ length: 600 }, () => 0),
      ),
    ),
  ],
  [
    "100,000 levels",
    withEntry(Buffer.concat([encode("a"), Buffer.alloc(100_000, 0x81), Buffer.of(0)])),
  ],
  ["100,000 levels outside", Buffer.concat([Buffer.of(0xd2, 0x84), Buffer.alloc(100_000, 0x81)])],
  ["an array of four billion", Buffer.of(0xd2, 0x84, 0x9a, 0xff, 0xff, 0xff, 0xff)],
  ["a byte string of four billion", Buffer.of(0xd2, 0x84, 0x5a, 0xff, 0xff, 0xff, 0xff)],
  ["a protected header that is a map", sign1(cborHeader, x5chain).subarray(0, 2)],
  ["a protected header that is empty", sign1(new Uint8Array(), x5chain)],
  ["a protected header that is no map", sign1(encode([1]), x5chain)],
  ["an unprotected header that is no map", sign1(cborHeader, encode([]))],
  ["no chain", sign1(cborHeader, encode(new Map()))],
  ["a chain that is one byte string", sign1(cborHeader, encode(new Map([[33, leaf]])))],
  ["a chain under the text of its label", sign1(cborHeader, encode(new Map([["33", [leaf]]])))],
  [
    "eleven certificates",
    sign1(cborHeader, encode(new Map([[33, chainOf(10).map((der) => new Uint8Array(der))]]))),
  ],
  ["a certificate that is text", sign1(cborHeader, encode(new Map([[33, ["a"]]])))],
  [
    "an unprotected label that is bytes",
    sign1(
      cborHeader,
      encode(
        new Map<unknown, unknown>([
          [33, [leaf]],
          [Buffer.from("a"), 1],
        ]),
      ),
    ),
  ],
  [
    "a tag in the unprotected header",
    sign1(
      cborHeader,
      encode(
        new Map<unknown, unknown>([
          [33, [leaf]],
          ["a", new Tagged(1, 1)],
        ]),
      ),
    ),
  ],
  [
    "a timestamp that is text",
    sign1(
      cborHeader,
      encode(
        new Map<unknown, unknown>([
          [33, [leaf]],
          [`${NOTARY}timestampSignature`, "a"],
        ]),
      ),
    ),
  ],
  [
    "a signing agent that is a number",
    sign1(
      cborHeader,
      encode(
        new Map<unknown, unknown>([
          [33, [leaf]],
          [`${NOTARY}signingAgent`, 1],
        ]),
      ),
    ),
  ],
  ["an algorithm by name", coseWith([1, "ES256"])],
  ["a time that is text under tag 0", coseWith([label, new Tagged(0, "2026-11-02T10:00:00Z")])],
  ["a time in parts of seconds", coseWith([label, new Tagged(1, 1.5)])],
  ["a time before 1970", coseWith([label, new Tagged(1, -1)])],
  ["a time after 9999", coseWith([label, new Tagged(1, 253_402_300_800)])],
  ["a time within a time", coseWith([label, new Tagged(1, new Tagged(1, 1))])],
  ["a critical label that is an integer", coseWith([2, [`${NOTARY}signingScheme`, 3]])],
  ["the content type as a number", coseWith([3, 50])],
];
for (const [name, bytes] of refusedCose) {
  test(`COSE with ${name} is malformed`, () => assertMalformed(readEnvelope(COSE, bytes)));
}

function assertMalformed(read: object): void {
  assert.equal("reason" in read ? read.reason : "claims", "MALFORMED_SIGNATURE");
}

const subjects = [
  { name: "a comma", organization: "A, CN=other", want: "CN=release,O=A\\, CN=other,ST=WA,C=US" },
  { name: "letters beyond ASCII", organization: "Éx 例", want: "CN=release,O=Éx 例,ST=WA,C=US" },
  {
    name: "a line break",
    organization: "A\nCN=other",
    want: "CN=release,O=A\\0ACN=other,ST=WA,C=US",
  },
  {
    name: "an equals sign and a plus",
    organization: "A=B+C",
    want: "CN=release,O=A=B\\+C,ST=WA,C=US",
  },
];
for (const { name, organization, want } of subjects) {
  test(`a subject with ${name} cannot pretend to be another`, async () => {
    const odd = await authority.issue({ commonName: "release", organization });
    const read = readEnvelope(JWS, jws({ ...good, signer: odd }));
    assert.equal("signer" in read && read.signer.subject, want);
  });
}

test("a subject of any length is cut", async () => {
  const long = await authority.issue({ commonName: "release", organization: "é".repeat(5000) });
  const read = readEnvelope(JWS, jws({ ...good, signer: long }));
  assert.equal(Buffer.byteLength("signer" in read ? read.signer.subject : "") <= 512, true);
  assert.equal("signer" in read && read.signer.subject.startsWith("CN=release,O=éé"), true);
});

for (const [mediaType, seal] of [
  [JWS, jws],
  [COSE, cose],
] as const) {
  test(`F-08 a leaf without a subject is malformed in ${mediaType}, and nothing is thrown`, async () => {
    const nameless = await authority.issue({ commonName: "nobody", isNameless: true });
    const read = readEnvelope(mediaType, seal({ ...good, signer: nameless }));
    assert.equal(isRefusal(read) && read.reason, "MALFORMED_SIGNATURE");
  });
}
