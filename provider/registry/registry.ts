import type { Descriptor } from "../image/descriptor.ts";
import type { Digest } from "../image/digest.ts";
import type { Refusal } from "../verdict/verdict.ts";

/** A repository of a configured registry. */
export interface Repository {
  /** Host as images name it, `host[:port]`. */
  readonly registry: string;
  /** Path without the registry. */
  readonly repository: string;
}

/** A descriptor in a list of referrers, with what helps to choose. */
export interface Referrer extends Descriptor {
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * What the provider asks registries. Every call ends when `signal` aborts (it then rejects with the
 * signal's reason) or with a refusal: `IMAGE_NOT_FOUND`, `NOT_AN_IMAGE`, `REGISTRY_NOT_ALLOWED`, or an undecided
 * `REGISTRY_*`. Digests are always computed over the bytes received.
 */
export interface RegistryClient {
  /** Whether the configuration names this registry. */
  allows(registry: string): boolean;
  /** Reads the subject's manifest by tag or digest. @see OCI Distribution Specification 1.1, "Pulling manifests" */
  subject(
    from: Repository,
    name: string | Digest,
    signal: AbortSignal,
  ): Promise<Descriptor | Refusal>;
  /**
   * Descriptors of the Notation signatures that refer to the digest: the referrers API with its pages, or
   * the referrers tag schema where the registry has no API. In the registry's order, without repetition.
   * @see OCI Distribution Specification 1.1, "Listing Referrers"
   */
  signatures(
    from: Repository,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<readonly Referrer[] | Refusal>;
  /** Bytes of a manifest, which hash to the descriptor's digest and have its size. */
  manifest(
    from: Repository,
    descriptor: Descriptor,
    signal: AbortSignal,
  ): Promise<Uint8Array | Refusal>;
  /** Bytes of a blob, which hash to the descriptor's digest and have its size. @param limit bytes at most */
  blob(
    from: Repository,
    descriptor: Descriptor,
    limit: number,
    signal: AbortSignal,
  ): Promise<Uint8Array | Refusal>;
  /** Closes every connection. */
  close(): Promise<void>;
}
