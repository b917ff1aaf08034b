import type { Descriptor } from "../image/descriptor.ts";
import type { Digest } from "../image/digest.ts";
import type { Referrer, RegistryClient, Repository } from "../registry/registry.ts";
import { isRefusal, rejected, undecided, type Refusal } from "../verdict/verdict.ts";
import type { Contents } from "./contents.ts";
import type { BadCandidate, Candidate, Evidence } from "./evidence.ts";
import { isSignatureType } from "./manifest.ts";

export interface CollectOptions {
  readonly registry: RegistryClient;
  /** Verification plugins that an envelope may name, exactly. */
  readonly plugins: readonly string[];
  /** Signatures that are looked at for one subject. */
  readonly maxSignatures: number;
  readonly maxEnvelopeBytes: number;
  /** Where what is fetched is kept. */
  readonly contents: Contents;
  /** Told of what was thrown where nothing should be. */
  readonly onFault: (error: unknown) => void;
}

/**
 * Collects what is needed to judge one subject, in three serial round trips at most: the subject beside
 * the list of signatures, the signature manifests, the envelopes.
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

/**
 * Keeps what was fetched by digest, for each repository apart: that a repository holds a signature says
 * nothing of another. The list of signatures is never kept, so a new one is seen at once.
 */
export function createCollect(options: CollectOptions): Collect {
  const { registry, contents, maxSignatures, onFault } = options;
  const plugins = new Set(options.plugins);

  /** One signature, from its entry in the list to a vetted envelope. */
  async function candidateOf(
    repository: Repository,
    subject: Descriptor,
    referrer: Referrer,
    signal: AbortSignal,
  ): Promise<Candidate> {
    const signature = referrer.digest;
    const bad = (verdict: Refusal): BadCandidate => ({ kind: "bad", signature, verdict });
    if (!isSignatureType(referrer.mediaType) || referrer.size > MAX_MANIFEST_BYTES) {
      return bad(
        rejected("MALFORMED_SIGNATURE", "the signature manifest is of no known type or size"),
      );
    }
    const manifest = await contents.manifest(repository, referrer, signal);
    if (isRefusal(manifest)) return bad(manifest);
    if (!isSame(manifest.subject, subject)) {
      return bad(rejected("TAMPERED", "the signature manifest speaks of another image"));
    }
    if (manifest.envelope.size > options.maxEnvelopeBytes) {
      const most = `more than ${options.maxEnvelopeBytes} bytes`;
      return bad(rejected("MALFORMED_SIGNATURE", `the signature envelope has ${most}`));
    }
    const envelope = await contents.envelope(repository, manifest.envelope, signal);
    if (isRefusal(envelope)) return bad(envelope);
    const { plugin } = envelope.claims;
    if (plugin !== undefined && !plugins.has(plugin)) {
      return bad(rejected("PLUGIN_NOT_ALLOWED", `the signature asks for plugin ${plugin}`));
    }
    return { kind: "envelope", signature, mediaType: manifest.envelope.mediaType, ...envelope };
  }

  /** Anybody who may push attaches signatures: one that makes us throw must not take the others with it. */
  async function carefully(...of: Parameters<typeof candidateOf>): Promise<Candidate> {
    const [, , { digest }, signal] = of;
    try {
      return await candidateOf(...of);
    } catch (error) {
      if (signal.aborted) throw error;
      onFault(error);
      const verdict = undecided("INTERNAL_ERROR", "a signature could not be read");
      return { kind: "bad", signature: digest, verdict };
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
      const candidates = await Promise.all(
        listed
          .slice(0, maxSignatures)
          .map(async (referrer) => await carefully(repository, subject, referrer, both)),
      );
      return { subject, candidates, listed: listed.length };
    } finally {
      stop.abort();
    }
  };
}

/** All three members, as Notation compares them. */
const isSame = (one: Descriptor, other: Descriptor): boolean =>
  one.digest === other.digest && one.size === other.size && one.mediaType === other.mediaType;
