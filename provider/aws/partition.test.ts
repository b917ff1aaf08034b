import assert from "node:assert/strict";
import { test } from "node:test";
import { ECRClient } from "@aws-sdk/client-ecr";
import { apiHost, partitionOfArn, partitionOf } from "./partition.ts";

const REGIONS = [
  "us-east-1",
  "eu-central-1",
  "ap-southeast-7",
  "us-gov-west-1",
  "cn-north-1",
  "eusc-de-east-1",
  "us-iso-east-1",
  "us-isob-east-1",
  "eu-isoe-west-1",
  "us-isof-south-1",
];

for (const region of REGIONS) {
  for (const [fips, dualStack] of [
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ] as const) {
    test(`ECR in ${region} is asked where AWS's SDK asks it, fips ${fips}, dual stack ${dualStack}`, () => {
      const client = new ECRClient({ region });
      const { url } = client.config.endpointProvider({
        Region: region,
        UseFIPS: fips,
        UseDualStack: dualStack,
      });
      assert.equal(`https://${apiHost("ecr", region, { fips, dualStack })}/`, url.href);
    });
  }
}

test("a region is of the partition of its name, and a default region of its own partition", () => {
  for (const region of REGIONS) {
    const partition = partitionOf(region);
    assert.ok(partition !== undefined);
    assert.equal(partitionOfArn(`arn:${partition.name}:iam::111122223333:role/r`), partition);
    assert.equal(partitionOf(partition.defaultRegion), partition);
  }
});

for (const region of [
  "",
  "us-east",
  "US-EAST-1",
  "us-east-1.evil.example",
  "us-isox-east-1",
  "us-east-1\n",
  "evil",
]) {
  test(`no partition has the region ${JSON.stringify(region)}`, () => {
    assert.equal(partitionOf(region), undefined);
    assert.equal(apiHost("sts", region, { fips: false, dualStack: false }), undefined);
  });
}
