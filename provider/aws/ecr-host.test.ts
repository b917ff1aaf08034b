import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { LOOK_ALIKES } from "../../testing/aws/look-alikes.ts";
import { blobHostOf, isPublicEcr, parseEcrHost } from "./ecr-host.ts";

const A = "111122223333";
const plain = { account: A, fips: false, dualStack: false };

const hosts = [
  [`${A}.dkr.ecr.eu-central-1.amazonaws.com`, { partition: "aws", region: "eu-central-1" }],
  [`${A}.dkr.ecr.ap-southeast-7.amazonaws.com`, { partition: "aws", region: "ap-southeast-7" }],
  [
    `${A}.dkr.ecr.us-gov-west-1.amazonaws.com`,
    { partition: "aws-us-gov", region: "us-gov-west-1" },
  ],
  [`${A}.dkr.ecr.cn-north-1.amazonaws.com.cn`, { partition: "aws-cn", region: "cn-north-1" }],
  [`${A}.dkr.ecr.eusc-de-east-1.amazonaws.eu`, { partition: "aws-eusc", region: "eusc-de-east-1" }],
  [`${A}.dkr.ecr.us-iso-east-1.c2s.ic.gov`, { partition: "aws-iso", region: "us-iso-east-1" }],
  [
    `${A}.dkr.ecr.us-isob-east-1.sc2s.sgov.gov`,
    { partition: "aws-iso-b", region: "us-isob-east-1" },
  ],
  [
    `${A}.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk`,
    { partition: "aws-iso-e", region: "eu-isoe-west-1" },
  ],
  [
    `${A}.dkr.ecr.us-isof-south-1.csp.hci.ic.gov`,
    { partition: "aws-iso-f", region: "us-isof-south-1" },
  ],
  [
    `${A}.dkr.ecr-fips.us-east-1.amazonaws.com`,
    { partition: "aws", region: "us-east-1", fips: true },
  ],
  [
    `${A}.dkr.ecr-fips.us-gov-east-1.amazonaws.com`,
    { partition: "aws-us-gov", region: "us-gov-east-1", fips: true },
  ],
  [`${A}.dkr-ecr.us-west-2.on.aws`, { partition: "aws", region: "us-west-2", dualStack: true }],
  [
    `${A}.dkr-ecr-fips.us-west-2.on.aws`,
    { partition: "aws", region: "us-west-2", fips: true, dualStack: true },
  ],
  [
    `${A}.dkr-ecr.cn-northwest-1.on.amazonwebservices.com.cn`,
    { partition: "aws-cn", region: "cn-northwest-1", dualStack: true },
  ],
] as const;
for (const [host, want] of hosts) {
  test(`the host ${host} says account, partition and region`, () => {
    assert.deepEqual(parseEcrHost(host), { ...plain, ...want });
  });
}

test("the list of look-alikes has no name twice", () => {
  assert.ok(LOOK_ALIKES.length >= 60);
  assert.equal(new Set(LOOK_ALIKES.map(([, host]) => host)).size, LOOK_ALIKES.length);
});

for (const [name, host] of LOOK_ALIKES) {
  test(`T-31 a look-alike is not ECR: ${name}`, () => {
    assert.equal(parseEcrHost(host), undefined);
    assert.equal(isPublicEcr(host), false);
  });
}

test("T-31 whatever is put anywhere into a host of ECR makes it something else, or another host of ECR", () => {
  const host = `${A}.dkr.ecr.us-east-1.amazonaws.com`;
  fc.assert(
    fc.property(
      fc.nat(host.length),
      fc.string({ minLength: 1, maxLength: 6, unit: "binary" }),
      (at, text) => {
        const parsed = parseEcrHost(`${host.slice(0, at)}${text}${host.slice(at)}`);
        // Only words of a region can be put in: everything that decides whose host it is stays.
        assert.ok(parsed === undefined || (parsed.account === A && parsed.partition === "aws"));
      },
    ),
  );
});

test("the public registry is known by both of its names", () => {
  assert.ok(isPublicEcr("public.ecr.aws") && isPublicEcr("ecr-public.aws.com"));
  assert.equal(isPublicEcr("public.ecr.aws."), false);
});

test("blobs come from the bucket of the region and partition", () => {
  const blobHosts = [hosts[0][0], hosts[3][0]].map((host) => {
    const parsed = parseEcrHost(host);
    return parsed && blobHostOf(parsed);
  });
  assert.deepEqual(blobHosts, [
    "prod-eu-central-1-starport-layer-bucket.s3.eu-central-1.amazonaws.com",
    "prod-cn-north-1-starport-layer-bucket.s3.cn-north-1.amazonaws.com.cn",
  ]);
});
