import assert from "node:assert/strict";
import { test } from "node:test";
import { failureOf, withoutSecrets } from "./failure.ts";

const ATTEMPT = { service: "ECR", action: "ecr:GetAuthorizationToken", remedy: "on *" };

const answered = (name: string, httpStatusCode: number, message = "words of AWS"): Error =>
  Object.assign(new Error(message), { name, $metadata: { httpStatusCode } });
const broken = (code: string, name = "Error"): Error =>
  Object.assign(new Error("connect ECONNREFUSED 10.0.0.7:443"), { name, code });

for (const [name, error, failure] of [
  ["a denial", answered("AccessDeniedException", 400), "denied"],
  ["a denial of STS", answered("AccessDenied", 403), "denied"],
  ["a denial that is not known", answered("SomethingElse", 403), "denied"],
  ["credentials that ended", answered("ExpiredTokenException", 400), "expired"],
  ["credentials that nobody knows", answered("UnrecognizedClientException", 400), "expired"],
  ["throttling of ECR", answered("ThrottlingException", 400), "throttled"],
  ["throttling by status", answered("", 429), "throttled"],
  ["a failure of the service", answered("ServerException", 500), "unreachable"],
  ["a refusal that is not known", answered("SomethingElse", 400), "unreachable"],
  ["an answer that is no JSON", answered("SyntaxError", 200), "unreachable"],
  ["a time-out", broken("ETIMEDOUT", "TimeoutError"), "unreachable"],
  ["a connection that is refused", broken("ECONNREFUSED"), "unreachable"],
  ["a certificate", broken("DEPTH_ZERO_SELF_SIGNED_CERT"), "unreachable"],
  ["what is no error", "text", "unreachable"],
] as const) {
  test(`F-15 ${name} is ${failure}, in words without an address`, () => {
    const { failure: kind, sentence } = failureOf(error, ATTEMPT);
    assert.equal(kind, failure);
    assert.ok(!/10\.0\.0\.7/.test(sentence) && Buffer.byteLength(sentence) <= 200, sentence);
  });
}

test("T-34 AWS's words are kept without keys and tokens, and with the ARN that says what to mend", () => {
  const key = "ASIAABCDEFGHIJKLMNOP";
  const token = "IQoJb3JpZ2luX2VjEBYaCXVzLWVhc3QtMSJHMEUCIQD/abc+def==";
  const arn =
    "arn:aws:sts::111122223333:assumed-role/notation-gatekeeper-provider-of-a-cluster/session";
  const kept = withoutSecrets(`User: ${arn} with ${key} and "${token}" is not authorized`);
  assert.equal(kept, `User: ${arn} with (access key) and "(token)" is not authorized`);
});

for (const [name, around] of [
  ["after a colon", (token: string) => `token:${token}`],
  ["in a path", (token: string) => `/tokens/${token}/used`],
  ["in a query", (token: string) => `https://sts.example.com/?Token=${token}&x`],
  ["after a word", (token: string) => `token_${token}`],
] as const) {
  test(`T-34 T-37 a token ${name} is not repeated`, () => {
    const token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJwcm92aWRlciJ9.c2lnbmF0dXJl";
    assert.ok(!withoutSecrets(`refused: ${around(token)}.`).includes("eyJ"));
  });
}
