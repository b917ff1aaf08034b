import { attachSignature, pushImage } from "../testing/registry/push.ts";
import type { Olareg } from "../testing/registry/olareg.ts";
import type { SigningIdentity } from "../testing/signing/authority.ts";
import { JWS, jws } from "../testing/signing/envelope.ts";

/** A signed image in the registry. */
export interface SignedImage {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

/** Images of one repository: the registry goes through all of them to list the referrers of one. */
const PER_REPOSITORY = 10;

/** Pushes `count` images that differ, each with one signature, into repositories whose names begin alike. */
export async function pushSigned(
  registry: Olareg,
  signer: SigningIdentity,
  prefix: string,
  count: number,
): Promise<readonly SignedImage[]> {
  const images: SignedImage[] = [];
  for (let index = 0; index < count; index += 1) {
    const tag = `v${index}`;
    const repository = `${prefix}-${Math.floor(index / PER_REPOSITORY)}`;
    const subject = await pushImage({ registry, repository, tag, content: `${repository}:${tag}` });
    await attachSignature({
      registry,
      repository,
      subject,
      mediaType: JWS,
      envelope: jws({ signer, subject }),
    });
    images.push({ repository, tag, digest: subject.digest });
  }
  return images;
}
