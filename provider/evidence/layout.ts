import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Descriptor } from "../image/descriptor.ts";
import { digestOf, hexOf } from "../image/digest.ts";
import { NOTATION_SIGNATURE, OCI_MANIFEST } from "../image/media-type.ts";
import type { Envelope } from "./evidence.ts";

/** Notation 1.3 finds signatures by this type of the configuration alone; the blob of `{}` need not be there. */
const CONFIGURATION = {
  mediaType: NOTATION_SIGNATURE,
  digest: digestOf("{}"),
  size: 2,
} as const;

/** An OCI image layout on disk, which is removed when it is disposed of. */
export interface Layout extends Disposable {
  /** Absolute if the parent is; without `@`, which Notation would take for the digest's. */
  readonly path: string;
}

/**
 * Writes the smallest OCI image layout in which Notation finds one envelope for one subject: an index, a
 * signature manifest made for the purpose, and the envelope. The subject's manifest is not part of it.
 *
 * Synchronous on purpose: four small files on a memory file system cost a tenth of a millisecond so, and
 * six times as much through promises.
 * The layout is the working directory of a process that only starts with this call's value: await the
 * process before the block ends, `return await`, or its working directory is removed while it runs.
 * @param parent a private directory that exists; the layout is a new directory in it, mode 0700
 * @param subject written as it is in the index and in the manifest; Notation compares it with the signed one
 * @throws what the file system says, with nothing left behind; disposing never throws
 * @see OCI Image Specification 1.1, "Image Layout"
 */
export function writeLayout(parent: string, subject: Descriptor, envelope: Envelope): Layout {
  const path = mkdtempSync(join(parent, "layout-"));
  const layout = { path, [Symbol.dispose]: () => remove(path) };
  try {
    fill(
      path,
      { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
      envelope,
    );
    return layout;
  } catch (error) {
    remove(path);
    throw error;
  }
}

function fill(path: string, subject: Descriptor, envelope: Envelope): void {
  const blobs = join(path, "blobs", "sha256");
  mkdirSync(blobs, { recursive: true, mode: 0o700 });
  const put = (mediaType: string, bytes: Uint8Array | string): Descriptor => {
    const digest = digestOf(bytes);
    writeFileSync(join(blobs, hexOf(digest)), bytes, { mode: 0o600 });
    return { mediaType, digest, size: Buffer.byteLength(bytes) };
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: CONFIGURATION,
    layers: [put(envelope.mediaType, envelope.bytes)],
    subject,
  };
  // The subject comes first: its descriptor is what the reference resolves to.
  const manifests = [subject, put(OCI_MANIFEST, JSON.stringify(manifest))];
  const write = (name: string, value: unknown) =>
    writeFileSync(join(path, name), JSON.stringify(value), { mode: 0o600 });
  write("index.json", { schemaVersion: 2, manifests });
  write("oci-layout", { imageLayoutVersion: "1.0.0" });
}

/** Removal is tidiness: what cannot be removed goes with the runtime directory, and no verdict hangs on it. */
function remove(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // See above.
  }
}
