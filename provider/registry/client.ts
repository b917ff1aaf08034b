import QuickLRU from "quick-lru";
import { isDigest } from "../image/digest.ts";
import { parseReference } from "../image/reference.ts";
import { isRefusal, rejected, type Refusal } from "../verdict/verdict.ts";
import { readContent, readRedirect } from "./content.ts";
import { MAX_BODY_BYTES, type Resolve } from "./http.ts";
import { SUBJECT_TYPES } from "./media-type.ts";
import type { Observe, RegistryEvent, RegistryOptions } from "./options.ts";
import { registryError } from "./problem.ts";
import { createReferrers } from "./referrers.ts";
import type { RegistryClient, Repository } from "./registry.ts";
import { wait as waitInTime, type Wait } from "./retry.ts";
import { createSession } from "./session.ts";
import { readSubject } from "./subject.ts";

export interface RegistryClientOptions {
  readonly registries: readonly RegistryOptions[];
  /** Registries that the configuration names without listing them, by host. Pure: it may be asked of any text. */
  readonly open?: (host: string) => RegistryOptions | undefined;
  readonly observe?: Observe;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** How retries wait; in real time unless given. */
  readonly wait?: Wait;
  /** How names become addresses; the system's way unless given. */
  readonly resolve?: Resolve;
}

/** Registries that are not listed and have connections; the one that was longest without a question is closed for another. */
const MAX_OPENED = 256;

const MANIFEST_TYPES = [...SUBJECT_TYPES.keys()].join(", ");

/**
 * The one way to registries: those of the configuration, each with its own connections, places, credentials and memory.
 * @throws TypeError for options that no configuration should have let through: an endpoint with a path, a CIDR that is none
 */
export function createRegistryClient(options: RegistryClientOptions): RegistryClient {
  const { registries, now, wait = waitInTime, resolve, observe = () => {} } = options;

  const create = (registry: RegistryOptions) => {
    const { host, label = host, blobHosts } = registry;
    const session = createSession({
      registry,
      observe,
      now,
      wait,
      ...(resolve !== undefined && { resolve }),
    });
    return { session, label, blobHosts, listSignatures: createReferrers({ session, now }) };
  };
  type Known = ReturnType<typeof create>;

  const known = new Map(registries.map((registry) => [registry.host, create(registry)]));
  const opened = new QuickLRU<string, Known>({
    maxSize: MAX_OPENED,
    onEviction: (_, { session }) => void session.close(),
  });

  const find = (host: string): Known | undefined => {
    const found = known.get(host) ?? opened.get(host);
    if (found !== undefined) return found;
    const registry = options.open?.(host);
    if (registry === undefined) return undefined;
    const made = create(registry);
    opened.set(host, made);
    return made;
  };

  /** One call: the registry it is for, what became of it, and how long it took. */
  const call = async <T>(
    operation: RegistryEvent["operation"],
    from: Repository,
    work: (registry: Known) => Promise<T | Refusal>,
    name?: string,
  ): Promise<T | Refusal> => {
    const registry = find(from.registry);
    if (registry === undefined) {
      return rejected("REGISTRY_NOT_ALLOWED", "the configuration does not name this registry");
    }
    if (!isAddressable(from, name)) {
      return rejected("INVALID_REFERENCE", "this is not a name that a registry can have");
    }
    const startedAt = now();
    let outcome: RegistryEvent["outcome"] = "TIMEOUT";
    try {
      const result = await work(registry);
      outcome = isRefusal(result) ? result.reason : "ok";
      return result;
    } finally {
      observe({ registry: registry.label, operation, outcome, durationMs: now() - startedAt });
    }
  };

  return {
    allows: (host) => known.has(host) || opened.has(host) || options.open?.(host) !== undefined,
    subject: (from, name, signal) =>
      call(
        "subject",
        from,
        async ({ session }) => {
          const { repository } = from;
          const url = new URL(`/v2/${repository}/manifests/${name}`, session.endpoint);
          const limit = MAX_BODY_BYTES;
          const reply = await session.ask({
            repository,
            url,
            accept: MANIFEST_TYPES,
            limit,
            signal,
          });
          return isRefusal(reply) ? reply : readSubject(reply, name);
        },
        name,
      ),
    signatures: (from, digest, signal) =>
      call("referrers", from, ({ listSignatures }) =>
        listSignatures(from.repository, digest, signal),
      ),
    manifest: (from, descriptor, signal) =>
      call("manifest", from, async ({ session }) => {
        if (descriptor.size > MAX_BODY_BYTES) return tooLarge();
        const { repository } = from;
        const url = new URL(`/v2/${repository}/manifests/${descriptor.digest}`, session.endpoint);
        const { mediaType: accept, size: limit } = descriptor;
        const reply = await session.ask({ repository, url, accept, limit, signal });
        return isRefusal(reply) ? reply : readContent(reply, descriptor);
      }),
    blob: (from, descriptor, limit, signal) =>
      call("blob", from, async ({ session, blobHosts }) => {
        if (descriptor.size > Math.min(limit, MAX_BODY_BYTES)) return tooLarge();
        const { repository } = from;
        const url = new URL(`/v2/${repository}/blobs/${descriptor.digest}`, session.endpoint);
        const reply = await session.ask({
          repository,
          url,
          limit: descriptor.size,
          signal,
          redirect: (answer) => readRedirect(answer, { from: url, blobHosts }),
        });
        return isRefusal(reply) ? reply : readContent(reply, descriptor);
      }),
    async close() {
      const all = [...known.values(), ...opened.values()];
      await Promise.all(all.map(({ session }) => session.close()));
    },
  };
}

/** Whether names can stand in a path as they are: those of a reference can. */
function isAddressable({ registry, repository }: Repository, name?: string): boolean {
  const suffix = name === undefined ? "" : isDigest(name) ? `@${name}` : `:${name}`;
  return parseReference(`${registry}/${repository}${suffix}`)?.repository === repository;
}

const tooLarge = (): Refusal => registryError("the registry lists content larger than is read");
