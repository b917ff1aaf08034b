import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { digestOf } from "../image/digest.ts";
import { readManifest } from "./manifest.ts";

const IMAGE = "application/vnd.oci.image.manifest.v1+json";
const ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json";
const SIGNATURE = "application/vnd.cncf.notary.signature";
const EMPTY = { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf("{}"), size: 2 };

const envelope = { mediaType: "application/jose+json", digest: digestOf("envelope"), size: 8 };
const subject = { mediaType: IMAGE, digest: digestOf("image"), size: 5 };
const config = { mediaType: SIGNATURE, digest: digestOf("{}"), size: 2 };
const good = { schemaVersion: 2, mediaType: IMAGE, config, layers: [envelope], subject };
const artifact = { mediaType: ARTIFACT, artifactType: SIGNATURE, blobs: [envelope], subject };

const read = (document: unknown, mediaType = IMAGE) =>
  readManifest(mediaType, Buffer.from(JSON.stringify(document)));

const accepted = [
  { name: "the type of its configuration", document: good, type: IMAGE },
  {
    name: "its artifact type as well",
    document: { ...good, artifactType: SIGNATURE },
    type: IMAGE,
  },
  {
    name: "its artifact type beside an empty configuration",
    document: { ...good, config: EMPTY, artifactType: SIGNATURE },
    type: IMAGE,
  },
  { name: "no media type in its body", document: { ...good, mediaType: undefined }, type: IMAGE },
  { name: "annotations", document: { ...good, annotations: { a: "b" } }, type: IMAGE },
  { name: "the withdrawn artifact manifest's type", document: artifact, type: ARTIFACT },
];
for (const { name, document, type } of accepted) {
  test(`a signature manifest is known by ${name}`, () => {
    assert.deepEqual(read(document, type), { envelope, subject });
  });
}

test("a COSE envelope is listed under its own type", () => {
  const cose = { ...envelope, mediaType: "application/cose" };
  assert.deepEqual(read({ ...good, layers: [cose] }), { envelope: cose, subject });
});

const refused: readonly (readonly [name: string, document: unknown, type?: string])[] = [
  ["that is a list", [good]],
  ["that is null", null],
  ["of no schema version", { ...good, schemaVersion: undefined }],
  ["of schema version 1", { ...good, schemaVersion: 1 }],
  ["without a configuration", { ...good, config: undefined }],
  [
    "of an image",
    { ...good, config: { ...config, mediaType: "application/vnd.oci.image.config.v1+json" } },
  ],
  ["of another artifact type", { ...good, artifactType: "application/spdx+json" }],
  ["with an empty configuration and no artifact type", { ...good, config: EMPTY }],
  [
    "T-05 that calls itself an index",
    { ...good, mediaType: "application/vnd.oci.image.index.v1+json" },
  ],
  ["T-05 with the members of an index", { ...good, manifests: [] }],
  ["T-05 with the members of both its kinds", { ...good, blobs: [envelope] }],
  ["T-05 with the members of Docker's first schema", { ...good, fsLayers: [] }],
  ["without an envelope", { ...good, layers: [] }],
  ["with two envelopes", { ...good, layers: [envelope, envelope] }],
  ["whose layers are an object", { ...good, layers: { 0: envelope, length: 1 } }],
  [
    "with an envelope of another type",
    { ...good, layers: [{ ...envelope, mediaType: "application/json" }] },
  ],
  [
    "with an envelope's type and parameters",
    { ...good, layers: [{ ...envelope, mediaType: "application/cose; a=b" }] },
  ],
  [
    "with an envelope by SHA-512",
    { ...good, layers: [{ ...envelope, digest: `sha512:${"a".repeat(128)}` }] },
  ],
  ["with an envelope of no size", { ...good, layers: [{ ...envelope, size: 0 }] }],
  ["with an envelope of half a byte", { ...good, layers: [{ ...envelope, size: 8.5 }] }],
  ["with an envelope whose size is text", { ...good, layers: [{ ...envelope, size: "8" }] }],
  ["with an envelope that is null", { ...good, layers: [null] }],
  ["without a subject", { ...good, subject: undefined }],
  ["with a subject that is a digest", { ...good, subject: subject.digest }],
  ["with a subject without a size", { ...good, subject: { ...subject, size: undefined } }],
  [
    "of the withdrawn kind with another artifact type",
    { ...artifact, artifactType: "a" },
    ARTIFACT,
  ],
  ["of the withdrawn kind that is an image manifest", good, ARTIFACT],
  ["of another kind altogether", good, "application/vnd.oci.image.index.v1+json"],
];
for (const [name, document, type] of refused) {
  test(`a signature manifest ${name} is malformed`, () => {
    const outcome = read(document, type);
    assert.equal("reason" in outcome && outcome.reason, "MALFORMED_SIGNATURE");
  });
}

test("T-05 a signature manifest with a member twice is malformed", () => {
  const text = JSON.stringify(good).replace("{", '{"subject":{},');
  const outcome = readManifest(IMAGE, Buffer.from(text));
  assert.equal("reason" in outcome && outcome.reason, "MALFORMED_SIGNATURE");
});

test("F-08 any bytes and any JSON are malformed and never an exception", () => {
  fc.assert(
    fc.property(
      fc.uint8Array(),
      fc.json(),
      fc.constantFrom(IMAGE, ARTIFACT),
      (bytes, json, type) => {
        assert.equal("reason" in readManifest(type, bytes), true);
        assert.equal("reason" in readManifest(type, Buffer.from(json)), true);
      },
    ),
  );
});
