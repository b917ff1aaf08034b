import { z } from "zod";
import { digestOf, hexOf, isDigest, type Digest } from "../image/digest.ts";
import { NOTATION_SIGNATURE, OCI_INDEX } from "../image/media-type.ts";
import { createCache } from "../lib/cache.ts";
import { isObject, JsonProblem } from "../lib/strict-json.ts";
import { isRefusal, type Refusal } from "../verdict/verdict.ts";
import { MAX_BODY_BYTES, type Reply } from "./http.ts";
import { nextLink } from "./link.ts";
import { mediaTypeOf } from "./media-type.ts";
import { errorCodesOf, parseDocument, registryError, unexpected } from "./problem.ts";
import type { Referrer } from "./registry.ts";
import type { Session } from "./session.ts";

const MAX_PAGES = 10;

/** Signatures listed at most. Whoever lists more has said enough: nobody will judge them all. */
const MAX_SIGNATURES = 1000;

/** Characters of annotations kept of one referrer; they help to choose and decide nothing. */
const MAX_ANNOTATIONS = 4096;

/** How long a repository is believed to have no referrers API, in milliseconds, and how many are remembered. */
const MISSING_MS = 300_000;
const MAX_MISSING = 2000;

const Index = z.object({
  mediaType: z.literal(OCI_INDEX).optional(),
  manifests: z.array(z.unknown()),
});

const Entry = z.object({
  mediaType: z.string().max(255),
  digest: z.string().refine(isDigest),
  size: z.int().nonnegative(),
  artifactType: z.literal(NOTATION_SIGNATURE),
  annotations: z.record(z.string(), z.string()).optional().catch(undefined),
});

export interface ReferrersOptions {
  readonly session: Session;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** Lists the signatures of a subject. @see RegistryClient.signatures */
export type ListSignatures = (
  repository: string,
  digest: Digest,
  signal: AbortSignal,
) => Promise<readonly Referrer[] | Refusal>;

type Listing = readonly Referrer[] | Refusal;

/**
 * Asks the referrers API, and where there is none the tag schema. A repository without the API is remembered, so that
 * its signed images cost one request; before an image of it is called unsigned the API is asked all the same, so what
 * was remembered wrongly hides no signature.
 */
export function createReferrers({ session, now }: ReferrersOptions): ListSignatures {
  const bounds = { maxEntries: MAX_MISSING, maxBytes: MAX_MISSING };
  const missing = createCache<true>({ ...bounds, sizeOf: () => 1, now });

  return async (repository, digest, signal) => {
    const from = { session, repository, digest, signal };
    if (missing.get(repository) !== undefined) {
      const tagged = await byTag(from);
      if (isRefusal(tagged) || tagged.length > 0) return tagged;
      return (await byApi(from)) ?? tagged;
    }
    const listed = await byApi(from);
    if (listed !== undefined) return listed;
    const tagged = await byTag(from);
    if (!isRefusal(tagged)) missing.set(repository, true, MISSING_MS);
    return tagged;
  };
}

interface From {
  readonly session: Session;
  readonly repository: string;
  readonly digest: Digest;
  readonly signal: AbortSignal;
}

/** @returns undefined when the registry has no such API */
async function byApi({ session, repository, digest, signal }: From): Promise<Listing | undefined> {
  const path = `/v2/${repository}/referrers/${digest}`;
  const found = createCollection();
  let url = new URL(
    `${path}?artifactType=${encodeURIComponent(NOTATION_SIGNATURE)}`,
    session.endpoint,
  );
  const visited = new Set<string>();
  for (;;) {
    visited.add(url.href);
    const reply = await session.ask({
      repository,
      url,
      accept: OCI_INDEX,
      limit: MAX_BODY_BYTES,
      signal,
    });
    if (isRefusal(reply)) return reply;
    if (visited.size === 1 && hasNoApi(reply)) return undefined;
    // A repository that does not exist has no signatures; the subject says that it is not there.
    if (reply.status === 404 && visited.size === 1) return [];
    const problem = found.add(reply);
    if (problem !== undefined) return problem;
    const next = nextLink(reply.header("link"));
    if (next === undefined || found.isFull()) return found.all();
    const target = URL.parse(next, url);
    if (target?.origin !== session.endpoint.origin || target.pathname !== path) {
      return registryError("the registry continues its list of signatures elsewhere");
    }
    target.hash = "";
    if (visited.has(target.href) || visited.size === MAX_PAGES) {
      return registryError("the registry's list of signatures does not end");
    }
    url = target;
  }
}

/**
 * 404 by the specification, 405 from registries that know the path and not the method; another type from those whose
 * web interface answers; 303, not followed, from ghcr.io, which sends us to a page for people.
 */
function hasNoApi(reply: Reply): boolean {
  if (reply.status === 404) return !errorCodesOf(reply).includes("NAME_UNKNOWN");
  return (
    [303, 405].includes(reply.status) || (reply.status === 200 && mediaTypeOf(reply) !== OCI_INDEX)
  );
}

/** @see OCI Distribution Specification 1.1, "Referrers Tag Schema" */
async function byTag({ session, repository, digest, signal }: From): Promise<Listing> {
  const reply = await session.ask({
    repository,
    url: new URL(`/v2/${repository}/manifests/sha256-${hexOf(digest)}`, session.endpoint),
    accept: OCI_INDEX,
    limit: MAX_BODY_BYTES,
    signal,
  });
  if (isRefusal(reply)) return reply;
  if (reply.status === 404) return [];
  // GitLab's registry reads the tag as the digest and sends the subject itself, which lists no referrers.
  if (reply.status === 200 && digestOf(reply.body) === digest) return [];
  const found = createCollection();
  return found.add(reply) ?? found.all();
}

/** Signatures of several pages, without repetition, in the registry's order. */
function createCollection() {
  const found = new Map<Digest, Referrer>();
  const isFull = (): boolean => found.size >= MAX_SIGNATURES;
  return {
    isFull,
    all: (): readonly Referrer[] => [...found.values()],
    /** Takes what is a signature from one page. An entry that is not well-formed does not spoil the others. */
    add(reply: Reply): Refusal | undefined {
      if (reply.status !== 200) return unexpected(reply);
      const value = mediaTypeOf(reply) === OCI_INDEX ? parseDocument(reply.body) : undefined;
      const page = value instanceof JsonProblem ? undefined : Index.safeParse(value);
      if (!page?.success) return registryError("the registry's list of signatures is malformed");
      for (const item of page.data.manifests) {
        if (isFull()) break;
        // The schema is dear, and a list may hold anything else in any number.
        if (!isObject(item) || item["artifactType"] !== NOTATION_SIGNATURE) continue;
        const entry = Entry.safeParse(item);
        if (entry.success && !found.has(entry.data.digest)) {
          found.set(entry.data.digest, referrerOf(entry.data));
        }
      }
      return undefined;
    },
  };
}

function referrerOf({ mediaType, digest, size, artifactType, annotations }: z.infer<typeof Entry>) {
  const isShort =
    annotations !== undefined &&
    Object.entries(annotations).reduce((sum, [name, text]) => sum + name.length + text.length, 0) <=
      MAX_ANNOTATIONS;
  return { mediaType, digest, size, artifactType, ...(isShort && { annotations }) };
}
