import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import type { SignerAnswer } from "../../../provider/signer/answer.ts";
import { REVOCATION_CHECK, TRUSTED_IDENTITY, METADATA } from "../../../provider/signer/plugin.ts";
import {
  JOB,
  PROFILE_ALIAS,
  PROFILE_VERSION,
  type SignerQuestion,
} from "../../../provider/signer/question.ts";
import type { VerifyRequest } from "../../../provider/signer/request.ts";
import { verifySignature } from "../../../provider/signer/verify-signature.ts";
import { assertLine, assertNoRepetition } from "../assertions.ts";
import { json } from "../form.ts";
import type { Target } from "../target.ts";

const ERRORS = new Set(["VALIDATION_ERROR", "UNSUPPORTED_CONTRACT_VERSION", "ERROR"]);

/** What AWS Signer says: one of these, the same for the same input. */
const SAID: readonly SignerAnswer[] = [
  { kind: "notRevoked" },
  { kind: "revoked", entities: ["arn:aws:signer:us-east-1:111122223333:/signing-jobs/a\nb"] },
  { kind: "unknown", reason: "SIGNER_DENIED", sentence: "no\nright" },
];

interface Result {
  readonly success: boolean;
  readonly reason: string;
}

/** The request as another reader has it. Only of one that was accepted. */
function readAgain(input: Uint8Array) {
  const text = Buffer.from(input).toString();
  assertNoRepetition(text);
  const { signature, trustPolicy } = JSON.parse(text) as VerifyRequest;
  const { signingScheme, authenticSigningTime, extendedAttributes } = signature.criticalAttributes;
  const attributes = new Map(Object.entries(extendedAttributes ?? {}));
  const version = String(attributes.get(PROFILE_VERSION));
  // Without the version at its end, if it has one.
  const profile = version.replace(/\/[0-9A-Za-z]{10}$/, "");
  const names = new Set<unknown>([version, profile, attributes.get(PROFILE_ALIAS)]);
  const identities = trustPolicy.trustedIdentities ?? [];
  return {
    signingScheme,
    signedAt: Date.parse(authenticSigningTime ?? ""),
    chain: signature.certificateChain.map((der) => Buffer.from(der, "base64")),
    attributes,
    version,
    identities,
    isTrusted: identities.some((identity) => names.has(identity)),
    checks: new Set<string>(trustPolicy.signatureVerification ?? []),
  };
}

/**
 * What Notation writes to the plugin. One document comes out; AWS Signer is asked once at most, and of nobody who is not trusted; an
 * identity is trusted as another reader finds it, and nothing is called not revoked but what Signer called so.
 */
export const target: Target = {
  name: "plugin",
  title:
    "T-32 T-67 AWS Signer is asked of nobody who is not trusted, and nothing is not revoked but what it called so",
  maxBytes: 262_144,
  form: json,
  words: [
    ...METADATA.capabilities,
    PROFILE_VERSION,
    PROFILE_ALIAS,
    JOB,
    "contractVersion",
    "1.0",
    "signature",
    "criticalAttributes",
    "contentType",
    "signingScheme",
    "expiry",
    "authenticSigningTime",
    "extendedAttributes",
    "unprocessedAttributes",
    "certificateChain",
    "trustPolicy",
    "trustedIdentities",
    "signatureVerification",
    "pluginConfig",
    "aws-region",
    "*",
    "notary.x509",
    "notary.x509.signingAuthority",
    "2026-01-02T03:04:05Z",
    "2026-01-02T03:04:05.678+02:00",
    "arn:aws:signer:us-east-1:111122223333:/signing-profiles/app",
    "arn:aws:signer:us-east-1:111122223333:/signing-profiles/app/Ver1on0001",
    "arn:aws-cn:signer:cn-north-1:111122223333:/signing-profiles/app/Ver1on0001",
    "arn:aws:signer:::/aliases/release",
    "__proto__",
  ],
  async check(input) {
    const asked: SignerQuestion[] = [];
    const [first = 0] = createHash("sha256").update(input).digest();
    const answer = SAID[first % SAID.length] ?? { kind: "notRevoked" };
    const { code, text } = await verifySignature(input, {
      ask: async (question) => {
        asked.push(question);
        return answer;
      },
    });
    const document = JSON.parse(text);
    assert.doesNotMatch(text, /[\r\n]/);
    if (code === 1) {
      assert.deepEqual(Object.keys(document), ["errorCode", "errorMessage"]);
      assert.ok(ERRORS.has(document.errorCode), document.errorCode);
      assertLine(document.errorMessage);
      assert.deepEqual(asked, []);
      return `${document.errorCode}: ${document.errorMessage}`;
    }

    assert.equal(code, 0);
    const request = readAgain(input);
    const { attributes, checks, isTrusted } = request;
    assert.deepEqual(Object.keys(document), ["verificationResults", "processedAttributes"]);
    const results = new Map(Object.entries<Result>(document.verificationResults));
    assert.deepEqual(new Set(results.keys()), checks);
    for (const { reason } of results.values()) assertLine(reason);
    assert.equal(request.signingScheme, "notary.x509.signingAuthority");
    assert.ok(!request.identities.includes("*"));
    for (const name of document.processedAttributes) assert.ok(attributes.has(name), name);

    if (checks.has(TRUSTED_IDENTITY))
      assert.equal(results.get(TRUSTED_IDENTITY)?.success, isTrusted);
    const isAsked = checks.has(REVOCATION_CHECK) && (!checks.has(TRUSTED_IDENTITY) || isTrusted);
    assert.equal(asked.length, Number(isAsked));
    const isGood = isAsked && answer.kind === "notRevoked";
    assert.equal(results.get(REVOCATION_CHECK)?.success ?? false, isGood);
    for (const question of asked) assertAbout(question, request);
    return `${[...results].map(([name, { success }]) => `${name} ${success}`).join()} ${document.processedAttributes.length}`;
  },
};

/** The question is about this signature and no other. */
function assertAbout(
  question: SignerQuestion,
  { attributes, version, signedAt, chain }: ReturnType<typeof readAgain>,
): void {
  const { partition, region, profileVersionArn, jobArn } = question;
  assert.equal(profileVersionArn, version);
  assert.ok(version.startsWith(`arn:${partition}:signer:${region}:`), version);
  assert.equal(jobArn, attributes.get(JOB));
  assert.equal(question.signatureTimestamp, signedAt);
  assert.equal(question.certificateHashes.length, chain.length);
  for (const hash of question.certificateHashes) assert.match(hash, /^[0-9a-f]{192}$/);
  const { publicKey } = new X509Certificate(chain[0] ?? Buffer.alloc(0));
  assert.equal(publicKey.asymmetricKeyDetails?.namedCurve, "secp384r1");
}
