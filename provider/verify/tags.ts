import type { Descriptor } from "../image/descriptor.ts";
import { nameOf, type Reference } from "../image/reference.ts";
import type { Deadline } from "../lib/deadline.ts";
import { createFlight } from "../lib/single-flight.ts";
import type { RegistryClient, Repository } from "../registry/registry.ts";
import { isRefusal, type Refusal, type Rejected } from "../verdict/verdict.ts";
import { ENDED, type Failure } from "./failure.ts";
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

/** The answer to one look-up, and when it was asked for. */
interface Answer {
  readonly askedAt: number;
  readonly resolved: Resolved | Refusal;
}

/** Tags and the digests that they named a few seconds ago at most. */
export interface Tags {
  /** What is known without asking; begins a refresh when that is about to end. */
  peek(tagged: Tagged): Resolved | undefined;
  /** Asks the registry unless it is known; concurrent questions are joined. Rejects with the reason of `caller`. */
  resolve(tagged: Tagged, caller: AbortSignal): Promise<Resolved | Refusal>;
  stats(): { readonly entries: number; readonly bytes: number };
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
  const flight = createFlight<Answer>(deadline);

  async function lookUp({ from, tag, name }: Tagged, signal: AbortSignal): Promise<Answer> {
    const askedAt = now();
    if (signal.aborted) return { askedAt, resolved: ENDED };
    try {
      const resolved = await registry.subject(from, tag, signal);
      // The registry may have looked as soon as it was asked, so the answer's age counts from there.
      if (isKept(resolved)) cache.set(name, resolved, lifeMs - (now() - askedAt));
      return { askedAt, resolved };
    } catch (error) {
      return { askedAt, resolved: failure(error, signal) };
    }
  }

  async function ask(tagged: Tagged, caller: AbortSignal): Promise<Resolved | Refusal> {
    const arrivedAt = now();
    const join = async (): Promise<Answer> =>
      await flight.run(tagged.name, async (signal) => await lookUp(tagged, signal), caller).result;
    const first = await join();
    // A question that was under way may have been asked longer ago than an answer may be old; the next one is not.
    const isFresh = first.askedAt >= arrivedAt - lifeMs || !isKept(first.resolved);
    return isFresh ? first.resolved : (await join()).resolved;
  }

  const peek = (tagged: Tagged): Resolved | undefined =>
    cache.get(tagged.name, async () => await ask(tagged, NEVER));
  return {
    peek,
    resolve: async (tagged, caller) => peek(tagged) ?? (await ask(tagged, caller)),
    stats: () => cache.stats(),
  };
}

const isKept = (resolved: Resolved | Refusal): resolved is Resolved =>
  !isRefusal(resolved) || resolved.kind === "rejected";
