import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { digestOf, hexOf } from "../image/digest.ts";
import type { Envelope } from "./evidence.ts";
import { writeLayout } from "./layout.ts";

const subject = {
  mediaType: "application/vnd.docker.distribution.manifest.v2+json",
  digest: digestOf("image"),
  size: 5,
};
const envelope: Envelope = {
  kind: "envelope",
  signature: digestOf("signature"),
  mediaType: "application/cose",
  bytes: Buffer.from("envelope"),
  claims: { signer: { scheme: "notary.x509", subject: "CN=a" } },
};

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "layout-test-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const json = (...path: readonly string[]): unknown =>
  JSON.parse(readFileSync(join(...path), "utf8"));

test("a layout is an index, one signature manifest made for it, and the envelope", (t) => {
  using layout = writeLayout(directory(t), subject, envelope);
  assert.deepEqual(readdirSync(layout.path).toSorted(), ["blobs", "index.json", "oci-layout"]);
  assert.deepEqual(json(layout.path, "oci-layout"), { imageLayoutVersion: "1.0.0" });
  const blobs = join(layout.path, "blobs", "sha256");
  const hexes = readdirSync(blobs);
  assert.equal(hexes.length, 2);
  for (const hex of hexes) assert.equal(hexOf(digestOf(readFileSync(join(blobs, hex)))), hex);
  const { manifests } = json(layout.path, "index.json") as {
    manifests: [unknown, { digest: string; size: number }];
  };
  assert.deepEqual(manifests[0], subject);
  const hex = manifests[1].digest.slice("sha256:".length);
  assert.equal(statSync(join(blobs, hex)).size, manifests[1].size);
  assert.deepEqual(json(blobs, hex), {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: {
      mediaType: "application/vnd.cncf.notary.signature",
      digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
      size: 2,
    },
    layers: [{ mediaType: "application/cose", digest: digestOf("envelope"), size: 8 }],
    subject,
  });
});

test("nothing of a descriptor but what Notation compares gets into a layout", (t) => {
  const annotated = { ...subject, annotations: { "org.opencontainers.image.ref.name": "latest" } };
  using layout = writeLayout(directory(t), annotated, envelope);
  assert.doesNotMatch(readFileSync(join(layout.path, "index.json"), "utf8"), /annotations/);
});

test("a layout is for its owner alone, and no two share a directory", (t) => {
  const parent = directory(t);
  using one = writeLayout(parent, subject, envelope);
  using other = writeLayout(parent, subject, envelope);
  assert.notEqual(one.path, other.path);
  for (const { path } of [one, other]) {
    assert.equal(statSync(path).mode & 0o777, 0o700);
    const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    assert.equal(files.length, 4);
    for (const { parentPath, name } of files) {
      assert.equal(statSync(join(parentPath, name)).mode & 0o777, 0o600);
    }
    assert.doesNotMatch(path.slice(parent.length), /@/);
  }
});

test("disposing removes the layout, and disposing again is nothing", (t) => {
  const parent = directory(t);
  const layout = writeLayout(parent, subject, envelope);
  layout[Symbol.dispose]();
  assert.deepEqual(readdirSync(parent), []);
  layout[Symbol.dispose]();
});

test("disposing never throws", (t) => {
  const parent = directory(t);
  const layout = writeLayout(parent, subject, envelope);
  rmSync(parent, { recursive: true });
  // What stands in the way of the path is now a file.
  writeFileSync(parent, "");
  layout[Symbol.dispose]();
});

test("a layout that cannot be written leaves nothing behind", (t) => {
  const parent = directory(t);
  const torn = { ...envelope };
  Object.defineProperty(torn, "mediaType", {
    get: () => {
      throw new RangeError("half way");
    },
  });
  assert.throws(() => writeLayout(parent, subject, torn), { message: "half way" });
  assert.deepEqual(readdirSync(parent), []);
});

test("a parent that is not there is the file system's error", (t) => {
  const parent = directory(t);
  assert.throws(() => writeLayout(join(parent, "none"), subject, envelope), { code: "ENOENT" });
});
