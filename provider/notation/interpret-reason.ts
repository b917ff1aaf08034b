import type { FailureReason, RejectReason } from "../verdict/reasons.ts";
import {
  rejected,
  undecided,
  type Rejected,
  type Refusal,
  type Undecided,
} from "../verdict/verdict.ts";

/** One text of Notation, by its beginning, and what it means. */
interface Row {
  /** Anchored at the start. What stands in quotes was escaped by Notation and cannot end early. */
  readonly match: RegExp;
  /** The first group of `match`, if any, is the text's date. */
  readonly mean: (date: string) => Refusal;
}

const no =
  (reason: RejectReason, sentence: string) =>
  (date: string): Rejected =>
    rejected(
      reason,
      sentence.replace("<date>", () => date),
    );

const unsure = (reason: FailureReason, sentence: string) => (): Undecided =>
  undecided(reason, sentence);

/** Texts of envelopes that break a rule of the format; all of them follow from the envelope alone. */
const MALFORMED = [
  "unable to parse the digital signature, error : ",
  "certificate chain is not present",
  "certificate-chain (?:is invalid|not present)",
  "(?:COSE envelope )?malformed leaf certificate",
  "signature (?:missing in|not present or is empty|envelope is not present|envelope format is invalid)",
  'signature algorithm (?:"|not supported)',
  "SignatureAlgorithm is not present",
  "signing-time not present",
  "jws envelope protected header can't be decoded: ",
  "(?:unsupported|invalid) [sS]igningScheme",
  '"[a-zA-Z.]+" header (?:must (?:not )?be present for|is marked critical but not present)',
  'missing "crit" header',
  "these required headers are not marked as critical: ",
  "invalid (?:critical headers|signingTime|expiry)",
  "missing content type",
  "content type should be of ",
  "payload content type ",
  "generateRawProtectedCBORMap failed: ",
  "expiry cannot be equal or before the signing time",
  "mismatch between signature algorithm derived from signing certificate ",
  "(?:RSA|EC): key size ",
  "(?:signing key is|key type) not supported",
  "io\\.cncf\\.notary\\.verificationPlugin\\S* (?:from extended attribute is|is not a critical) ",
  "error while getting plugin minimum version, error: ",
];

/** Texts of a trust policy or store that is not as the snapshot was written. */
const TRUST = [
  "(?:malformed )?trust policy\\b",
  "unable to read trust policy ",
  "(?:a|multiple) trust policy statements? ",
  "registry scope ",
  "the trust store ",
  "failed to (?:access|get path of) (?:the )?trust store ",
  "failed to (?:read|validate) the trusted certificate ",
  "trusted certificate \\S+ in trust store ",
  "no x509 certificates were found in trust store ",
  "error while loading the (?:TSA )?trust store",
  "failed to (?:load|check) tsa trust store ",
  "no trusted TSA certificate found in trust store",
];

/** A value that Go printed with `%q`: it ends at the first quotation mark without a backslash. */
const QUOTED = String.raw`"(?:[^"\\]|\\.)*"`;
/** A date that Go printed as RFC 1123 with a numeric zone, in quotes. */
const DATE = String.raw`"([A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4})"`;
const PLUGIN_REVOCATION = `revocation check by verification plugin ${QUOTED} failed with reason `;

/** Rows in the order in which they are tried; the first that matches counts. */
const ROWS: readonly Row[] = (
  [
    [
      "the signature's certificate chain does not contain any trusted certificate$",
      no("UNTRUSTED_SIGNER", "no certificate of the signature's chain is in the trust stores"),
    ],
    [
      "no trusted certificates are found to verify authenticity$",
      no("UNTRUSTED_SIGNER", "the trust policy names no trust store for this kind of signature"),
    ],
    [
      "signing certificate from the digital signature does not match the X.509 trusted identities ",
      no("WRONG_IDENTITY", "the signer is none of the trusted identities"),
    ],
    [
      "no x509 trusted identities are configured in the trust policy ",
      no("WRONG_IDENTITY", "the trust policy names no identity for this kind of signature"),
    ],
    [
      // "identify" is Notation's spelling.
      `trusted identify verification by plugin ${QUOTED} failed with reason `,
      no("WRONG_IDENTITY", "the plugin found the signer to be none of the trusted identities"),
    ],
    [
      `digital signature has expired on ${DATE}$`,
      no("SIGNATURE_EXPIRED", "the signature expired on <date>"),
    ],
    ["digital signature has expired on ", no("SIGNATURE_EXPIRED", "the signature has expired")],
    [
      `verification time is after certificate ${QUOTED} validity period, it was expired at ${DATE}$`,
      no("CERTIFICATE_EXPIRED", "a certificate of the signature's chain expired on <date>"),
    ],
    [
      `verification time is before certificate ${QUOTED} validity period, it will be valid from ${DATE}$`,
      no("CERTIFICATE_EXPIRED", "a certificate of the signature's chain is valid only from <date>"),
    ],
    [
      "verification time is (?:before|after) certificate ",
      no("CERTIFICATE_EXPIRED", "a certificate of the signature's chain is not valid now"),
    ],
    [
      `certificate ${QUOTED} was not valid when the digital signature was produced at `,
      no("CERTIFICATE_EXPIRED", "a certificate was not valid when the signature was made"),
    ],
    [
      "timestamp can be (?:before|after) certificate ",
      no("CERTIFICATE_EXPIRED", "a certificate was not valid at the time of the timestamp"),
    ],
    [
      "no timestamp countersignature was found in the signature envelope",
      no("MALFORMED_SIGNATURE", "the signature has no timestamp, which the trust policy asks for"),
    ],
    [
      "failed to (?:parse timestamp countersignature|get (?:the timestamp TSTInfo|timestamp from timestamp countersignature)) with error: ",
      no("MALFORMED_SIGNATURE", "the timestamp of the signature cannot be read"),
    ],
    [
      "failed to (?:verify the timestamp countersignature|validate the timestamping certificate chain) with error: ",
      no("UNTRUSTED_SIGNER", "the timestamp is by no authority of the trust stores"),
    ],
    [
      "signature is invalid\\. Error: ",
      no("TAMPERED", "the signature does not match what it signs"),
    ],
    ["content descriptor mismatch$", no("TAMPERED", "the signature was made for something else")],
    [
      `(?:signing|timestamping) certificate with subject ${QUOTED} is revoked$`,
      no("REVOKED", "a certificate of the signature is revoked"),
    ],
    [
      `${PLUGIN_REVOCATION}"(?:Resource\\(s\\) .*|Certificate\\(s\\) )have been revoked\\."$`,
      no("REVOKED", "the signing profile, job or certificate is revoked"),
    ],
    [
      `(?:signing|timestamping) certificate with subject ${QUOTED} revocation status is unknown$`,
      unsure("REVOCATION_UNKNOWN", "no OCSP or CRL server said whether a certificate is revoked"),
    ],
    [
      "(?:unable to check revocation status|failed to check timestamping certificate chain revocation)",
      unsure("REVOCATION_UNKNOWN", "the revocation of a certificate could not be checked"),
    ],
    [
      `${PLUGIN_REVOCATION}"GetRevocationStatus call failed with error: .*(?:AccessDenied|ExpiredToken|InvalidSignature|UnrecognizedClient)Exception`,
      unsure("SIGNER_DENIED", "AWS Signer denied GetRevocationStatus to this provider"),
    ],
    [
      `${PLUGIN_REVOCATION}"GetRevocationStatus call failed with error: .*(?:TooManyRequests|Throttling)Exception`,
      unsure("REVOCATION_UNKNOWN", "AWS Signer throttles: it did not say what is revoked"),
    ],
    [
      `${PLUGIN_REVOCATION}"GetRevocationStatus call failed with error: `,
      unsure("REVOCATION_UNKNOWN", "AWS Signer could not be asked what is revoked"),
    ],
    [
      PLUGIN_REVOCATION,
      unsure("REVOCATION_UNKNOWN", "the plugin did not find out what is revoked"),
    ],
    [
      `(?:signature verification failed: )?artifact ${QUOTED} has no applicable trust policy statement`,
      no("NO_TRUST_POLICY", "no statement of the trust policy applies to this repository"),
    ],
    [
      `(?:${MALFORMED.join("|")})`,
      no("MALFORMED_SIGNATURE", "the signature breaks a rule of the Notary Project"),
    ],
    [
      `(?:${TRUST.join("|")})`,
      unsure("TRUST_UNAVAILABLE", "Notation could not read the trust policy or its stores"),
    ],
    [
      "failed to create OCI store: |signature verification failed: |failed to get manifest descriptor: ",
      unsure("NOTATION_FAILED", "Notation could not read the signature's layout"),
    ],
    [
      "error while locating the verification plugin ",
      unsure("NOTATION_FAILED", "the verification plugin is not installed"),
    ],
    [
      `found plugin \\S+ with version `,
      unsure("NOTATION_FAILED", "the verification plugin is older than the signature asks for"),
    ],
    [
      "extended critical attribute ",
      unsure("NOTATION_FAILED", "the verification plugin left an attribute of the signature open"),
    ],
    [
      "failed to verify with plugin \\S+: The AWSSigner plugin does not support wildcard identity in the trust policy\\.$",
      no(
        "WRONG_IDENTITY",
        "the trust policy has to name AWS Signer's profiles, it trusts everyone",
      ),
    ],
    [
      "failed to verify with plugin com\\.amazonaws\\.signer\\.notation\\.plugin: Not a signature of AWS Signer: ",
      no("MALFORMED_SIGNATURE", "the signature is not as AWS Signer makes them"),
    ],
    [
      "failed to verify with plugin |verification plugin |plugin |metadata validation failed |digital signature requires plugin ",
      unsure("NOTATION_FAILED", "the verification plugin failed"),
    ],
  ] as const
).map(([start, mean]) => ({ match: new RegExp(`^(?:${start})`), mean }));

/**
 * What a failure text of Notation 1.3 means.
 * @param text one line without what Notation logs before it; may end in text that a signer or a plugin chose
 * @returns undecided `NOTATION_FAILED` for a text that is not known
 */
export function refusalOf(text: string): Refusal {
  for (const { match, mean } of ROWS) {
    const found = match.exec(text);
    if (found !== null) return mean(dateOf(found[1]));
  }
  return undecided("NOTATION_FAILED", "Notation gave a reason that is not known");
}

/** RFC 3339 in UTC: Notation prints the zone that the signer's clock had. */
function dateOf(text: string | undefined): string {
  const time = Date.parse(text ?? "");
  return Number.isNaN(time) ? "" : new Date(time).toISOString().replace(".000Z", "Z");
}
