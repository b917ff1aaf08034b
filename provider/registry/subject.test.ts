import assert from "node:assert/strict";
import test from "node:test";
import { digestOf } from "../image/digest.ts";
import { isRefusal, type Refusal } from "../verdict/verdict.ts";
import type { Reply } from "./http.ts";
import { readSubject } from "./subject.ts";

const DOCKER = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json";
const OCI = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX = "application/vnd.oci.image.index.v1+json";

function replyOf(body: string | Uint8Array, mediaType: string): Reply {
  return {
    status: 200,
    header: (name) => (name === "content-type" ? mediaType : undefined),
    body: Buffer.from(body),
  };
}

const reasonOf = (body: string | Uint8Array, mediaType: string): Refusal["reason"] | undefined => {
  const result = readSubject(replyOf(body, mediaType), "v1");
  return isRefusal(result) ? result.reason : undefined;
};

for (const type of [DOCKER, OCI]) {
  test(`an image of type ${type} is described by what was received`, () => {
    const body = JSON.stringify({ schemaVersion: 2, mediaType: type, config: {}, layers: [] });
    assert.deepEqual(readSubject(replyOf(body, type), "v1"), {
      mediaType: type,
      digest: digestOf(body),
      size: Buffer.byteLength(body),
    });
  });
}

const TWO_MEANINGS = [
  '{"layers":[],"manifests":[]}',
  '{"layers":[],"Manifests":[]}',
  '{"manifests":[],"LAYERS":[]}',
  // Go's encoding/json folds the long s: this is `manifests` and `layers` to containerd.
  '{"layers":[],"manife\u017ft\u017f":[]}',
  '{"manifests":[],"layer\u017f":[]}',
  '{"manifests":[],"layer\\u017f":[]}',
];

for (const type of [DOCKER, DOCKER_LIST, OCI, OCI_INDEX]) {
  for (const body of TWO_MEANINGS) {
    test(`T-05 ${body} as ${type} is NOT_AN_IMAGE`, () =>
      assert.equal(reasonOf(body, type), "NOT_AN_IMAGE"));
  }
  const other = type === OCI ? OCI_INDEX : OCI;
  test(`T-05 a document that calls itself ${other} as ${type} is REGISTRY_ERROR`, () =>
    assert.equal(
      reasonOf(JSON.stringify({ mediaType: other, layers: [], manifests: [] }), type),
      "REGISTRY_ERROR",
    ));
  test(`T-05 a document with nothing in it as ${type} is NOT_AN_IMAGE`, () =>
    assert.equal(reasonOf('{"schemaVersion":2}', type), "NOT_AN_IMAGE"));
}

const OTHER_TYPES = [
  "application/vnd.docker.distribution.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v1+prettyjws",
  "application/vnd.oci.artifact.manifest.v1+json",
  "application/json",
  "APPLICATION/VND.OCI.IMAGE.MANIFEST.V1+JSON",
  `${OCI}, ${OCI_INDEX}`,
  "text/html",
  "__proto__",
];

for (const type of OTHER_TYPES) {
  test(`T-05 ${type} is NOT_AN_IMAGE`, () =>
    assert.equal(reasonOf('{"layers":[]}', type), "NOT_AN_IMAGE"));
}

const BAD_JSON: readonly { readonly name: string; readonly body: string | Uint8Array }[] = [
  { name: "truncated JSON", body: '{"layers":[' },
  { name: "nothing", body: "" },
  { name: "an array", body: "[]" },
  { name: "null", body: "null" },
  { name: "a byte order mark", body: '\ufeff{"layers":[]}' },
  { name: "UTF-16", body: Buffer.from('{"layers":[]}', "utf16le") },
  { name: "a member twice", body: '{"layers":[],"layers":[1]}' },
  { name: "a member twice in another case", body: '{"layers":[],"Layers":[1]}' },
  { name: "500,000 levels", body: `{"layers":${"[".repeat(500_000)}${"]".repeat(500_000)}}` },
];

for (const { name, body } of BAD_JSON) {
  test(`F-08 ${name} is REGISTRY_ERROR`, () => assert.equal(reasonOf(body, OCI), "REGISTRY_ERROR"));
}

test("F-08 numbers beyond 2^53 are of no consequence", () =>
  assert.equal(reasonOf('{"layers":[],"schemaVersion":9007199254740993}', OCI), undefined));

test("T-12 a manifest of nothing but members is refused before it is parsed", () => {
  const members = Array.from({ length: 60_000 }, (_, index) => `"x${index}":0`).join(",");
  assert.equal(reasonOf(`{"layers":[],${members}}`, OCI), "REGISTRY_ERROR");
  assert.equal(reasonOf(`{"layers":[],"x":"${" ".repeat(2_000_000)}"}`, OCI), undefined);
});
