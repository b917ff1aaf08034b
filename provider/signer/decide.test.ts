import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createSigningAuthority,
  jobArn,
  profileArn,
  profileVersionArn,
} from "../../testing/aws/envelopes.ts";
import { createAuthority } from "../../testing/signing/authority.ts";
import type { SignerAnswer } from "./answer.ts";
import { isTrusted, wordsOf } from "./decide.ts";
import { MAX_REQUEST_BYTES, REVOCATION_CHECK, TRUSTED_IDENTITY } from "./plugin.ts";
import { hashesOf, type SignerQuestion } from "./question.ts";
import { verifySignature } from "./verify-signature.ts";

const { signer } = await createSigningAuthority();
const small = await createAuthority({ name: "Small" });
const other = await small.issue({ commonName: "app" });

const JOB = jobArn({}, "00000000-0000-4000-8000-000000000001");
const PROFILE_VERSION = profileVersionArn();
const ALIAS = "arn:aws:signer:::/aliases/release";
const ALIASED =
  "arn:aws:signer:eu-west-1::/aliased-signing-profiles/00000000-0000-4000-8000-000000000002";
const BOTH = [TRUSTED_IDENTITY, REVOCATION_CHECK];
const ATTRIBUTES = {
  "com.amazonaws.signer.signingProfileVersion": PROFILE_VERSION,
  "com.amazonaws.signer.signingJob": JOB,
};

interface Changes {
  readonly contractVersion?: unknown;
  readonly scheme?: unknown;
  readonly signedAt?: unknown;
  readonly attributes?: Readonly<Record<string, unknown>>;
  readonly chain?: readonly Uint8Array[];
  readonly identities?: readonly unknown[] | null;
  readonly capabilities?: readonly unknown[];
}

/** A request as Notation 1.3 writes it. */
function requestOf(changes: Changes = {}): Buffer {
  const { attributes = ATTRIBUTES, chain = signer.chain } = changes;
  const { signedAt = "2026-01-02T03:04:05Z" } = changes;
  const certificateChain = chain.map((der) => Buffer.from(der).toString("base64"));
  return Buffer.from(
    JSON.stringify({
      contractVersion: changes.contractVersion ?? "1.0",
      signature: {
        criticalAttributes: {
          contentType: "application/vnd.cncf.notary.payload.v1+json",
          signingScheme: changes.scheme ?? "notary.x509.signingAuthority",
          expiry: "0001-01-01T00:00:00Z",
          ...(signedAt !== null && { authenticSigningTime: signedAt }),
          extendedAttributes: attributes,
        },
        unprocessedAttributes: Object.keys(attributes),
        certificateChain,
      },
      trustPolicy: {
        trustedIdentities: changes.identities === undefined ? [profileArn()] : changes.identities,
        signatureVerification: changes.capabilities ?? BOTH,
      },
    }),
  );
}

interface Said {
  readonly code: number;
  readonly document: unknown;
  readonly asked: readonly SignerQuestion[];
}

async function say(
  input: Uint8Array,
  answer: SignerAnswer = { kind: "notRevoked" },
): Promise<Said> {
  const asked: SignerQuestion[] = [];
  const { code, text } = await verifySignature(input, {
    ask: (question) => {
      asked.push(question);
      return Promise.resolve(answer);
    },
  });
  assert.doesNotMatch(text, /\n/);
  return { code, document: JSON.parse(text), asked };
}

const MATCHED = (identity: string) => ({
  success: true,
  reason: `Signature publisher matched "${identity}" trusted identity.`,
});
const UNMATCHED = {
  success: false,
  reason: "Signature publisher doesn't match any trusted identities.",
};
const PROCESSED = Object.keys(ATTRIBUTES);

test("a trusted signature of which nothing is revoked is verified, with every attribute processed", async () => {
  const { code, document, asked } = await say(requestOf());
  assert.deepEqual(
    [code, document],
    [
      0,
      {
        verificationResults: {
          [TRUSTED_IDENTITY]: MATCHED(profileArn()),
          [REVOCATION_CHECK]: { success: true, reason: "Signature is not revoked." },
        },
        processedAttributes: PROCESSED,
      },
    ],
  );
  const hashes = hashesOf(signer.chain);
  assert.deepEqual(
    asked.map(({ key: _key, ...question }) => question),
    [
      {
        partition: "aws",
        region: "us-east-1",
        profileVersionArn: PROFILE_VERSION,
        jobArn: JOB,
        signatureTimestamp: Date.parse("2026-01-02T03:04:05Z"),
        certificateHashes: hashes,
      },
    ],
  );
});

const identities: readonly {
  name: string;
  identities: readonly string[] | null;
  attributes?: Readonly<Record<string, unknown>>;
  matched?: string;
}[] = [
  { name: "the profile", identities: [profileArn()], matched: profileArn() },
  { name: "the profile version", identities: [PROFILE_VERSION], matched: PROFILE_VERSION },
  {
    name: "one of several",
    identities: ["x509.subject: C=US", profileArn({ name: "other" }), profileArn()],
    matched: profileArn(),
  },
  { name: "no identity", identities: [] },
  { name: "no list of identities", identities: null },
  { name: "another profile", identities: [profileArn({ name: "app2" })] },
  { name: "the beginning of the profile's name", identities: [profileArn({ name: "ap" })] },
  { name: "another version", identities: [profileVersionArn({}, "Ver1on0002")] },
  { name: "another account", identities: [profileArn({ account: "999999999999" })] },
  { name: "another region", identities: [profileArn({ region: "eu-west-1" })] },
  { name: "another partition", identities: [profileArn({ partition: "aws-cn" })] },
  { name: "another case", identities: [profileArn().toUpperCase(), PROFILE_VERSION.toLowerCase()] },
  { name: "the job", identities: [JOB] },
  { name: "a pattern", identities: [`${profileArn()}*`, `${profileArn()}/*`] },
  { name: "a slash too many", identities: [`${profileArn()}/`] },
  { name: "the common mistake", identities: [profileArn().replace("profiles", "profile")] },
  {
    name: "the alias",
    identities: [ALIAS],
    attributes: { ...ATTRIBUTES, "com.amazonaws.signer.signingProfileAlias": ALIAS },
    matched: ALIAS,
  },
  { name: "the alias of a signature without one", identities: [ALIAS] },
  {
    name: "a profile that has only an alias",
    identities: [ALIASED],
    attributes: { ...ATTRIBUTES, "com.amazonaws.signer.signingProfileVersion": ALIASED },
    matched: ALIASED,
  },
];

for (const { name, identities: trusted, attributes = ATTRIBUTES, matched } of identities) {
  test(`trusting ${name}: ${matched === undefined ? "not " : ""}the signer, and Signer asked of a trusted one alone`, async () => {
    const { code, document, asked } = await say(requestOf({ identities: trusted, attributes }));
    const revocation =
      matched === undefined
        ? {
            success: false,
            reason: "AWS Signer was not asked: the signature publisher is not trusted.",
          }
        : { success: true, reason: "Signature is not revoked." };
    assert.deepEqual(
      [code, document, asked.length],
      [
        0,
        {
          verificationResults: {
            [TRUSTED_IDENTITY]: matched === undefined ? UNMATCHED : MATCHED(matched),
            [REVOCATION_CHECK]: revocation,
          },
          processedAttributes: Object.keys(attributes),
        },
        matched === undefined ? 0 : 1,
      ],
    );
  });
}

test("a profile is trusted exactly, as before the run", () => {
  assert.equal(isTrusted(PROFILE_VERSION, [profileArn()]), true);
  assert.equal(isTrusted(PROFILE_VERSION, ["*"]), false);
  assert.equal(isTrusted("arn:aws:signer:nowhere", ["arn:aws:signer:nowhere"]), true);
});

test("revocation that the policy skips is not asked for", async () => {
  const { document, asked } = await say(requestOf({ capabilities: [TRUSTED_IDENTITY] }));
  assert.deepEqual(document, {
    verificationResults: { [TRUSTED_IDENTITY]: MATCHED(profileArn()) },
    processedAttributes: PROCESSED,
  });
  assert.deepEqual(asked, []);
});

const hashes = hashesOf(signer.chain) ?? [];
const FOREIGN_HASH = "f".repeat(192);
const answers: readonly { name: string; answer: SignerAnswer; reason: string }[] = [
  {
    name: "a revoked job",
    answer: { kind: "revoked", entities: [JOB] },
    reason: `Resource(s) ${JOB} have been revoked.`,
  },
  {
    name: "a revoked profile version",
    answer: { kind: "revoked", entities: [PROFILE_VERSION] },
    reason: `Resource(s) ${PROFILE_VERSION} have been revoked.`,
  },
  {
    name: "a revoked signing certificate",
    answer: { kind: "revoked", entities: hashes.slice(0, 1) },
    reason: `Resource(s) signing certificate ${hashes[0]?.slice(0, 16)} have been revoked.`,
  },
  {
    name: "everything revoked",
    answer: { kind: "revoked", entities: [PROFILE_VERSION, JOB, ...hashes] },
    reason: `Resource(s) ${PROFILE_VERSION}, ${JOB} and 3 more have been revoked.`,
  },
  {
    name: "something revoked that was not asked about",
    answer: { kind: "revoked", entities: [`${FOREIGN_HASH}\n"`] },
    reason: `Resource(s) ${FOREIGN_HASH.slice(0, 157)}… have been revoked.`,
  },
  {
    name: "a denial",
    answer: {
      kind: "unknown",
      reason: "SIGNER_DENIED",
      sentence: "AccessDeniedException: User: … is not authorized",
    },
    reason:
      "GetRevocationStatus call failed with error: AccessDeniedException: User: … is not authorized",
  },
];
for (const { name, answer, reason } of answers) {
  test(`${name} is named in the reason`, async () => {
    const { code, document } = await say(requestOf(), answer);
    assert.deepEqual(
      [code, document],
      [
        0,
        {
          verificationResults: {
            [TRUSTED_IDENTITY]: MATCHED(profileArn()),
            [REVOCATION_CHECK]: { success: false, reason },
          },
          processedAttributes: PROCESSED,
        },
      ],
    );
  });
}

test("a verdict's words name what was revoked, and say what AWS said", () => {
  const question = { certificateHashes: hashes };
  const words = answers.map(({ answer }) => wordsOf(question, answer));
  assert.deepEqual(words.slice(0, 1), [
    { reason: "REVOKED", sentence: `AWS Signer revoked ${JOB}` },
  ]);
  assert.deepEqual(words.at(-1), {
    reason: "SIGNER_DENIED",
    sentence: "AccessDeniedException: User: … is not authorized",
  });
  assert.ok(words.every((one) => Buffer.byteLength(one?.sentence ?? "") <= 200));
  assert.equal(wordsOf(question, { kind: "notRevoked" }), undefined);
});

const FROM_SIGNER = "Not a signature of AWS Signer: ";
const SHAPE = `${FROM_SIGNER}its profile version, job, signing time or chain is not what Signer writes`;
const INVALID = "VALIDATION_ERROR";
const [leaf = Buffer.alloc(0)] = signer.chain;
const profile = (arn: unknown) => ({
  attributes: { ...ATTRIBUTES, "com.amazonaws.signer.signingProfileVersion": arn },
});
const refused: readonly {
  name: string;
  changes: Changes;
  errorCode?: string;
  errorMessage: string;
}[] = [
  {
    name: "everyone as trusted",
    changes: { identities: ["*"] },
    errorMessage: "The AWSSigner plugin does not support wildcard identity in the trust policy.",
  },
  {
    name: "everyone beside others",
    changes: { identities: [profileArn(), "*"] },
    errorMessage: "The AWSSigner plugin does not support wildcard identity in the trust policy.",
  },
  {
    name: "another signing scheme",
    changes: { scheme: "notary.x509" },
    errorMessage: `${FROM_SIGNER}its signing scheme is not notary.x509.signingAuthority`,
  },
  {
    name: "a key of another curve",
    changes: { chain: other.chain },
    errorMessage: `${FROM_SIGNER}its key is not of the curve P-384`,
  },
  {
    name: "another contract",
    changes: { contractVersion: "2.0" },
    errorCode: "UNSUPPORTED_CONTRACT_VERSION",
    errorMessage: "the plugin speaks contract version 1.0 alone",
  },
  { name: "no signing time", changes: { signedAt: null }, errorMessage: SHAPE },
  {
    name: "a signing time that is none",
    changes: { signedAt: "yesterday" },
    errorMessage: "the request has a wrong signature.criticalAttributes",
  },
  {
    name: "a capability that was not offered",
    changes: { capabilities: ["SIGNATURE_GENERATOR.RAW"] },
    errorMessage: "the request has a wrong trustPolicy.signatureVerification",
  },
  {
    name: "no chain",
    changes: { chain: [] },
    errorMessage: "the request has a wrong signature.certificateChain",
  },
  {
    name: "a chain of something else",
    changes: { chain: [Buffer.from("no certificate")] },
    errorMessage: SHAPE,
  },
  {
    name: "a leaf with something behind it",
    changes: { chain: [Buffer.concat([leaf, Buffer.of(0)]), ...signer.chain.slice(1)] },
    errorMessage: SHAPE,
  },
  { name: "a leaf cut off", changes: { chain: [leaf.subarray(0, -1)] }, errorMessage: SHAPE },
  { name: "no attributes", changes: { attributes: {} }, errorMessage: SHAPE },
  { name: "a profile that is no text", changes: profile(7), errorMessage: SHAPE },
  { name: "a profile without a version", changes: profile(profileArn()), errorMessage: SHAPE },
  {
    name: "a region that is not one of the partition",
    changes: profile(profileVersionArn({ partition: "aws-cn" })),
    errorMessage: SHAPE,
  },
  {
    name: "T-36 a host in the place of the region",
    changes: profile(PROFILE_VERSION.replace("us-east-1", "evil.example/us-east-1")),
    errorMessage: SHAPE,
  },
  {
    name: "a line after the profile",
    changes: profile(`${PROFILE_VERSION}\n`),
    errorMessage: SHAPE,
  },
  {
    name: "an alias that is none",
    changes: { attributes: { ...ATTRIBUTES, "com.amazonaws.signer.signingProfileAlias": "*" } },
    errorMessage: `${FROM_SIGNER}its profile alias is not what Signer writes`,
  },
];
for (const { name, changes, errorCode = INVALID, errorMessage } of refused) {
  test(`${name} is refused, and Signer not asked`, async () => {
    assert.deepEqual(await say(requestOf(changes)), {
      code: 1,
      document: { errorCode, errorMessage },
      asked: [],
    });
  });
}

test("an attribute that is not Signer's is left to Notation, which fails on it", async () => {
  const attributes = { ...ATTRIBUTES, "com.example.unknown": 1 };
  const { document } = await say(requestOf({ attributes }));
  assert.partialDeepStrictEqual(document, { processedAttributes: PROCESSED });
});

test("a request that cannot be read is refused by what is wrong with it", async () => {
  const cases = [
    { input: Buffer.from("nothing"), errorMessage: /^the request cannot be read: / },
    { input: Buffer.from('{"a":1,"a":2}'), errorMessage: /^the request cannot be read: / },
    { input: Buffer.alloc(MAX_REQUEST_BYTES + 1, " "), errorMessage: /more than 1048576 bytes$/ },
  ];
  for (const { input, errorMessage } of cases) {
    const { code, document } = await say(input);
    assert.equal(code, 1);
    assert.partialDeepStrictEqual(document, { errorCode: INVALID });
    assert.match((document as { errorMessage: string }).errorMessage, errorMessage);
  }
});
