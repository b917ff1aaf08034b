import { WEST } from "../../testing/aws/ecr-registry.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { createEcrDouble } from "../../testing/aws/ecr.ts";
import { variablesOf } from "../../testing/aws/keys.ts";
import { startAws } from "../../testing/aws/wire.ts";
import { now, wallNow } from "../lib/clock.ts";
import { createAws, endpointOf, type AwsEndpoint } from "./aws.ts";

test("put together, the variables of a Pod and the addresses of the configuration are enough for a token", async (t) => {
  await using double = await startAws({ services: [createEcrDouble().service] });
  const aws = createAws({
    now,
    wallNow,
    accounts: ["111122223333"],
    regions: ["eu-west-1"],
    roles: {},
    endpoints: [
      { service: "ecr", region: "eu-west-1", url: await double.regionalUrl("eu-west-1") },
    ],
    fips: false,
    dualStack: false,
    instanceMetadata: false,
    variables: variablesOf(double.credentials),
  });
  t.after(() => aws.close());
  aws.ecr.prefetch();
  const answer = await aws.ecr.sourceFor(WEST)?.();
  assert.ok(answer !== undefined && "password" in answer);
  assert.equal(double.count("GetAuthorizationToken"), 1);
});

const endpoints: readonly AwsEndpoint[] = [
  { service: "ecr", url: "https://everywhere" },
  { service: "ecr", region: "eu-west-1", url: "https://west" },
  { service: "sts", url: "https://sts" },
];
for (const [service, region, want] of [
  ["ecr", "eu-west-1", "https://west"],
  ["ecr", "eu-north-1", "https://everywhere"],
  ["sts", "eu-west-1", "https://sts"],
  ["signer", "eu-west-1", undefined],
] as const) {
  test(`T-36 the address of ${service} in ${region} is the configuration's, the nearest one`, () => {
    assert.equal(endpointOf(endpoints, service)(region), want);
  });
}
