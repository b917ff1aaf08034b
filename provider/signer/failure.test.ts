import assert from "node:assert/strict";
import { test } from "node:test";
import { failureOf } from "./failure.ts";

/** An error as the SDK throws it. */
function sdkError(name: string, members: object = {}, message = "words"): Error {
  return Object.assign(new Error(message), { name }, members);
}
const status = (httpStatusCode?: number) => ({ $metadata: { httpStatusCode } });

const UNREADABLE = "AWS Signer gave an answer that cannot be read";
const LATE = "AWS Signer did not answer within 1000 ms";
const cases: readonly {
  name: string;
  error: unknown;
  /** Reason, whether another attempt may succeed, whether Signer is ill. */
  want: readonly [reason: "SIGNER_DENIED" | "REVOCATION_UNKNOWN", again: boolean, sick: boolean];
  sentence: string;
}[] = [
  {
    name: "access denied",
    error: sdkError("AccessDeniedException", status(403), "User: arn:aws:iam::1:user/a is not…"),
    want: ["SIGNER_DENIED", false, false],
    sentence: "AWS Signer answered AccessDeniedException: User: arn:aws:iam::1:user/a is not…",
  },
  {
    name: "an expired token",
    error: sdkError("ExpiredTokenException", status(400)),
    want: ["SIGNER_DENIED", false, false],
    sentence: "AWS Signer answered ExpiredTokenException: words",
  },
  {
    name: "a refusal without a name that is known",
    error: sdkError("SomethingException", status(403)),
    want: ["SIGNER_DENIED", false, false],
    sentence: "AWS Signer answered SomethingException: words",
  },
  {
    name: "too many requests",
    error: sdkError("TooManyRequestsException", status(429)),
    want: ["REVOCATION_UNKNOWN", true, true],
    sentence: "AWS Signer answered TooManyRequestsException: words",
  },
  {
    name: "throttling under its older name and status",
    error: sdkError("ThrottlingException", status(400)),
    want: ["REVOCATION_UNKNOWN", true, true],
    sentence: "AWS Signer answered ThrottlingException: words",
  },
  {
    name: "an error of Signer itself",
    error: sdkError("InternalServiceErrorException", status(500)),
    want: ["REVOCATION_UNKNOWN", true, true],
    sentence: "AWS Signer answered InternalServiceErrorException: words",
  },
  {
    name: "a question that Signer refuses",
    error: sdkError("ValidationException", status(400)),
    want: ["REVOCATION_UNKNOWN", false, false],
    sentence: "AWS Signer answered ValidationException: words",
  },
  {
    name: "F-32 a clock that is wrong",
    error: sdkError("InvalidSignatureException", status(403), "Signature expired: 1 is now"),
    want: ["SIGNER_DENIED", true, false],
    sentence: "AWS Signer answered InvalidSignatureException: Signature expired: 1 is now",
  },
  {
    name: "a wrong signature",
    error: sdkError("InvalidSignatureException", status(403), "The request signature"),
    want: ["SIGNER_DENIED", false, false],
    sentence: "AWS Signer answered InvalidSignatureException: The request signature",
  },
  {
    name: "a name of an access key",
    error: sdkError("ValidationException", status(400), "key AKIAIOSFODNN7EXAMPLE\nis bad"),
    want: ["REVOCATION_UNKNOWN", false, false],
    sentence: "AWS Signer answered ValidationException: key (access key) is bad",
  },
  {
    name: "an abort",
    error: sdkError("AbortError"),
    want: ["REVOCATION_UNKNOWN", false, true],
    sentence: LATE,
  },
  {
    name: "a time-out",
    error: sdkError("TimeoutError"),
    want: ["REVOCATION_UNKNOWN", false, true],
    sentence: LATE,
  },
  {
    name: "a connection that was reset",
    error: sdkError("TimeoutError", { code: "ECONNRESET", ...status() }),
    want: ["REVOCATION_UNKNOWN", true, true],
    sentence: "AWS Signer cannot be reached (ECONNRESET)",
  },
  {
    name: "T-65 a certificate of another name",
    error: sdkError("Error", { code: "ERR_TLS_CERT_ALTNAME_INVALID", ...status() }, "Host: secret"),
    want: ["REVOCATION_UNKNOWN", false, true],
    sentence: "AWS Signer cannot be reached (ERR_TLS_CERT_ALTNAME_INVALID)",
  },
  {
    name: "no credentials",
    error: sdkError("CredentialsProviderError", {}, "from all providers"),
    want: ["REVOCATION_UNKNOWN", false, false],
    sentence: "there are no AWS credentials to ask AWS Signer with",
  },
  {
    name: "a body that is no JSON",
    error: sdkError("SyntaxError", status(200), "Unexpected token <"),
    want: ["REVOCATION_UNKNOWN", false, true],
    sentence: UNREADABLE,
  },
  {
    name: "what is no error",
    error: undefined,
    want: ["REVOCATION_UNKNOWN", false, true],
    sentence: UNREADABLE,
  },
];
for (const { name, error, want, sentence } of cases) {
  test(`F-13 ${name}: ${want[0]}`, () => {
    const { answer, isTransient, isSick } = failureOf(error, 1000);
    assert.deepEqual([answer.reason, isTransient, isSick], want);
    assert.equal(answer.sentence, sentence);
  });
}
