import type { Descriptor } from "../image/descriptor.ts";
import type { Digest } from "../image/digest.ts";
import { createCache } from "../lib/cache.ts";
import type { RegistryClient, Repository } from "../registry/registry.ts";
import { isRefusal, rejected, type Refusal, type Rejected } from "../verdict/verdict.ts";
import { readEnvelope } from "./envelope.ts";
import type { Claims } from "./evidence.ts";
import { readManifest, type SignatureManifest } from "./manifest.ts";

export interface ContentsOptions {
  readonly registry: RegistryClient;
  readonly maxEnvelopeBytes: number;
  readonly maxCacheBytes: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** An envelope's bytes beside what they claim. */
interface ReadEnvelope {
  readonly bytes: Uint8Array;
  readonly claims: Claims;
}

/** Reads contents of a repository by digest, from memory or from the registry. */
export interface Contents {
  /** @param known spares the question, and is kept */
  subject(
    from: Repository,
    digest: Digest,
    known: Descriptor | undefined,
    signal: AbortSignal,
  ): Promise<Descriptor | Refusal>;
  manifest(
    from: Repository,
    descriptor: Descriptor,
    signal: AbortSignal,
  ): Promise<SignatureManifest | Refusal>;
  envelope(
    from: Repository,
    descriptor: SignatureManifest["envelope"],
    signal: AbortSignal,
  ): Promise<ReadEnvelope | Refusal>;
  stats(): { readonly entries: number; readonly bytes: number };
}

type Content =
  | { readonly kind: "subject"; readonly value: Descriptor }
  | { readonly kind: "manifest"; readonly value: SignatureManifest | Rejected }
  | { readonly kind: "envelope"; readonly value: ReadEnvelope | Rejected; readonly bytes: number };

/** Bytes that an entry takes besides an envelope's: objects, strings, the map's own. An estimate, on the high side. */
const ENTRY_BYTES = 2048;

/** Entries that the cache may have: as many as fit when each is the smallest. */
const entriesIn = (bytes: number): number => Math.max(1, Math.floor(bytes / ENTRY_BYTES));

/**
 * What was fetched is kept until newer contents need the room: it is named by its hash and cannot change.
 * Contents that break a rule are kept as the rejection that they earn; refusals of the registry never.
 * Two callers that want the same content at the same time both fetch it; who verifies joins equal work.
 */
export function createContents(options: ContentsOptions): Contents {
  const { registry } = options;
  const cache = createCache<Content>({
    maxEntries: entriesIn(options.maxCacheBytes),
    maxBytes: options.maxCacheBytes,
    // Names and descriptors are bounded where they are parsed; two bytes a character is the worst case.
    sizeOf: (content, key) =>
      ENTRY_BYTES + 2 * key.length + (content.kind === "envelope" ? content.bytes : 0),
    now: options.now,
  });
  const keep = (key: string, content: Content): void => cache.set(key, content, Infinity);

  return {
    stats: () => cache.stats(),

    subject: async (from, digest, known, signal) => {
      const key = keyOf("subject", from, digest);
      const held = cache.get(key)?.value;
      if (known === undefined && held?.kind === "subject") return held.value;
      const subject = known ?? (await registry.subject(from, digest, signal));
      if (!isRefusal(subject) && subject.digest === digest) {
        keep(key, { kind: "subject", value: subject });
      }
      return subject;
    },

    manifest: async (from, descriptor, signal) => {
      const key = keyOf(`manifest ${descriptor.mediaType}`, from, descriptor.digest);
      const held = cache.get(key)?.value;
      if (held?.kind === "manifest") return held.value;
      const bytes = await registry.manifest(from, descriptor, signal);
      if (isRefusal(bytes)) return missing(bytes);
      const value = readManifest(descriptor.mediaType, bytes);
      keep(key, { kind: "manifest", value });
      return value;
    },

    envelope: async (from, descriptor, signal) => {
      const key = keyOf(`envelope ${descriptor.mediaType}`, from, descriptor.digest);
      const held = cache.get(key)?.value;
      if (held?.kind === "envelope") return held.value;
      const body = await registry.blob(from, descriptor, options.maxEnvelopeBytes, signal);
      if (isRefusal(body)) return missing(body);
      // A small buffer of Node's is a piece of 64 KiB, all of which would be kept with it, and none of which is counted.
      const bytes = new Uint8Array(body);
      const claims = readEnvelope(descriptor.mediaType, bytes);
      const value = isRefusal(claims) ? claims : { bytes, claims };
      keep(key, { kind: "envelope", value, bytes: isRefusal(claims) ? 0 : bytes.byteLength });
      return value;
    },
  };
}

/** A kind and a repository are part of every key: neither a space nor an `@` can be part of their names. */
const keyOf = (kind: string, { registry, repository }: Repository, digest: Digest): string =>
  `${kind} ${registry}/${repository}@${digest}`;

/** The registry's words are about images; a signature that is listed and not there is a broken signature. */
function missing(refusal: Refusal): Refusal {
  if (refusal.reason !== "IMAGE_NOT_FOUND" && refusal.reason !== "NOT_AN_IMAGE") return refusal;
  return rejected("MALFORMED_SIGNATURE", "the registry lists the signature and does not have it");
}
