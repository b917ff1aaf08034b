import type { Descriptor } from "../../provider/image/descriptor.ts";
import { digestOf, hexOf } from "../../provider/image/digest.ts";
import { send, type Received, type Target } from "./target.ts";

export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
export const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
export const SIGNATURE_TYPE = "application/vnd.cncf.notary.signature";

/** Where something is pushed to. */
export interface Place {
  readonly registry: Target;
  readonly repository: string;
}

export interface ImageOptions extends Place {
  readonly tag: string;
  /** What makes it another image than others. Default the repository and the tag. */
  readonly content?: string;
  /** Default the OCI manifest. */
  readonly mediaType?: typeof OCI_MANIFEST | typeof DOCKER_MANIFEST;
}

export interface SignatureOptions extends Place {
  readonly subject: Descriptor;
  /** Of the envelope: `application/jose+json` or `application/cose`. */
  readonly mediaType: string;
  readonly envelope: Uint8Array | string;
  /** SHA-256, hexadecimal, of the chain's certificates; Notation writes them, nobody has to believe them. */
  readonly thumbprints?: readonly string[];
}

/** Pushes a small image: a configuration, one layer, a manifest under the tag. @returns the manifest's descriptor */
export async function pushImage(options: ImageOptions): Promise<Descriptor> {
  const { repository, tag, content = `${repository}:${tag}` } = options;
  const isDocker = options.mediaType === DOCKER_MANIFEST;
  const config = { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } };
  const manifest = {
    schemaVersion: 2,
    mediaType: options.mediaType ?? OCI_MANIFEST,
    config: await pushBlob(
      options,
      isDocker
        ? "application/vnd.docker.container.image.v1+json"
        : "application/vnd.oci.image.config.v1+json",
      JSON.stringify(config),
    ),
    layers: [
      await pushBlob(
        options,
        isDocker
          ? "application/vnd.docker.image.rootfs.diff.tar.gzip"
          : "application/vnd.oci.image.layer.v1.tar",
        content,
      ),
    ],
  };
  return (await pushManifest(options, tag, manifest.mediaType, manifest)).descriptor;
}

/** Pushes an image index over manifests that are there already. @returns the index's descriptor */
export async function pushIndex(
  place: Place,
  tag: string,
  manifests: readonly Descriptor[],
): Promise<Descriptor> {
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests };
  return (await pushManifest(place, tag, OCI_INDEX, index)).descriptor;
}

/** Points a tag at a manifest that is there already. */
export async function tag(place: Place, descriptor: Descriptor, name: string): Promise<void> {
  const path = `/v2/${place.repository}/manifests`;
  const { body } = expect(
    await send(place.registry, {
      path: `${path}/${descriptor.digest}`,
      headers: { accept: descriptor.mediaType },
    }),
    200,
  );
  const headers = { "content-type": descriptor.mediaType };
  expect(
    await send(place.registry, { method: "PUT", path: `${path}/${name}`, headers, body }),
    201,
  );
}

/**
 * Attaches a signature as `notation sign` does. A registry without the referrers API gets it in the index of the
 * tag schema as well.
 * @returns descriptor of the signature manifest
 * @see Notary Project signature specification, "Storage"
 */
export async function attachSignature(options: SignatureOptions): Promise<Descriptor> {
  const { subject, mediaType, envelope, thumbprints = ["0".repeat(64)] } = options;
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: await pushBlob(options, SIGNATURE_TYPE, "{}"),
    layers: [await pushBlob(options, mediaType, envelope)],
    subject,
    annotations: {
      "io.cncf.notary.x509chain.thumbprint#S256": JSON.stringify(thumbprints),
      "org.opencontainers.image.created": "2026-11-02T10:00:00Z",
    },
  };
  const { descriptor, knowsSubject } = await pushManifest(
    options,
    digestOf(JSON.stringify(manifest)),
    OCI_MANIFEST,
    manifest,
  );
  const { annotations } = manifest;
  const referrer = { ...descriptor, artifactType: SIGNATURE_TYPE, annotations };
  if (!knowsSubject) await addToTagSchema(options, subject, referrer);
  return descriptor;
}

/** @see OCI Distribution Specification 1.1, "Pushing Manifests with Subject" */
async function addToTagSchema(place: Place, subject: Descriptor, referrer: Descriptor) {
  const name = `sha256-${hexOf(subject.digest)}`;
  const path = `/v2/${place.repository}/manifests/${name}`;
  const present = await send(place.registry, { path, headers: { accept: OCI_INDEX } });
  const index: { readonly manifests: readonly Descriptor[] } =
    present.status === 200 ? JSON.parse(present.body.toString("utf8")) : { manifests: [] };
  await pushIndex(place, name, [...index.manifests, referrer]);
}

/**
 * Pushes any document as a manifest.
 * @param name tag or digest
 * @param document sent as it is when it is text, so that it may be odd
 */
async function pushManifest(
  { registry, repository }: Place,
  name: string,
  mediaType: string,
  document: object | string,
): Promise<{ readonly descriptor: Descriptor; readonly knowsSubject: boolean }> {
  const body = typeof document === "string" ? document : JSON.stringify(document);
  const { headers } = expect(
    await send(registry, {
      method: "PUT",
      path: `/v2/${repository}/manifests/${name}`,
      headers: { "content-type": mediaType },
      body,
    }),
    201,
  );
  return {
    descriptor: { mediaType, digest: digestOf(body), size: Buffer.byteLength(body) },
    knowsSubject: headers["oci-subject"] !== undefined,
  };
}

/** Pushes a blob. @returns its descriptor with the media type given */
async function pushBlob(
  { registry, repository }: Place,
  mediaType: string,
  content: Uint8Array | string,
): Promise<Descriptor> {
  const digest = digestOf(content);
  const begun = expect(
    await send(registry, { method: "POST", path: `/v2/${repository}/blobs/uploads/` }),
    202,
  );
  const location = new URL(begun.headers.location ?? "", registry.url);
  location.searchParams.set("digest", digest);
  const headers = { "content-type": "application/octet-stream" };
  expect(await send(registry, { method: "PUT", path: location.href, headers, body: content }), 201);
  return { mediaType, digest, size: Buffer.byteLength(content) };
}

function expect(received: Received, status: number): Received {
  if (received.status !== status) {
    throw new Error(`the registry answered ${received.status}: ${received.body.toString("utf8")}`);
  }
  return received;
}
