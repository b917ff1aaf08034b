import { createHash } from "node:crypto";

declare const brand: unique symbol;

/** `sha256:` and 64 lower-case hexadecimal digits; the only algorithm that Notation signs and we compute. */
export type Digest = string & { readonly [brand]: "Digest" };

const SHA256 = /^sha256:[0-9a-f]{64}$/;

/** @see OCI Image Specification 1.1, "Digests" */
export const isDigest = (text: string): text is Digest => SHA256.test(text);

/** Digest of the bytes as they are. */
export function digestOf(bytes: Uint8Array | string): Digest {
  const text = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  if (!isDigest(text)) throw new TypeError("a SHA-256 digest has 64 hexadecimal digits");
  return text;
}

/** The 64 hexadecimal digits of a digest: the name of a blob's file in an OCI image layout. */
export const hexOf = (digest: Digest): string => digest.slice("sha256:".length);
