import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { FailureReason, RejectReason } from "../verdict/reasons.ts";
import { refusalOf } from "./interpret-reason.ts";

const AWS = "com.amazonaws.signer.notation.plugin";
const revocation = (reason: string) =>
  `revocation check by verification plugin "${AWS}" failed with reason "${reason}"`;
const signerCall = (error: string) =>
  revocation(
    `GetRevocationStatus call failed with error: operation error signer: GetRevocationStatus, ${error}`,
  );

type Code = RejectReason | FailureReason;

/** Every text of Notation 1.3.2 that a run can end with, and its reason. */
const TEXTS: readonly (readonly [Code, string])[] = [
  // Authenticity.
  [
    "UNTRUSTED_SIGNER",
    "the signature's certificate chain does not contain any trusted certificate",
  ],
  ["UNTRUSTED_SIGNER", "no trusted certificates are found to verify authenticity"],
  [
    "WRONG_IDENTITY",
    'signing certificate from the digital signature does not match the X.509 trusted identities [map["C":"US" "O":"Somebody" "ST":"WA"]] defined in the trust policy "p"',
  ],
  ["WRONG_IDENTITY", 'no x509 trusted identities are configured in the trust policy "p"'],
  [
    "WRONG_IDENTITY",
    `trusted identify verification by plugin "${AWS}" failed with reason "Signature publisher doesn't match any trusted identities."`,
  ],
  // Expiry and times.
  ["SIGNATURE_EXPIRED", 'digital signature has expired on "Thu, 19 Nov 2026 04:21:42 +0000"'],
  ["SIGNATURE_EXPIRED", 'digital signature has expired on "some other way to write it"'],
  [
    "CERTIFICATE_EXPIRED",
    'verification time is after certificate "CN=a,O=b,C=US" validity period, it was expired at "Thu, 19 Nov 2026 04:21:42 +0100"',
  ],
  [
    "CERTIFICATE_EXPIRED",
    'verification time is before certificate "CN=a" validity period, it will be valid from "Thu, 19 Nov 2026 04:21:42 +0000"',
  ],
  [
    "CERTIFICATE_EXPIRED",
    'certificate "CN=a" was not valid when the digital signature was produced at "Thu, 19 Nov 2026 04:21:42 +0000"',
  ],
  [
    "CERTIFICATE_EXPIRED",
    'timestamp can be after certificate "CN=a" validity period, it was expired at "Thu, 19 Nov 2026 04:21:42 +0000"',
  ],
  ["MALFORMED_SIGNATURE", "no timestamp countersignature was found in the signature envelope"],
  ["MALFORMED_SIGNATURE", "failed to parse timestamp countersignature with error: unexpected EOF"],
  ["MALFORMED_SIGNATURE", "failed to get the timestamp TSTInfo with error: unexpected EOF"],
  [
    "MALFORMED_SIGNATURE",
    "failed to get timestamp from timestamp countersignature with error: mismatched message",
  ],
  [
    "UNTRUSTED_SIGNER",
    "failed to verify the timestamp countersignature with error: x509: certificate signed by unknown authority",
  ],
  // Integrity.
  ["TAMPERED", "signature is invalid. Error: crypto/ecdsa: verification error"],
  ["TAMPERED", "content descriptor mismatch"],
  [
    "MALFORMED_SIGNATURE",
    "unable to parse the digital signature, error : invalid character 'h' looking for beginning of value",
  ],
  [
    "MALFORMED_SIGNATURE",
    "unable to parse the digital signature, error : cbor: invalid COSE_Sign1_Tagged object",
  ],
  ["MALFORMED_SIGNATURE", "certificate chain is not present"],
  [
    "MALFORMED_SIGNATURE",
    'certificate-chain is invalid, certificate with subject "CN=a": key usage extension must be marked critical',
  ],
  ["MALFORMED_SIGNATURE", "certificate-chain not present or is empty"],
  ["MALFORMED_SIGNATURE", "malformed leaf certificate"],
  ["MALFORMED_SIGNATURE", "COSE envelope malformed leaf certificate"],
  ["MALFORMED_SIGNATURE", "signature missing in jws-json envelope"],
  ["MALFORMED_SIGNATURE", "signature missing in COSE envelope"],
  ["MALFORMED_SIGNATURE", "signature not present or is empty"],
  ["MALFORMED_SIGNATURE", "signature envelope format is invalid"],
  ["MALFORMED_SIGNATURE", 'signature algorithm "none" is not supported'],
  ["MALFORMED_SIGNATURE", "signature algorithm not supported: -8"],
  ["MALFORMED_SIGNATURE", "SignatureAlgorithm is not present"],
  ["MALFORMED_SIGNATURE", "signing-time not present"],
  [
    "MALFORMED_SIGNATURE",
    "jws envelope protected header can't be decoded: invalid character 'x' looking for beginning of value",
  ],
  ["MALFORMED_SIGNATURE", "unsupported SigningScheme: `notary.other`"],
  ["MALFORMED_SIGNATURE", "unsupported signingScheme: notary.other"],
  ["MALFORMED_SIGNATURE", "invalid signingScheme"],
  [
    "MALFORMED_SIGNATURE",
    '"io.cncf.notary.authenticSigningTime" header must be present for notary.x509 signing scheme',
  ],
  [
    "MALFORMED_SIGNATURE",
    '"io.cncf.notary.signingTime" header must not be present for notary.x509.signingAuthority signing scheme',
  ],
  ["MALFORMED_SIGNATURE", '"io.cncf.notary.expiry" header is marked critical but not present'],
  ["MALFORMED_SIGNATURE", 'missing "crit" header'],
  [
    "MALFORMED_SIGNATURE",
    "these required headers are not marked as critical: [io.cncf.notary.signingScheme]",
  ],
  ["MALFORMED_SIGNATURE", "invalid critical headers"],
  ["MALFORMED_SIGNATURE", "invalid expiry: invalid timeValue type"],
  ["MALFORMED_SIGNATURE", "missing content type"],
  ["MALFORMED_SIGNATURE", "content type should be of 'tstr' type"],
  ["MALFORMED_SIGNATURE", 'payload content type "text/plain" not supported'],
  ["MALFORMED_SIGNATURE", "generateRawProtectedCBORMap failed: cbor: unexpected end"],
  ["MALFORMED_SIGNATURE", "expiry cannot be equal or before the signing time"],
  [
    "MALFORMED_SIGNATURE",
    "mismatch between signature algorithm derived from signing certificate (4) and signing algorithm specified (5s)",
  ],
  ["MALFORMED_SIGNATURE", "RSA: key size 1024 not supported"],
  ["MALFORMED_SIGNATURE", "signing key is not supported"],
  [
    "MALFORMED_SIGNATURE",
    "io.cncf.notary.verificationPlugin from extended attribute is an empty string",
  ],
  ["MALFORMED_SIGNATURE", "io.cncf.notary.verificationPlugin is not a critical Extended attribute"],
  [
    "MALFORMED_SIGNATURE",
    "error while getting plugin minimum version, error: io.cncf.notary.verificationPluginMinVersion from extended attribute is not a valid SemVer",
  ],
  // Revocation.
  ["REVOKED", 'signing certificate with subject "CN=a,O=b" is revoked'],
  ["REVOKED", 'timestamping certificate with subject "CN=a,O=b" is revoked'],
  [
    "REVOKED",
    revocation("Resource(s) [arn:aws:signer:us-east-1:1:/signing-jobs/j] have been revoked."),
  ],
  ["REVOKED", revocation("Certificate(s) have been revoked.")],
  ["REVOCATION_UNKNOWN", 'signing certificate with subject "CN=a" revocation status is unknown'],
  [
    "REVOCATION_UNKNOWN",
    'timestamping certificate with subject "CN=a" revocation status is unknown',
  ],
  [
    "REVOCATION_UNKNOWN",
    "unable to check revocation status, err: invalid chain: expected chain to be correct",
  ],
  [
    "SIGNER_DENIED",
    signerCall("https response error StatusCode: 403, RequestID: 1, AccessDeniedException: no"),
  ],
  [
    "REVOCATION_UNKNOWN",
    signerCall(
      "exceeded maximum number of attempts, 3, https response error StatusCode: 429, RequestID: 1, TooManyRequestsException: Rate exceeded",
    ),
  ],
  [
    "REVOCATION_UNKNOWN",
    signerCall("https response error StatusCode: 400, api error ThrottlingException: slow"),
  ],
  [
    "REVOCATION_UNKNOWN",
    signerCall("https response error StatusCode: 500, InternalServiceErrorException: sorry"),
  ],
  [
    "REVOCATION_UNKNOWN",
    signerCall(
      'https response error StatusCode: 0, RequestID: , request send failed, Get \\"https://inside.example/revocations?jobArn=x\\": EOF',
    ),
  ],
  [
    "REVOCATION_UNKNOWN",
    signerCall("get identity: get credentials: failed to refresh cached credentials, no IMDS"),
  ],
  ["REVOCATION_UNKNOWN", signerCall("failed to resolve service endpoint: Missing Region")],
  ["REVOCATION_UNKNOWN", signerCall("deserialization failed, unexpected EOF")],
  ["REVOCATION_UNKNOWN", revocation("something that no plugin said before")],
  // Trust policy and stores.
  [
    "NO_TRUST_POLICY",
    'signature verification failed: artifact "r.io/a@sha256:00" has no applicable trust policy statement. Trust policy applicability for a given artifact is determined by registryScopes.',
  ],
  [
    "TRUST_UNAVAILABLE",
    `the trust store "none" of type "ca" does not exist. Use command 'notation cert add' to create and add trusted certificates to the trust store`,
  ],
  [
    "TRUST_UNAVAILABLE",
    "the trust store n of type ca with path /x is not a regular directory (symlinks are not supported). %!w(<nil>)",
  ],
  ["TRUST_UNAVAILABLE", 'failed to access the trust store "n" of type "ca". permission denied'],
  ["TRUST_UNAVAILABLE", "failed to read the trusted certificate c.pem in trust store n of type ca"],
  [
    "TRUST_UNAVAILABLE",
    "failed to validate the trusted certificate c.pem in trust store n of type ca",
  ],
  [
    "TRUST_UNAVAILABLE",
    "trusted certificate sub in trust store n of type ca is not a regular file (directories or symlinks are not supported)",
  ],
  ["TRUST_UNAVAILABLE", 'no x509 certificates were found in trust store "n" of type "ca"'],
  ["TRUST_UNAVAILABLE", "trust policy is not present. To create a trust policy, see: …"],
  ["TRUST_UNAVAILABLE", "trust policy is not a regular file (symlinks are not supported)."],
  ["TRUST_UNAVAILABLE", "malformed trust policy. To create a trust policy, see: …"],
  ["TRUST_UNAVAILABLE", 'trust policy document uses unsupported version "1.1"'],
  ["TRUST_UNAVAILABLE", "trust policy: registry scope is missing"],
  ["TRUST_UNAVAILABLE", "multiple trust policy statements use the same name"],
  ["TRUST_UNAVAILABLE", 'registry scope "reg.io/*" with wild card(s) is not valid'],
  ["TRUST_UNAVAILABLE", "no trusted TSA certificate found in trust store"],
  // The layout, which is ours.
  [
    "NOTATION_FAILED",
    'signature verification failed: no signature is associated with "r.io/a@sha256:00", make sure the artifact was signed successfully',
  ],
  ["NOTATION_FAILED", "failed to create OCI store: stat .: no such file or directory"],
  ["NOTATION_FAILED", "failed to get manifest descriptor: not found"],
  [
    "NOTATION_FAILED",
    'signature verification failed: unable to retrieve digital signature with digest "sha256:00" associated with "x" from the Repository, error : mismatched digest',
  ],
  [
    "NOTATION_FAILED",
    'flag(s) --oci-layout,--scope in "notation verify" is experimental and not enabled by default. To use, please set NOTATION_EXPERIMENTAL=1 environment variable',
  ],
  // Plugins.
  [
    "NOTATION_FAILED",
    'error while locating the verification plugin "p", make sure the plugin is installed successfully before verifying the signature. error: plugin executable file is either not found or inaccessible: stat /x: no such file or directory',
  ],
  ["NOTATION_FAILED", "fork/exec /x: permission denied"],
  ["NOTATION_FAILED", "failed to verify with plugin p: exit status 3"],
  [
    "NOTATION_FAILED",
    "failed to verify with plugin p: invalid character 'b' looking for beginning of value",
  ],
  ["NOTATION_FAILED", "failed to verify with plugin p: signal: killed"],
  ["NOTATION_FAILED", "failed to verify with plugin p: signal: interrupt"],
  [
    "MALFORMED_SIGNATURE",
    "failed to verify with plugin com.amazonaws.signer.notation.plugin: Not a signature of AWS Signer: its key is not of the curve P-384",
  ],
  [
    "WRONG_IDENTITY",
    "failed to verify with plugin p: The AWSSigner plugin does not support wildcard identity in the trust policy.",
  ],
  [
    "NOTATION_FAILED",
    "failed to verify with plugin p: failed to unmarshal the response of verify-signature command for plugin p",
  ],
  [
    "NOTATION_FAILED",
    'extended critical attribute "a" was not processed by the verification plugin "p" (all extended critical attributes must be processed by the verification plugin)',
  ],
  [
    "NOTATION_FAILED",
    'verification plugin "p" failed to verify "SIGNATURE_VERIFIER.REVOCATION_CHECK"',
  ],
  ["NOTATION_FAILED", "exit status 9"],
  [
    "NOTATION_FAILED",
    "failed to unmarshal the response of get-plugin-metadata command for plugin p",
  ],
  [
    "NOTATION_FAILED",
    'plugin executable file name must be "notation-other" instead of "notation-p"',
  ],
  ["NOTATION_FAILED", "metadata validation failed for plugin p: empty version"],
  ["NOTATION_FAILED", "plugin p has pluginVersion one which is not in valid semver format"],
  [
    "NOTATION_FAILED",
    "found plugin p with version 1.0.350 but signature verification needs plugin version greater than or equal to 9.0.0",
  ],
  // Not asked for, or not known.
  ["NOTATION_FAILED", "unable to find specified metadata in the signature"],
  ["NOTATION_FAILED", ""],
  ["NOTATION_FAILED", "a text of a later version"],
];

for (const [reason, text] of TEXTS) {
  test(`${reason}: ${text.slice(0, 100) || "nothing"}`, () => {
    const refusal = refusalOf(text);
    assert.equal(refusal.reason, reason);
    // Nothing of the text but dates gets into the sentence.
    assert.doesNotMatch(refusal.sentence, /CN=|arn:|https?:|\/|undefined|<date>/);
  });

  test(`text before it makes it unknown: ${text.slice(0, 80) || "nothing"}`, () => {
    assert.equal(refusalOf(`x ${text}`).reason, "NOTATION_FAILED");
  });
}

const sentences = [
  {
    text: 'digital signature has expired on "Thu, 19 Nov 2026 04:21:42 +0100"',
    want: "the signature expired on 2026-11-19T03:21:42Z",
  },
  {
    text: 'verification time is after certificate "CN=\\" validity period, it was expired at \\"x" validity period, it was expired at "Thu, 19 Nov 2026 04:21:42 +0000"',
    want: "a certificate of the signature's chain expired on 2026-11-19T04:21:42Z",
  },
  {
    text: 'verification time is before certificate "CN=a" validity period, it will be valid from "Thu, 19 Nov 2026 04:21:42 +0000"',
    want: "a certificate of the signature's chain is valid only from 2026-11-19T04:21:42Z",
  },
  {
    text: "the signature's certificate chain does not contain any trusted certificate",
    want: "no certificate of the signature's chain is in the trust stores",
  },
  { text: "a text of a later version", want: "Notation gave a reason that is not known" },
];
for (const { text, want } of sentences) {
  test(`a sentence says "${want}"`, () => assert.equal(refusalOf(text).sentence, want));
}

const forgeries: readonly { name: string; text: string; want: Code }[] = [
  {
    name: "a subject that says it is revoked, of a certificate whose status is unknown,",
    text: 'signing certificate with subject "CN=\\" is revoked" revocation status is unknown',
    want: "REVOCATION_UNKNOWN",
  },
  {
    name: "a subject that says its status is unknown, of a certificate that is revoked,",
    text: 'signing certificate with subject "CN=\\" revocation status is unknown" is revoked',
    want: "REVOKED",
  },
  {
    name: "a plugin's failure that quotes a revocation",
    text: revocation(
      "GetRevocationStatus call failed with error: Resource(s) x have been revoked.",
    ),
    want: "REVOCATION_UNKNOWN",
  },
  {
    name: "a resource that has not been revoked",
    text: revocation("Resource(s) x could not be found."),
    want: "REVOCATION_UNKNOWN",
  },
];
for (const { name, text, want } of forgeries) {
  test(`${name} is ${want}`, () => assert.equal(refusalOf(text).reason, want));
}

test("any text gives a refusal whose sentence fits an answer", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
      const { kind, sentence } = refusalOf(text);
      return kind === "undecided" && Buffer.byteLength(sentence) <= 200;
    }),
  );
});
