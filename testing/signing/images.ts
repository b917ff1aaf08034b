import { attachSignature, pushImage, type Place } from "../registry/push.ts";
import type { SigningIdentity } from "./authority.ts";
import { JWS, jws } from "./envelope.ts";

export interface SignedImagesOptions {
  readonly registry: Place["registry"] & { readonly host: string };
  readonly signer: SigningIdentity;
  /** `host:port` that whoever verifies asks in place of the registry's own. */
  readonly host?: string;
}

/** @returns pushes a signed image that nobody has asked for, another one with each call, and gives its key, by digest */
export function signedImages({
  registry,
  signer,
  host = registry.host,
}: SignedImagesOptions): () => Promise<string> {
  let pushed = 0;
  return async () => {
    const place = { registry, repository: "app" };
    const content = `image ${(pushed += 1)}`;
    const subject = await pushImage({ ...place, tag: `v${pushed}`, content });
    const envelope = jws({ signer, subject });
    await attachSignature({ ...place, subject, mediaType: JWS, envelope });
    return `${host}/app@${subject.digest}`;
  };
}
