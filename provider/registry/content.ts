import type { Descriptor } from "../image/descriptor.ts";
import { digestOf } from "../image/digest.ts";
import type { Undecided } from "../verdict/verdict.ts";
import type { Reply } from "./http.ts";
import { registryError, unexpected } from "./problem.ts";

/** Bytes of a reply that are what the descriptor says, or undecided `REGISTRY_ERROR`. */
export function readContent(reply: Reply, descriptor: Descriptor): Uint8Array | Undecided {
  if (reply.status === 404)
    return registryError("the registry lists content that it does not have");
  if (reply.status !== 200) return unexpected(reply);
  if (reply.body.length !== descriptor.size || digestOf(reply.body) !== descriptor.digest) {
    return registryError("the registry sent other content than was asked for");
  }
  return reply.body;
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Where blobs of one registry may come from besides itself. */
export interface RedirectRules {
  /** Where the reply came from: what a relative `Location` is relative to. */
  readonly from: URL;
  /** `host[:port]`, compared exactly. */
  readonly blobHosts: readonly string[];
}

/**
 * Where a blob has to be fetched instead.
 * @returns undefined when the reply is not a redirect; undecided `REGISTRY_ERROR` when it leads to another scheme or host
 *   than the configuration names
 */
export function readRedirect(reply: Reply, rules: RedirectRules): URL | Undecided | undefined {
  if (!REDIRECTS.has(reply.status)) return undefined;
  const url = URL.parse(reply.header("location") ?? "", rules.from);
  const isSafe =
    url !== null &&
    (url.protocol === "https:" || url.protocol === rules.from.protocol) &&
    url.username === "" &&
    url.password === "" &&
    rules.blobHosts.includes(url.host);
  return isSafe ? url : unexpected(reply);
}
