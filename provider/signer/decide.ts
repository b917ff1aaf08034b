import { X509Certificate } from "node:crypto";
import { withoutAccessKeys } from "../lib/sdk-error.ts";
import { oneLine } from "../verdict/verdict.ts";
import type { Revoked, SignerAnswer, Unknown } from "./answer.ts";
import { isAlias, parseProfileVersion } from "./arn.ts";
import {
  REVOCATION_CHECK,
  TRUSTED_IDENTITY,
  type PluginError,
  type Result,
  type VerifyResponse,
} from "./plugin.ts";
import {
  JOB,
  PROFILE_ALIAS,
  PROFILE_VERSION,
  questionOf,
  type SignerQuestion,
} from "./question.ts";
import type { VerifyRequest } from "./request.ts";

/** What is decided before AWS Signer says anything. */
export interface Plan {
  /** What Signer can be asked of this signature. */
  readonly question: SignerQuestion;
  /** Whether it must be: revocation is checked and the signer is trusted. Nobody else chooses who is called. */
  readonly isAsked: boolean;
  /** Absent when the trust policy does not leave identities to the plugin. */
  readonly identity: Result | undefined;
  /** Whether a result is due for the check of revocation. */
  readonly isRevocationChecked: boolean;
  readonly processedAttributes: readonly string[];
}

/** The curve of AWS Signer's keys, as OpenSSL names it. */
const P384 = "secp384r1";

/** AWS's plugin says it so, and whoever looks for the text finds its documentation. */
const WILDCARD = "The AWSSigner plugin does not support wildcard identity in the trust policy.";

const UNTRUSTED: Result = {
  success: false,
  reason: "Signature publisher doesn't match any trusted identities.",
};

/**
 * Judges all of a signature that needs no network.
 * @returns `VALIDATION_ERROR`, which fails the signature at every level, when AWS Signer cannot have made it or the
 *   trust policy trusts everyone
 * @see Notary Project plugin specification, "verify-signature"
 */
export function planOf({ signature, trustPolicy }: VerifyRequest): Plan | PluginError {
  const { signingScheme, authenticSigningTime, extendedAttributes } = signature.criticalAttributes;
  if (signingScheme !== "notary.x509.signingAuthority") {
    return notSigner("its signing scheme is not notary.x509.signingAuthority");
  }
  const attributes = new Map(Object.entries(extendedAttributes ?? {}));
  const chain = signature.certificateChain.map((text) => Buffer.from(text, "base64"));
  const question = questionOf({
    profileVersion: attributes.get(PROFILE_VERSION),
    job: attributes.get(JOB),
    signedAt: authenticSigningTime === undefined ? undefined : Date.parse(authenticSigningTime),
    chain,
  });
  if (question === undefined) {
    return notSigner("its profile version, job, signing time or chain is not what Signer writes");
  }
  if (!isP384(chain[0])) return notSigner("its key is not of the curve P-384");
  const alias = attributes.get(PROFILE_ALIAS);
  if (alias !== undefined && !(typeof alias === "string" && isAlias(alias))) {
    return notSigner("its profile alias is not what Signer writes");
  }
  const capabilities = trustPolicy.signatureVerification ?? [];
  const identities = trustPolicy.trustedIdentities ?? [];
  if (identities.includes("*")) {
    return { errorCode: "VALIDATION_ERROR", errorMessage: WILDCARD };
  }
  const identity = capabilities.includes(TRUSTED_IDENTITY)
    ? identityResult(question.profileVersionArn, alias, identities)
    : undefined;
  const isRevocationChecked = capabilities.includes(REVOCATION_CHECK);
  return {
    question,
    identity,
    isRevocationChecked,
    isAsked: isRevocationChecked && identity?.success !== false,
    processedAttributes: [PROFILE_VERSION, JOB, PROFILE_ALIAS].filter((name) =>
      attributes.has(name),
    ),
  };
}

/**
 * Whether a signature's profile is one that is trusted: by the ARN of the profile, which trusts every version of it, or
 * by that of the version. Compared exactly; there are no patterns.
 */
export function isTrusted(profileVersion: string, identities: readonly string[]): boolean {
  return matching(profileVersion, undefined, identities) !== undefined;
}

function identityResult(
  profileVersion: string,
  alias: string | undefined,
  identities: readonly string[],
): Result {
  const identity = matching(profileVersion, alias, identities);
  if (identity === undefined) return UNTRUSTED;
  const reason = oneLine(`Signature publisher matched "${identity}" trusted identity.`);
  return { success: true, reason };
}

function matching(
  profileVersion: string,
  alias: string | undefined,
  identities: readonly string[],
): string | undefined {
  const profile = parseProfileVersion(profileVersion)?.profile;
  const names = new Set([profileVersion, profile, alias]);
  return identities.find((identity) => names.has(identity));
}

/**
 * The answer to Notation.
 * @param answer Signer's; undefined when it was not asked
 */
export function respond(plan: Plan, answer: SignerAnswer | undefined): VerifyResponse {
  const { identity, isRevocationChecked, processedAttributes } = plan;
  return {
    verificationResults: {
      ...(identity !== undefined && { [TRUSTED_IDENTITY]: identity }),
      ...(isRevocationChecked && { [REVOCATION_CHECK]: revocationResult(plan, answer) }),
    },
    processedAttributes,
  };
}

// The texts are those of AWS's plugin, so that one table reads both.
function revocationResult({ question }: Plan, answer: SignerAnswer | undefined): Result {
  switch (answer?.kind) {
    case undefined: {
      const reason = "AWS Signer was not asked: the signature publisher is not trusted.";
      return { success: false, reason };
    }
    case "notRevoked":
      return { success: true, reason: "Signature is not revoked." };
    case "revoked": {
      const names = revokedNames(question, answer);
      return { success: false, reason: `Resource(s) ${names} have been revoked.` };
    }
    case "unknown": {
      const reason = oneLine(`GetRevocationStatus call failed with error: ${answer.sentence}`);
      return { success: false, reason };
    }
  }
}

/** Names that a reason lists; a question has two ARNs. */
const NAMES = 2;

/**
 * What AWS Signer revoked, by ARN, a certificate by its place in the chain and the beginning of its hash: `arn:…`,
 * `arn:…, signing certificate 0123456789abcdef`. One line.
 */
function revokedNames(
  { certificateHashes }: Pick<SignerQuestion, "certificateHashes">,
  { entities }: Revoked,
): string {
  const names = entities.slice(0, NAMES).map((entity) => {
    const place = certificateHashes.indexOf(entity);
    if (place === -1) return oneLine(withoutAccessKeys(entity), 160);
    return `${place === 0 ? "signing" : "issuing"} certificate ${entity.slice(0, 16)}`;
  });
  const more = entities.length - names.length;
  return `${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** Why an answer of Signer's lets no signature pass. */
export interface Words {
  readonly reason: "REVOKED" | Unknown["reason"];
  /** One line, at most 200 bytes. */
  readonly sentence: string;
}

/** What an answer means for a verdict, with what is revoked by name; undefined when nothing is wrong. */
export function wordsOf(
  question: Pick<SignerQuestion, "certificateHashes">,
  answer: SignerAnswer,
): Words | undefined {
  switch (answer.kind) {
    case "notRevoked":
      return undefined;
    case "revoked": {
      const sentence = oneLine(`AWS Signer revoked ${revokedNames(question, answer)}`);
      return { reason: "REVOKED", sentence };
    }
    case "unknown":
      return { reason: answer.reason, sentence: oneLine(answer.sentence) };
  }
}

function isP384(leaf: Uint8Array | undefined): boolean {
  if (leaf === undefined) return false;
  try {
    return new X509Certificate(leaf).publicKey.asymmetricKeyDetails?.namedCurve === P384;
  } catch {
    return false;
  }
}

const notSigner = (why: string): PluginError => ({
  errorCode: "VALIDATION_ERROR",
  errorMessage: `Not a signature of AWS Signer: ${why}`,
});
