import assert from "node:assert/strict";
import { test } from "node:test";
import { configOf } from "../../testing/provider/config.ts";
import { warningsOf } from "./warnings.ts";

const ACCOUNT = "111122223333";
const ROLE = "arn:aws:iam::444455556666:role/reader";
const ECR = {
  host: `${ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com`,
  credentials: { aws: true },
};

const cases: readonly {
  readonly name: string;
  readonly aws: object;
  readonly registries?: readonly object[];
  readonly want: readonly string[];
}[] = [
  { name: "nothing of AWS", aws: {}, want: [] },
  {
    name: "accounts and regions",
    aws: { accounts: [ACCOUNT], regions: ["eu-west-1"] },
    want: [],
  },
  { name: "every account, and a registry", aws: { accounts: ["*"] }, registries: [ECR], want: [] },
  {
    name: "every account, and none of its registries",
    aws: { accounts: ["*"], regions: ["eu-west-1"] },
    want: ["aws.accounts"],
  },
  { name: "accounts without regions", aws: { accounts: [ACCOUNT] }, want: ["aws.accounts"] },
  { name: "regions without accounts", aws: { regions: ["eu-west-1"] }, want: ["aws.regions"] },
  {
    name: "a role for an account that is not named",
    aws: { accounts: [ACCOUNT], regions: ["eu-west-1"], roles: { "444455556666": ROLE } },
    want: ["aws.roles.444455556666"],
  },
];
for (const { name, aws, registries = [{ host: "registry.example.com" }], want } of cases) {
  test(`${name} in a configuration: ${want.join() || "nothing"} is warned of`, () => {
    assert.deepEqual(
      warningsOf(configOf(aws, registries)).map(({ path }) => path),
      want,
    );
  });
}
