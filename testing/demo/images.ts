import type { Digest } from "../../provider/image/digest.ts";
import type { Olareg } from "../registry/olareg.ts";
import { attachSignature, pushImage } from "../registry/push.ts";
import { send } from "../registry/target.ts";
import type { NotationHome } from "./notation.ts";

/** A sample image, as it lies in the registry. */
export interface Sample {
  /** `host:port/repository:tag` */
  readonly image: string;
  /** What was done to it, for the table. */
  readonly story: string;
}

export interface SampleOptions {
  readonly registry: Olareg;
  readonly notation: NotationHome;
  /** Names of two keys; the trust policy knows the first. */
  readonly keys: { readonly trusted: string; readonly stranger: string };
  /** Told of each step. */
  readonly step: (text: string) => void;
}

const JWS = "application/jose+json";

/** Pushes five images and signs them with the real Notation: one as it should be, one not at all, three wrongly. */
export async function pushSamples(options: SampleOptions): Promise<readonly Sample[]> {
  const { registry, notation, keys, step } = options;
  const push = async (
    repository: string,
  ): Promise<{
    image: string;
    digest: Digest;
    size: number;
    mediaType: string;
    reference: string;
  }> => {
    step(`push ${repository}:v1`);
    const descriptor = await pushImage({ registry, repository, tag: "v1" });
    const name = `${registry.host}/${repository}`;
    return { ...descriptor, image: `${name}:v1`, reference: `${name}@${descriptor.digest}` };
  };

  // A signature that ends a second after it was made has ended when the others are made.
  const expired = await push("team/expired");
  await notation.sign(expired.reference, { key: keys.trusted, expiry: "1s" });
  const signed = await push("team/signed");
  await notation.sign(signed.reference, { key: keys.trusted, metadata: { commit: "8f74f0f" } });
  const unsigned = await push("team/unsigned");
  const stranger = await push("team/stranger");
  await notation.sign(stranger.reference, { key: keys.stranger, format: "cose" });
  const tampered = await push("team/tampered");
  step("alter a signature for team/tampered:v1");
  await attachSignature({
    registry,
    repository: "team/tampered",
    subject: tampered,
    mediaType: JWS,
    envelope: alter(await readEnvelope(registry, "team/signed", signed.digest), tampered),
  });
  return [
    { image: signed.image, story: "signed by a trusted key" },
    { image: unsigned.image, story: "not signed" },
    { image: stranger.image, story: "signed by a stranger" },
    { image: expired.image, story: "signature expired" },
    { image: tampered.image, story: "signature altered" },
  ];
}

/** The first signature envelope of an image, as anybody who may pull can read it. */
async function readEnvelope(registry: Olareg, repository: string, digest: Digest): Promise<Buffer> {
  const get = async (path: string): Promise<Buffer> => {
    const { status, body } = await send(registry, { path: `/v2/${repository}/${path}` });
    if (status !== 200) throw new Error(`${path}: HTTP ${status}`);
    return body;
  };
  const index = JSON.parse((await get(`referrers/${digest}`)).toString()) as {
    manifests: { digest: string }[];
  };
  const manifest = JSON.parse(
    (await get(`manifests/${index.manifests[0]?.digest}`)).toString(),
  ) as {
    layers: { digest: string }[];
  };
  return await get(`blobs/${manifest.layers[0]?.digest}`);
}

/** The envelope of one image made to speak of another: what somebody without the key can do. */
function alter(
  envelope: Buffer,
  { digest, size, mediaType }: { digest: Digest; size: number; mediaType: string },
): string {
  const jws = JSON.parse(envelope.toString()) as Record<string, unknown>;
  const payload = JSON.stringify({ targetArtifact: { mediaType, digest, size } });
  return JSON.stringify({ ...jws, payload: Buffer.from(payload).toString("base64url") });
}
