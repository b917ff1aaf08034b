import assert from "node:assert/strict";
import { test } from "node:test";
import { LOOK_ALIKES } from "../testing/aws/look-alikes.ts";
import { configOf } from "../testing/provider/config.ts";
import { createAwsParts } from "./aws-parts.ts";
import type { Config } from "./config/schema.ts";
import { labelsOf, openEcr } from "./registry-options.ts";

const ACCOUNTS = ["111122223333", "444455556666"];
const REGIONS = ["eu-west-1", "us-gov-west-1", "cn-north-1"];

const opening = (config: Config) => openEcr(config, createAwsParts(config).ecr);
const LISTED = { accounts: ACCOUNTS, regions: REGIONS };

for (const [host, bucket] of [
  [
    "111122223333.dkr.ecr.eu-west-1.amazonaws.com",
    "prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com",
  ],
  [
    "444455556666.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
    "prod-us-gov-west-1-starport-layer-bucket.s3.us-gov-west-1.amazonaws.com",
  ],
  [
    "111122223333.dkr-ecr.eu-west-1.on.aws",
    "prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com",
  ],
  [
    "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn",
    "prod-cn-north-1-starport-layer-bucket.s3.cn-north-1.amazonaws.com.cn",
  ],
] as const) {
  test(`accounts and regions open ${host}, and its region's bucket for blobs`, () => {
    const config = configOf({ ...LISTED, allowedAddresses: ["10.0.0.0/16"] });
    const registry = opening(config)?.(host);
    assert.deepEqual(
      [registry?.host, registry?.endpoint, registry?.blobHosts, registry?.allowedAddresses],
      [host, `https://${host}`, [bucket], ["10.0.0.0/16"]],
    );
    assert.ok(labelsOf(config).includes(registry?.label ?? ""));
  });
}

test("a registry that is opened differs from one with an entry in its label alone", () => {
  const host = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";
  const config = configOf(LISTED);
  const { label, ...opened } = opening(config)?.(host) ?? {};
  assert.equal(label, "amazon-ecr/eu-west-1");
  assert.deepEqual(Object.keys(opened).toSorted(), [
    "allowedAddresses",
    "blobHosts",
    "concurrency",
    "credentials",
    "endpoint",
    "host",
    "maxWaiting",
    "requestTimeoutMs",
    "tokenHosts",
  ]);
});

for (const [name, host] of [
  ["another account", "999999999999.dkr.ecr.eu-west-1.amazonaws.com"],
  ["another region", "111122223333.dkr.ecr.eu-north-1.amazonaws.com"],
  ["Amazon's public registry", "public.ecr.aws"],
  ["any other registry", "registry.example.com"],
  ...LOOK_ALIKES,
] as const) {
  test(`T-31 accounts and regions do not open ${name}: ${JSON.stringify(host).slice(0, 80)}`, () =>
    assert.equal(opening(configOf(LISTED))?.(host), undefined));
}

const named = [{ host: "registry.example.com" }];
for (const [name, aws] of [
  ["every account", { accounts: ["*"], regions: REGIONS }],
  ["every account beside one", { accounts: ["*", ...ACCOUNTS], regions: REGIONS }],
  ["every region", { accounts: ACCOUNTS }],
  ["no account", { regions: REGIONS }],
] as const) {
  test(`${name} opens nothing by itself`, () =>
    assert.equal(opening(configOf(aws, named)), undefined));
}

test("T-20 a thousand accounts are a label for each region and no more", () => {
  const accounts = Array.from({ length: 1000 }, (_, index) => String(1e11 + index));
  assert.deepEqual(labelsOf(configOf({ accounts, regions: REGIONS }, named)), [
    "registry.example.com",
    ...REGIONS.map((region) => `amazon-ecr/${region}`),
  ]);
});
