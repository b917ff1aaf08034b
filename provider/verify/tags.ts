import type { Descriptor } from "../image/descriptor.ts";
import { nameOf, type Reference } from "../image/reference.ts";
import type { Deadline } from "../lib/deadline.ts";
import { createFlight } from "../lib/single-flight.ts";
import type { RegistryClient, Repository } from "../registry/registry.ts";
import { isRefusal, type Refusal, type Rejected } from "../verdict/verdict.ts";
import type { Failure } from "./failure.ts";
import { createRefreshedCache } from "./refreshed.ts";

/** A tag of a repository. */
export interface Tagged {
  readonly from: Repository;
  readonly tag: string;
  /** `registry/repository:tag` */
  readonly name: string;
}

/** What a tag names now, or that it names nothing. */
type Resolved = Descriptor | Rejected;

/** Tags and the digests that they named a few seconds ago at most. */
export interface Tags {
  /** What is known without asking; begins a refresh when that is about to end. */
  peek(tagged: Tagged): Resolved | undefined;
  /** Asks the registry unless it is known; concurrent questions are joined. Rejects with the reason of `caller`. */
  resolve(tagged: Tagged, caller: AbortSignal): Promise<Resolved | Refusal>;
  stats(): { readonly entries: number; readonly bytes: number };
  /** Ends refreshing. */
  close(): void;
}

export interface TagsOptions {
  readonly registry: Pick<RegistryClient, "subject">;
  readonly lifeMs: number;
  readonly maxEntries: number;
  readonly now: () => number;
  /** Of one look-up. */
  readonly deadline: () => Deadline;
  readonly failure: Failure;
  /** Told of a refresh that threw; must not throw. */
  readonly onFault: (error: unknown) => void;
}

/** Bytes that an entry is counted as: a name, a descriptor and what holds them. */
const ENTRY_BYTES = 1024;

/** A look-up is one small request, and the registry's client bounds those of one registry. */
const MAX_REFRESHES = 64;

const NEVER = new AbortController().signal;

/** The tag of a reference that has no digest; a reference has one or the other. */
export function taggedOf(reference: Reference): Tagged {
  const { registry, repository, tag = "latest" } = reference;
  return { from: { registry, repository }, tag, name: `${nameOf(reference)}:${tag}` };
}

/**
 * Resolves tags and remembers them for seconds. A verdict is never kept under a tag; a moved tag leads to another
 * digest, which is judged on its own.
 */
export function createTags(options: TagsOptions): Tags {
  const { registry, lifeMs, maxEntries, now, deadline, failure, onFault } = options;
  const cache = createRefreshedCache<Resolved>({
    maxEntries,
    maxBytes: maxEntries * ENTRY_BYTES,
    sizeOf: () => ENTRY_BYTES,
    now,
    maxRefreshes: MAX_REFRESHES,
    coolDownMs: lifeMs / 20,
    onFault,
  });
  const flight = createFlight<Resolved | Refusal>(deadline);

  async function lookUp(
    { from, tag, name }: Tagged,
    signal: AbortSignal,
  ): Promise<Resolved | Refusal> {
    const askedAt = now();
    try {
      const resolved = await registry.subject(from, tag, signal);
      if (isRefusal(resolved) && resolved.kind === "undecided") return resolved;
      // The registry may have looked as soon as it was asked, so the answer's age counts from there.
      cache.set(name, resolved, lifeMs - (now() - askedAt));
      return resolved;
    } catch (error) {
      return failure(error, "REGISTRY_ERROR", signal);
    }
  }

  const ask = async (tagged: Tagged, caller: AbortSignal): Promise<Resolved | Refusal> =>
    await flight.run(tagged.name, async (signal) => await lookUp(tagged, signal), caller).result;
  const peek = (tagged: Tagged): Resolved | undefined =>
    cache.get(tagged.name, async () => await ask(tagged, NEVER));
  return {
    peek,
    resolve: async (tagged, caller) => peek(tagged) ?? (await ask(tagged, caller)),
    stats: () => cache.stats(),
    close: () => cache.close(),
  };
}
