import type { Descriptor } from "../image/descriptor.ts";
import type { Digest } from "../image/digest.ts";
import type { Referrer, RegistryClient, Repository } from "../registry/registry.ts";
import { isRefusal, rejected, undecided, type Refusal } from "../verdict/verdict.ts";
import type { Contents } from "./contents.ts";
import type { BadCandidate, Candidate, Evidence } from "./evidence.ts";
import { isSignatureType, type SignatureManifest } from "./manifest.ts";

export interface CollectOptions {
  readonly registry: RegistryClient;
  /** Verification plugins that an envelope may name, exactly. */
  readonly plugins: readonly string[];
  /** Signatures that are looked at for one subject. */
  readonly maxSignatures: number;
  /** Bytes of one envelope, and of all envelopes of one subject that are held at once. */
  readonly maxEnvelopeBytes: number;
  /** Where what is fetched is kept. */
  readonly contents: Contents;
  /** Told of what was thrown where nothing should be. */
  readonly onFault: (error: unknown) => void;
}

/**
 * Collects what is needed to judge one subject, in three serial round trips where its envelopes are of ordinary size: the
 * subject beside the list of signatures, the signature manifests, the envelopes.
 * @param known the subject's descriptor, if the registry has just told it; undefined: it is asked for
 * @param signal deadline of the caller; when it aborts, the promise rejects with its reason
 * @returns the evidence, with no candidate when the image is not signed; or why subject or list cannot be had:
 *   rejected `IMAGE_NOT_FOUND`, `NOT_AN_IMAGE`, `REGISTRY_NOT_ALLOWED`, undecided `REGISTRY_*`. A
 *   signature that cannot be had or used is a bad candidate, and the others still count
 */
export type Collect = (
  repository: Repository,
  digest: Digest,
  known: Descriptor | undefined,
  signal: AbortSignal,
) => Promise<Evidence | Refusal>;

/** Bytes that a signature manifest may have; Notation writes some hundreds. */
export const MAX_MANIFEST_BYTES = 65_536;

/** A signature whose manifest names its envelope. */
interface Named {
  readonly kind: "named";
  readonly signature: Digest;
  readonly envelope: SignatureManifest["envelope"];
}

type Look = Named | BadCandidate;

const bad = (signature: Digest, verdict: Refusal): BadCandidate => ({
  kind: "bad",
  signature,
  verdict,
});

/**
 * Keeps what was fetched by digest, for each repository apart: that a repository holds a signature says
 * nothing of another. The list of signatures is never kept, so a new one is seen at once.
 */
export function createCollect(options: CollectOptions): Collect {
  const { registry, contents, maxSignatures, maxEnvelopeBytes, onFault } = options;
  const plugins = new Set(options.plugins);

  /** What the registry says of one signature, from its entry in the list to its manifest. */
  async function look(
    repository: Repository,
    subject: Descriptor,
    referrer: Referrer,
    signal: AbortSignal,
  ): Promise<Look> {
    const signature = referrer.digest;
    if (!isSignatureType(referrer.mediaType) || referrer.size > MAX_MANIFEST_BYTES) {
      const sentence = "the signature manifest is of no known type or size";
      return bad(signature, rejected("MALFORMED_SIGNATURE", sentence));
    }
    const manifest = await contents.manifest(repository, referrer, signal);
    if (isRefusal(manifest)) return bad(signature, manifest);
    if (!isSame(manifest.subject, subject)) {
      const sentence = "the signature manifest speaks of another image";
      return bad(signature, rejected("TAMPERED", sentence));
    }
    if (manifest.envelope.size > maxEnvelopeBytes) {
      const sentence = `the signature envelope has more than ${maxEnvelopeBytes} bytes`;
      return bad(signature, rejected("MALFORMED_SIGNATURE", sentence));
    }
    return { kind: "named", signature, envelope: manifest.envelope };
  }

  /** What a look led to: the envelope that the manifest names is fetched and vetted. */
  async function candidateOf(
    repository: Repository,
    look: Look,
    signal: AbortSignal,
  ): Promise<Candidate> {
    if (look.kind === "bad") return look;
    const { signature, envelope: descriptor } = look;
    const envelope = await contents.envelope(repository, descriptor, signal);
    if (isRefusal(envelope)) return bad(signature, envelope);
    const { plugin } = envelope.claims;
    if (plugin !== undefined && !plugins.has(plugin)) {
      const sentence = `the signature asks for plugin ${plugin}`;
      return bad(signature, rejected("PLUGIN_NOT_ALLOWED", sentence));
    }
    return { kind: "envelope", signature, mediaType: descriptor.mediaType, ...envelope };
  }

  /** Anybody who may push attaches signatures: one that makes us throw must not take the others with it. */
  async function carefully<T>(
    signature: Digest,
    signal: AbortSignal,
    work: () => Promise<T>,
  ): Promise<T | BadCandidate> {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted) throw error;
      onFault(error);
      return bad(signature, undecided("INTERNAL_ERROR", "a signature could not be read"));
    }
  }

  async function* candidatesOf(
    repository: Repository,
    looks: readonly Look[],
    signal: AbortSignal,
  ): AsyncGenerator<Candidate, void> {
    for (const share of sharesOf(looks, maxEnvelopeBytes)) {
      const candidates = share.map((one) =>
        carefully(one.signature, signal, () => candidateOf(repository, one, signal)),
      );
      yield* await Promise.all(candidates);
    }
  }

  return async (repository, digest, known, signal) => {
    // Whatever ends this call ends what it started.
    const stop = new AbortController();
    const both = AbortSignal.any([signal, stop.signal]);
    try {
      const list = registry.signatures(repository, digest, both);
      // It is awaited below, unless the subject ends the call first.
      list.catch(() => {});
      const subject = await contents.subject(repository, digest, known, both);
      if (isRefusal(subject)) return subject;
      if (subject.digest !== digest) {
        return undecided("REGISTRY_ERROR", "the registry answered with another image");
      }
      const listed = await list;
      if (isRefusal(listed)) return listed;
      const looks = listed
        .slice(0, maxSignatures)
        .map((referrer) =>
          carefully(referrer.digest, both, () => look(repository, subject, referrer, both)),
        );
      const candidates = candidatesOf(repository, await Promise.all(looks), signal);
      return { subject, candidates, listed: listed.length };
    } finally {
      stop.abort();
    }
  };
}

/** All three members, as Notation compares them. */
const isSame = (one: Descriptor, other: Descriptor): boolean =>
  one.digest === other.digest && one.size === other.size && one.mediaType === other.mediaType;

/** Takes signatures together, in their order, as long as their envelopes have so many bytes or fewer by their descriptors. */
function sharesOf(looks: readonly Look[], bytes: number): readonly (readonly Look[])[] {
  const shares: Look[][] = [];
  let room = 0;
  for (const one of looks) {
    const size = one.kind === "named" ? one.envelope.size : 0;
    const share = shares.at(-1);
    if (share !== undefined && size <= room) {
      share.push(one);
      room -= size;
    } else {
      shares.push([one]);
      room = bytes - size;
    }
  }
  return shares;
}
