import { z } from "zod";
import { createCache } from "../lib/cache.ts";
import { createFlight } from "../lib/single-flight.ts";
import { JsonProblem } from "../lib/strict-json.ts";
import { isRefusal, undecided, type Undecided } from "../verdict/verdict.ts";
import {
  askSource,
  basicHeader,
  isCredentials,
  type Credentials,
  type CredentialSource,
} from "./credentials.ts";
import type { Http, Reply } from "./http.ts";
import { parseDocument } from "./problem.ts";
import { jitterMs, type Wait } from "./retry.ts";

/** Where a registry sends us for tokens, as its challenge said; the host has been checked. */
export interface Realm {
  readonly url: URL;
  readonly service: string | undefined;
}

/** Bytes of an answer of a token service at most; a token must fit into a header anyway. */
const MAX_ANSWER_BYTES = 65_536;

/** A token fits into 16 KiB of headers with room for the rest. */
const MAX_TOKEN_LENGTH = 12_288;

/** Life of a token whose answer names none, and the longest that is believed, in seconds. */
const DEFAULT_LIFE = 60;
const MAX_LIFE = 3600;

/** Part of a token's life that it is used for: a token should not expire on its way. */
const USED_LIFE = 0.9;

/** Tokens kept at most. Losing one costs a request. */
const MAX_TOKENS = 2000;

/** @see Distribution, "Token Authentication Specification" */
const Answer = z.object({
  token: z.string().max(MAX_TOKEN_LENGTH).optional(),
  access_token: z.string().max(MAX_TOKEN_LENGTH).optional(),
  expires_in: z.unknown().optional(),
});

/** @see RFC 6750 2.1, "b64token" */
const B64TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

export interface TokenOptions {
  readonly http: Http;
  readonly source: CredentialSource;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly wait: Wait;
  /** Aborts when the client is closed: a fetch belongs to all who wait for it and to no caller. */
  readonly closing: AbortSignal;
  /** Told of each fetch. */
  readonly fetched: (outcome: "ok" | Undecided, durationMs: number) => void;
}

/** Bearer tokens of one registry, one for each repository that was asked for. */
export interface Tokens {
  /**
   * A token to pull from the repository: the one that is known, or a new one, fetched once for all who wait. Rejects with
   * the reason of `caller`.
   */
  pull(repository: string, realm: Realm, caller: AbortSignal): Promise<string | Undecided>;
  /** Forgets a token that was refused, unless it has been replaced already. */
  drop(repository: string, refused: string): void;
}

export function createTokens({ http, source, now, wait, closing, fetched }: TokenOptions): Tokens {
  const known = createCache<string>({
    maxEntries: MAX_TOKENS,
    maxBytes: MAX_TOKENS * MAX_TOKEN_LENGTH,
    sizeOf: (text) => text.length,
    now,
  });
  const flight = createFlight<string | Undecided>(() => ({ signal: closing, end: () => {} }));

  const ask = async (
    url: URL,
    credentials: Credentials | undefined,
  ): Promise<Reply | Undecided> => {
    const request = {
      url,
      accept: "application/json",
      authorization: credentials === undefined ? undefined : basicHeader(credentials),
      limit: MAX_ANSWER_BYTES,
      signal: closing,
    };
    const first = await http.get(request);
    if (isRefusal(first) || first.status < 500) return first;
    await wait(jitterMs(), closing);
    return http.get(request);
  };

  /** Credentials that the service refuses are asked for anew, once: they may have been rotated. */
  const askAs = async (url: URL): Promise<Reply | Undecided> => {
    const credentials = await askSource(source, undefined);
    if (isRefusal(credentials)) return credentials;
    const reply = await ask(url, credentials);
    if (isRefusal(reply) || ![401, 403].includes(reply.status) || !isCredentials(credentials)) {
      return reply;
    }
    const renewed = await askSource(source, credentials);
    if (isRefusal(renewed)) return renewed;
    return isCredentials(renewed) && basicHeader(renewed) !== basicHeader(credentials)
      ? ask(url, renewed)
      : reply;
  };

  const fetchToken = async (repository: string, realm: Realm): Promise<string | Undecided> => {
    const startedAt = now();
    const reply = await askAs(tokenUrl(repository, realm));
    const answer = isRefusal(reply) ? reply : readAnswer(reply);
    fetched(isRefusal(answer) ? answer : "ok", now() - startedAt);
    if (isRefusal(answer)) return answer;
    known.set(repository, answer.token, answer.lifeMs * USED_LIFE - (now() - startedAt));
    return answer.token;
  };

  return {
    async pull(repository, realm, caller) {
      const current = known.get(repository)?.value;
      const work = async (): Promise<string | Undecided> => await fetchToken(repository, realm);
      return current ?? (await flight.run(repository, work, caller).result);
    },
    drop(repository, refused) {
      if (known.get(repository)?.value === refused) known.delete(repository);
    },
  };
}

/** What the realm had in its query stays, ours comes behind. The scope is never the challenge's: we only pull. */
function tokenUrl(repository: string, { url, service }: Realm): URL {
  const target = new URL(url);
  if (service !== undefined) target.searchParams.append("service", service);
  target.searchParams.append("scope", `repository:${repository}:pull`);
  return target;
}

function readAnswer(reply: Reply): { readonly token: string; readonly lifeMs: number } | Undecided {
  if (reply.status === 401 || reply.status === 403) {
    return undecided("REGISTRY_UNAUTHORIZED", "the token service refused the credentials");
  }
  if (reply.status === 429) {
    return undecided("REGISTRY_THROTTLED", "the token service asked for fewer requests");
  }
  const malformed = undecided("REGISTRY_ERROR", "the token service did not answer with a token");
  if (reply.status !== 200) return malformed;
  const value = parseDocument(reply.body);
  const parsed = value instanceof JsonProblem ? undefined : Answer.safeParse(value);
  if (!parsed?.success) return malformed;
  const token = parsed.data.token ?? parsed.data.access_token;
  if (token === undefined || !B64TOKEN.test(token)) return malformed;
  return { token, lifeMs: lifeOf(parsed.data.expires_in) * 1000 };
}

/** In seconds. A life that cannot be meant is taken as none, so that it costs a request rather than the token. */
function lifeOf(expiresIn: unknown): number {
  if (typeof expiresIn !== "number" || !(expiresIn > 0)) return DEFAULT_LIFE;
  return Math.min(expiresIn, MAX_LIFE);
}
