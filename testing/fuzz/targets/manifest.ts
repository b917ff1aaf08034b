import assert from "node:assert/strict";
import { isSignatureType, readManifest } from "../../../provider/evidence/manifest.ts";
import { digestOf, isDigest } from "../../../provider/image/digest.ts";
import { OCI_ARTIFACT, OCI_INDEX, OCI_MANIFEST } from "../../../provider/image/media-type.ts";
import type { Reply } from "../../../provider/registry/http.ts";
import { SUBJECT_TYPES } from "../../../provider/registry/media-type.ts";
import { readSubject } from "../../../provider/registry/subject.ts";
import { isRefusal } from "../../../provider/verdict/verdict.ts";
import { assertNoRepetition, assertRefusal, outcomeOf } from "../assertions.ts";
import { json } from "../form.ts";
import type { Target } from "../target.ts";

/** Signature manifests under each type that they may be served as. */
function checkSignature(input: Uint8Array): readonly string[] {
  const outcomes: string[] = [];
  let accepted = 0;
  for (const type of [OCI_MANIFEST, OCI_ARTIFACT, OCI_INDEX]) {
    const read = readManifest(type, input);
    if (isRefusal(read)) {
      assertRefusal(read);
      assert.equal(read.reason, "MALFORMED_SIGNATURE");
      outcomes.push(outcomeOf(read));
      continue;
    }
    accepted += 1;
    assert.ok(isSignatureType(type));
    for (const { mediaType, digest, size } of [read.envelope, read.subject]) {
      assert.equal(typeof mediaType, "string");
      assert.ok(isDigest(digest));
      assert.ok(Number.isSafeInteger(size) && size > 0);
    }
    assert.match(read.envelope.mediaType, /^application\/(?:jose\+json|cose)$/);
    outcomes.push(`signature ${read.envelope.mediaType}`);
  }
  assert.ok(accepted <= 1, "two kinds of signature manifest");
  if (accepted > 0) assertNoRepetition(Buffer.from(input).toString());
  return outcomes;
}

/** The same bytes as an image, under each type that an image may have. */
function checkSubject(input: Uint8Array): readonly string[] {
  const outcomes: string[] = [];
  const kinds = new Set<string>();
  const digest = digestOf(input);
  for (const [type, kind] of SUBJECT_TYPES) {
    const header = (name: string) =>
      name === "content-type" ? `${type}; charset=utf-8` : undefined;
    const reply: Reply = { status: 200, header, body: input };
    const read = readSubject(reply, "latest");
    if (isRefusal(read)) {
      assertRefusal(read);
      assert.ok(["REGISTRY_ERROR", "NOT_AN_IMAGE"].includes(read.reason));
      outcomes.push(outcomeOf(read));
      continue;
    }
    assert.deepEqual(read, { mediaType: type, digest, size: input.length });
    kinds.add(kind);
    outcomes.push(kind);
  }
  assert.ok(kinds.size <= 1, "an image and an index");
  if (kinds.size > 0) assertNoRepetition(Buffer.from(input).toString());
  return outcomes;
}

/** Manifests. No bytes are two things, whatever they are served as, and what is read of them is counted by us. */
export const target: Target = {
  name: "manifest",
  title: "T-03 T-05 F-08 no bytes are two manifests, whatever they are served as",
  maxBytes: 4_194_304,
  form: json,
  words: [
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "Layers",
    "blobs",
    "manifests",
    "fsLayers",
    "subject",
    "digest",
    "size",
    "annotations",
    OCI_MANIFEST,
    OCI_ARTIFACT,
    OCI_INDEX,
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.cncf.notary.signature",
    "application/vnd.oci.empty.v1+json",
    "application/jose+json",
    "application/cose",
    digestOf("subject"),
    "sha512:",
  ],
  check: (input) => [...checkSignature(input), ...checkSubject(input)].join(" | "),
};
