import { errorCode } from "../lib/error-code.ts";
import { EXPIRED, httpStatusOf, withoutAccessKeys } from "../lib/sdk-error.ts";
import { oneLine } from "../verdict/verdict.ts";

/** Whose matter a failed call is. */
export type FailureKind =
  /** A permission, or credentials that AWS does not take: an operator mends it. */
  | "denied"
  /** Credentials that were good once. */
  | "expired"
  /** There is nobody to be. */
  | "missing"
  | "throttled"
  /** No answer, none in time, none that can be read, or one that says that the service failed. */
  | "unreachable";

/** Why something of AWS could not be had. Holds no secret and no address. */
export interface AwsFailure {
  readonly failure: FailureKind;
  /** What happened and what to do, in at most 200 bytes. */
  readonly sentence: string;
  /** What AWS said, for logs: it may name ARNs. */
  readonly words?: string;
}

/** Tells a failure from what was asked for. */
export const isFailure = (value: unknown): value is AwsFailure =>
  typeof value === "object" && value !== null && "failure" in value;

/** What was tried, for the words. */
export interface Attempt {
  /** `ECR` */
  readonly service: string;
  /** `ecr:GetAuthorizationToken`: what an IAM policy has to allow. */
  readonly action: string;
  /** Where it has to be allowed: `in the policy of the provider's role`. */
  readonly remedy: string;
}

/** What the names of AWS's errors mean. A name that is not here is judged by its status. */
const KINDS: ReadonlyMap<string, FailureKind> = new Map<string, FailureKind>([
  ["AccessDenied", "denied"],
  ["AccessDeniedException", "denied"],
  ["IDPRejectedClaim", "denied"],
  ["InvalidIdentityToken", "denied"],
  ["InvalidIdentityTokenException", "denied"],
  ["ValidationError", "denied"],
  ["IncompleteSignature", "denied"],
  ["InvalidSignatureException", "denied"],
  ["SignatureDoesNotMatch", "denied"],
  ["MissingAuthenticationToken", "denied"],
  ["MissingAuthenticationTokenException", "denied"],
  ["RegionDisabledException", "denied"],
  ...Array.from(EXPIRED, (name) => [name, "expired"] as const),
  ["Throttling", "throttled"],
  ["ThrottlingException", "throttled"],
  ["ThrottledException", "throttled"],
  ["TooManyRequestsException", "throttled"],
  ["RequestLimitExceeded", "throttled"],
  ["LimitExceededException", "throttled"],
]);

/** Anything as long as a key or a token and without a break, ARNs apart. */
const ARN_OR_TOKEN = /(?<!\w)arn:aws[\w-]*:[\w:/+=,.@-]+|[A-Za-z0-9+/=_.-]{36,}/g;

const WORDS_BYTES = 400;

/** Foreign words without what may be a secret. */
export const withoutSecrets = (text: string): string =>
  oneLine(
    withoutAccessKeys(text).replaceAll(ARN_OR_TOKEN, (found) =>
      found.startsWith("arn:") ? found : "(token)",
    ),
    WORDS_BYTES,
  );

/** Reads what the SDK throws, by its class; what is not known is `unreachable`: nothing is claimed about permissions. */
export function failureOf(error: unknown, { service, action, remedy }: Attempt): AwsFailure {
  const name = error instanceof Error ? error.name : "";
  const status = httpStatusOf(error);
  // Before a status: a body that cannot be read comes with one.
  if (status === undefined || name === "SyntaxError") {
    return { failure: "unreachable", sentence: unreachable(service, name, errorCode(error)) };
  }
  const kind = KINDS.get(name) ?? kindOfStatus(status);
  const words = withoutSecrets(`${name}: ${error instanceof Error ? error.message : ""}`);
  return { failure: kind, sentence: sentenceOf(kind, { service, action, remedy }, status), words };
}

function kindOfStatus(status: number): FailureKind {
  if (status === 429) return "throttled";
  return status === 401 || status === 403 ? "denied" : "unreachable";
}

function sentenceOf(kind: FailureKind, attempt: Attempt, status: number): string {
  const { service, action, remedy } = attempt;
  switch (kind) {
    case "denied":
      return `AWS refused ${action}: allow it ${remedy}`;
    case "expired":
      return `${service} no longer takes the provider's AWS credentials`;
    case "missing":
      return `there are no AWS credentials for ${action}`;
    case "throttled":
      return `${service} asked for fewer requests (${action})`;
    case "unreachable":
      return `${service} answered ${action} with status ${status}`;
  }
}

function unreachable(service: string, name: string, code: string | undefined): string {
  if (name === "AbortError" || (name === "TimeoutError" && code === undefined)) {
    return `${service} did not answer in time`;
  }
  if (code === "ETIMEDOUT") return `${service} did not answer in time`;
  if (code !== undefined && /CERT|SIGNATURE|SSL|TLS|HOSTNAME_MISMATCH|^EPROTO$/.test(code)) {
    return `the TLS certificate or handshake of ${service} was refused`;
  }
  // The code alone: the message of a connection holds addresses.
  if (code !== undefined) return `${service} cannot be reached (${code})`;
  return `${service} gave an answer that cannot be read`;
}
