import type { Digest } from "./digest.ts";

/**
 * Names content by what it is. Notation compares all three members of a subject with the signed ones.
 * @see OCI Image Specification 1.1, "Content Descriptors"
 */
export interface Descriptor {
  /** Without parameters, as the registry's Content-Type gave it. */
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}
