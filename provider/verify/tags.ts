import type { Descriptor } from "../image/descriptor.ts";
import type { Deadline } from "../lib/deadline.ts";
import { createFlight } from "../lib/single-flight.ts";
import type { RegistryClient, Repository } from "../registry/registry.ts";
import { isRefusal, type Refusal, type Rejected } from "../verdict/verdict.ts";
import { createRefreshedCache } from "./refreshed.ts";

/** What a tag names now, or that it names nothing. */
type Resolved = Descriptor | Rejected;

/** Tags and the digests that they named a few seconds ago at most. */
export interface Tags {
  /** What is known without asking; begins a refresh when that is about to end. */
  peek(from: Repository, tag: string): Resolved | undefined;
  /** Asks the registry unless it is known; concurrent questions are joined. Rejects with the reason of `caller`. */
  resolve(from: Repository, tag: string, caller: AbortSignal): Promise<Resolved | Refusal>;
  stats(): { readonly entries: number; readonly bytes: number };
}

export interface TagsOptions {
  readonly registry: Pick<RegistryClient, "subject">;
  readonly lifeMs: number;
  readonly maxEntries: number;
  readonly now: () => number;
  /** Of one look-up. */
  readonly deadline: () => Deadline;
  /** What a look-up that threw means; `signal` is the look-up's. */
  readonly failure: (error: unknown, signal: AbortSignal) => Refusal;
}

/** Bytes that an entry is counted as: a name, a descriptor and what holds them. */
const ENTRY_BYTES = 1024;

const NEVER = new AbortController().signal;

/**
 * Resolves tags and remembers them for seconds. A verdict is never kept under a tag; a moved tag leads to another
 * digest, which is judged on its own.
 */
export function createTags(options: TagsOptions): Tags {
  const { registry, lifeMs, maxEntries, now, deadline, failure } = options;
  const cache = createRefreshedCache<Resolved>({
    maxEntries,
    maxBytes: maxEntries * ENTRY_BYTES,
    sizeOf: () => ENTRY_BYTES,
    now,
    maxRefreshes: 64,
    coolDownMs: lifeMs / 20,
  });
  const flight = createFlight<Resolved | Refusal>(deadline);

  const ask = async (
    from: Repository,
    tag: string,
    caller: AbortSignal,
  ): Promise<Resolved | Refusal> => {
    const key = `${from.registry}/${from.repository}:${tag}`;
    const { result } = flight.run(
      key,
      async (signal) => {
        try {
          const resolved = await registry.subject(from, tag, signal);
          if (!isRefusal(resolved)) cache.set(key, resolved, lifeMs);
          else if (resolved.kind === "rejected") cache.set(key, resolved, lifeMs);
          return resolved;
        } catch (error) {
          return failure(error, signal);
        }
      },
      caller,
    );
    return await result;
  };
  const peek = (from: Repository, tag: string): Resolved | undefined =>
    cache.get(
      `${from.registry}/${from.repository}:${tag}`,
      async () => await ask(from, tag, NEVER),
    );
  return {
    peek,
    resolve: async (from, tag, caller) => peek(from, tag) ?? (await ask(from, tag, caller)),
    stats: () => cache.stats(),
  };
}
