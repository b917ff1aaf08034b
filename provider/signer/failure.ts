import { oneLine } from "../verdict/verdict.ts";
import { errorCode } from "../lib/error-code.ts";
import { EXPIRED, httpStatusOf, withoutAccessKeys } from "../lib/sdk-error.ts";
import type { Unknown } from "./answer.ts";

/** What a failed call to AWS Signer means. */
export interface Failure {
  readonly answer: Unknown;
  /** Another attempt may well succeed. */
  readonly isTransient: boolean;
  /** Signer itself is slow, down or overloaded, as opposed to this question or these credentials being refused. */
  readonly isSick: boolean;
}

/** Refusals that end when an operator changes a permission or the credentials. */
const DENIED: ReadonlySet<string> = new Set([
  ...EXPIRED,
  "AccessDeniedException",
  "InvalidSignatureException",
  "MissingAuthenticationTokenException",
]);

/** Whether other credentials may be taken where these were not. */
export const isExpired = (error: unknown): boolean =>
  error instanceof Error && EXPIRED.has(error.name);

/** How AWS begins when the machine's clock is wrong; the SDK then signs by AWS's. */
const SKEWED = /^Signature (?:expired|not yet current)\b/;

const THROTTLED: ReadonlySet<string> = new Set(["TooManyRequestsException", "ThrottlingException"]);

/**
 * Reads an error of the SDK by its class; whatever is not known is undecided.
 * @param timeoutMs what a call may take, for the words
 */
export function failureOf(error: unknown, timeoutMs: number): Failure {
  const { name, message } = error instanceof Error ? error : { name: "", message: "" };
  if (name === "AbortError" || name === "TimeoutError") {
    const code = errorCode(error);
    return code === undefined ? late(timeoutMs) : unreachable(code);
  }
  const status = httpStatusOf(error);
  if (status === undefined || name === "SyntaxError") return ofSystem(name, errorCode(error));
  const words = oneLine(`AWS Signer answered ${name}: ${withoutAccessKeys(message)}`);
  if (DENIED.has(name) || status === 401 || status === 403) {
    const remedy = name === "AccessDeniedException" ? ALLOW : undefined;
    const answer = { ...unknown(words, "SIGNER_DENIED"), ...(remedy !== undefined && { remedy }) };
    return { answer, isTransient: SKEWED.test(message), isSick: false };
  }
  const isSick = THROTTLED.has(name) || status === 429 || status >= 500;
  return { answer: unknown(words), isTransient: isSick, isSick };
}

const ALLOW = "allow signer:GetRevocationStatus on * in the IAM policy of the provider's role";

/** The call took longer than it may. */
export const late = (timeoutMs: number): Failure => ({
  answer: unknown(`AWS Signer did not answer within ${timeoutMs} ms`),
  isTransient: false,
  isSick: true,
});

/** A connection that cannot be made or breaks, credentials that are not there, an answer that cannot be read. */
function ofSystem(name: string, code: string | undefined): Failure {
  if (name === "CredentialsProviderError") {
    const answer = unknown("there are no AWS credentials to ask AWS Signer with");
    return { answer, isTransient: false, isSick: false };
  }
  if (code !== undefined) return unreachable(code);
  const answer = unknown("AWS Signer gave an answer that cannot be read");
  return { answer, isTransient: false, isSick: true };
}

/** A kept connection that the other side closed just then; the next one is new. */
const BROKEN: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE"]);

// The code alone: the message of a connection holds addresses.
const unreachable = (code: string): Failure => ({
  answer: unknown(`AWS Signer cannot be reached (${code})`),
  isTransient: BROKEN.has(code),
  isSick: true,
});

export const unknown = (
  sentence: string,
  reason: Unknown["reason"] = "REVOCATION_UNKNOWN",
): Unknown => ({ kind: "unknown", reason, sentence });
