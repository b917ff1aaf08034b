import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  createSigningAuthority,
  jobArn,
  profileArn,
  profileVersionArn,
} from "../../testing/aws/envelopes.ts";
import { COSE, cose, JWS } from "../../testing/signing/envelope.ts";
import { partitionOf, parseProfileVersion } from "./arn.ts";
import { hashesOf, questionOf, questionOfEnvelope } from "./question.ts";

const authority = await createSigningAuthority();
const { chain } = authority.signer;
const subject = {
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  digest: `sha256:${"a".repeat(64)}`,
  size: 7,
};
const signedAt = new Date("2026-01-02T03:04:05Z");

test("an envelope and Notation's request for it make the same question", () => {
  const { bytes, profileVersion, job } = authority.sign({ subject, signedAt });
  const fromEnvelope = questionOfEnvelope({ mediaType: JWS, bytes });
  const parts = { profileVersion, job, signedAt: signedAt.getTime(), chain };
  assert.deepEqual(fromEnvelope, questionOf(parts));
  assert.equal(fromEnvelope?.profileVersionArn, profileVersion);
});

test("an envelope that AWS Signer did not make has no question", () => {
  const broken = authority.sign({ subject, job: "arn:aws:signer:somewhere" });
  assert.equal(questionOfEnvelope({ mediaType: JWS, bytes: broken.bytes }), undefined);
  assert.equal(questionOfEnvelope({ mediaType: JWS, bytes: Buffer.from("{}") }), undefined);
  const plain = cose({ signer: authority.signer, subject });
  assert.equal(questionOfEnvelope({ mediaType: COSE, bytes: plain }), undefined);
});

const parts = {
  profileVersion: profileVersionArn(),
  job: jobArn({}, "00000000-0000-4000-8000-000000000001"),
  signedAt: signedAt.getTime(),
  chain,
};
const different = [
  { name: "profile version", change: { profileVersion: profileVersionArn({}, "Ver1on0002") } },
  { name: "job", change: { job: jobArn() } },
  { name: "signing time", change: { signedAt: signedAt.getTime() + 1 } },
  { name: "chain", change: { chain: chain.slice(0, -1) } },
];
for (const { name, change } of different) {
  test(`another ${name} is another question`, () => {
    assert.notEqual(questionOf({ ...parts, ...change })?.key, questionOf(parts)?.key);
  });
}

test("a certificate is named by its own hash and its issuer's, the root by its own twice", () => {
  const hashes = hashesOf(chain) ?? [];
  assert.deepEqual(
    hashes.map((hash) => hash.length),
    [192, 192, 192],
  );
  const own = hashes.map((hash) => hash.slice(0, 96));
  const issuers = hashes.map((hash) => hash.slice(96));
  assert.deepEqual(issuers, [own[1], own[2], own[2]]);
  assert.equal(new Set(own).size, 3);
});

test("whatever is no certificate has no hash, and nothing throws", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const hashes = hashesOf([bytes]);
      assert.ok(hashes === undefined || hashes[0]?.length === 192);
    }),
  );
  assert.equal(hashesOf([]), undefined);
});

const regions = [
  ["us-east-1", "aws"],
  ["ap-southeast-4", "aws"],
  ["cn-north-1", "aws-cn"],
  ["us-gov-west-1", "aws-us-gov"],
  ["eusc-de-east-1", "aws-eusc"],
  ["us-iso-east-1", "aws-iso"],
  ["us-isob-east-1", "aws-iso-b"],
  ["eu-isoe-west-1", "aws-iso-e"],
  ["us-isof-south-1", "aws-iso-f"],
] as const;
for (const [region, partition] of regions) {
  test(`a profile of ${region} is of partition ${partition} and no other`, () => {
    assert.equal(partitionOf(region), partition);
    const options = { region, partition };
    const read = parseProfileVersion(profileVersionArn(options));
    assert.deepEqual({ ...read }, { region, partition, profile: profileArn(options) });
    const wrong = partition === "aws" ? "aws-cn" : "aws";
    assert.equal(parseProfileVersion(profileVersionArn({ region, partition: wrong })), undefined);
  });
}

test("T-36 no ARN has a region that is more than one label of a host's name", () => {
  fc.assert(
    fc.property(fc.string(), (region) => {
      const read = parseProfileVersion(profileVersionArn({ region }));
      if (read !== undefined) assert.match(read.region, /^[a-z0-9-]{1,63}$/);
    }),
  );
});
