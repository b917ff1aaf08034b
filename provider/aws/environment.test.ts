import assert from "node:assert/strict";
import { test } from "node:test";
import { sourceOf, toAwsEnvironment, type Source } from "./environment.ts";

const KEYS = { AWS_ACCESS_KEY_ID: "AKIA", AWS_SECRET_ACCESS_KEY: "secret" };
const IRSA = {
  AWS_ROLE_ARN: "arn:aws:iam::111122223333:role/r",
  AWS_WEB_IDENTITY_TOKEN_FILE: "/t",
};
const POD = {
  AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://169.254.170.23/v1/credentials",
  AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: "/p",
};

const cases: readonly {
  readonly name: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly instance?: boolean;
  readonly want: Source["kind"];
}[] = [
  { name: "a profile before keys", variables: { AWS_PROFILE: "p", ...KEYS }, want: "profile" },
  { name: "keys before a web identity", variables: { ...KEYS, ...IRSA }, want: "environment" },
  {
    name: "a web identity before Pod Identity",
    variables: { ...IRSA, ...POD },
    want: "webIdentity",
  },
  { name: "Pod Identity before the instance", variables: POD, instance: true, want: "podIdentity" },
  {
    name: "the instance if the configuration says so",
    variables: {},
    instance: true,
    want: "instanceMetadata",
  },
  { name: "never the instance otherwise", variables: {}, want: "profile" },
  { name: "half of a pair for nothing", variables: { AWS_ACCESS_KEY_ID: "AKIA" }, want: "profile" },
  {
    name: "an empty variable for none",
    variables: { ...POD, AWS_PROFILE: "" },
    want: "podIdentity",
  },
];
for (const { name, variables, instance = false, want } of cases) {
  test(`credentials: ${name}`, () => {
    assert.equal(sourceOf(toAwsEnvironment(variables), instance).kind, want);
  });
}

test("F-46 proxies and endpoints of the environment are not read", () => {
  const read = toAwsEnvironment({
    HTTPS_PROXY: "http://proxy",
    AWS_ENDPOINT_URL: "http://elsewhere",
    AWS_ENDPOINT_URL_STS: "http://elsewhere",
    AWS_REGION: "eu-west-1",
  });
  assert.deepEqual(read, { region: "eu-west-1" });
});
