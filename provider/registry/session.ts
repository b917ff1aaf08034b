import { untilAborted } from "../lib/deadline.ts";
import { parseOrigin } from "../lib/origin.ts";
import { createSlots } from "../lib/slots.ts";
import { isRefusal, undecided, type Undecided } from "../verdict/verdict.ts";
import { createAddressCheck } from "./address.ts";
import { createAuthority } from "./authority.ts";
import { createCircuit } from "./circuit.ts";
import { createHttp, type Reply, type Resolve } from "./http.ts";
import type { Observe, RegistryOptions } from "./options.ts";
import { jitterMs, MAX_WAIT_MS, parseRetryAfter, type Wait } from "./retry.ts";
import { createTokens } from "./tokens.ts";

interface Question {
  /** Whose rights the request needs. */
  readonly repository: string;
  /** Of the registry's own endpoint. */
  readonly url: URL;
  readonly accept?: string;
  /** Bytes of a body of status 200 at most. */
  readonly limit: number;
  readonly signal: AbortSignal;
  /** Where to go on, for a reply that says so, or why not; undefined when the reply stands. Taken once, without credentials. */
  readonly redirect?: (reply: Reply) => URL | Undecided | undefined;
}

/** Asks one registry: in its turn, as it wants to be addressed, and once more where that can help. */
export interface Session {
  readonly endpoint: URL;
  /**
   * @returns a reply that is neither a refusal of the credentials, nor throttling, nor a failure of the server (those are
   *   undecided `REGISTRY_UNAUTHORIZED`, `REGISTRY_THROTTLED` and `REGISTRY_ERROR`); rejects with the signal's reason
   */
  ask(question: Question): Promise<Reply | Undecided>;
  close(): Promise<void>;
}

export interface SessionOptions {
  readonly registry: RegistryOptions;
  readonly observe: Observe;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly wait: Wait;
  readonly resolve?: Resolve;
}

const FULL = undecided("OVERLOADED", "too many requests to this registry wait already");

/** @throws TypeError for options that no configuration should have let through */
export function createSession({ registry, observe, now, wait, resolve }: SessionOptions): Session {
  const { host, label = host, tokenHosts, credentials: source, ca, requestTimeoutMs } = registry;
  const endpoint = parseOrigin(registry.endpoint);
  if (endpoint === undefined) throw new TypeError("the endpoint of a registry is no origin");
  const closing = new AbortController();
  const http = createHttp({
    endpoint,
    connections: registry.concurrency,
    requestTimeoutMs,
    isOpenAddress: createAddressCheck(registry.allowedAddresses),
    ...(ca !== undefined && { ca }),
    ...(resolve !== undefined && { resolve }),
  });
  const tokens = createTokens({
    http,
    source,
    now,
    wait,
    closing: closing.signal,
    fetched: (outcome, durationMs) =>
      observe({
        registry: label,
        operation: "token",
        outcome: outcome === "ok" ? outcome : outcome.reason,
        durationMs,
      }),
  });
  const authority = createAuthority({ endpoint, tokenHosts, source, tokens });
  // The bulkhead of this registry: it holds its own places, whatever it does, and nobody else's.
  const takeSlot = createSlots(registry);
  const circuit = createCircuit<Reply | Undecided>({ now, failureOf });

  /** Asks, and asks again at most once for each reason that time or other credentials may have removed. */
  const exchange = async (question: Question): Promise<Reply | Undecided> => {
    const { repository, signal } = question;
    let refused: { readonly authorization: string | undefined; readonly reply: Reply } | undefined;
    let hasWaited = false;
    for (;;) {
      const authorization = await authority.authorize(repository, signal);
      if (isRefusal(authorization)) return authorization;
      // The same once more would be refused once more.
      if (refused !== undefined && refused.authorization === authorization) {
        return afterRefusal(refused.reply);
      }
      const reply = await http.get({ ...question, authorization });
      if (isRefusal(reply)) return reply;
      if (isAuthorizationMatter(reply, authorization)) {
        const why = authority.learn(repository, authorization, reply);
        if (refused !== undefined) return afterRefusal(reply);
        if (why !== undefined) return why;
        refused = { authorization, reply };
        continue;
      }
      const waitMs = hasWaited ? undefined : worthWaiting(reply);
      if (waitMs === undefined) return reply;
      hasWaited = true;
      await wait(waitMs, signal);
    }
  };

  const askInTurn = async (question: Question): Promise<Reply | Undecided> => {
    const reply = await exchange(question);
    if (isRefusal(reply)) return reply;
    const target = question.redirect?.(reply);
    if (target === undefined || isRefusal(target)) return target ?? reply;
    const { limit, signal } = question;
    return http.get({ url: target, limit, signal });
  };

  return {
    endpoint,
    async ask(question) {
      const { signal } = question;
      // What tries whether the registry is well again goes on without its caller, within the times of a request.
      const askOnce = (tries: boolean): Promise<Reply | Undecided> =>
        askInTurn(tries ? { ...question, signal: closing.signal } : question);
      const work = takeSlot(() => circuit.pass(askOnce), signal);
      const reply = await untilAborted(work, signal);
      if (reply === "full") return FULL;
      if (isRefusal(reply)) return reply;
      if (reply.status === 429) {
        const why = undecided("REGISTRY_THROTTLED", "the registry asked for fewer requests");
        const askedFor = retryAfterOf(reply) ?? 0;
        if (askedFor > 0) circuit.hold(askedFor, why);
        return why;
      }
      return failureOf(reply) ?? reply;
    },
    async close() {
      closing.abort(new DOMException("the registry client was closed", "AbortError"));
      await http.close();
    },
  };
}

/** A failure of the registry itself. Content that is refused is not: whoever pushed it would decide for all others. */
function failureOf(reply: Reply | Undecided): Undecided | undefined {
  if (isRefusal(reply)) return reply.reason === "REGISTRY_UNREACHABLE" ? reply : undefined;
  return reply.status >= 500
    ? undecided("REGISTRY_ERROR", `the registry answered with status ${reply.status}`)
    : undefined;
}

/** 401 by the book; 403 is how ECR says that a token expired, and 400 how ECR Public says it. */
const isAuthorizationMatter = ({ status }: Reply, sent: string | undefined): boolean =>
  status === 401 || status === 403 || (status === 400 && sent?.startsWith("Bearer ") === true);

/** Milliseconds after which the same request may succeed; undefined when that is not soon. */
function worthWaiting(reply: Reply): number | undefined {
  if (reply.status >= 500) return jitterMs();
  if (reply.status !== 429) return undefined;
  const ms = retryAfterOf(reply) ?? jitterMs();
  return ms <= MAX_WAIT_MS ? ms : undefined;
}

const retryAfterOf = (reply: Reply): number | undefined =>
  parseRetryAfter(reply.header("retry-after"), reply.header("date"));

/** A 400 that other credentials did not change is what it says, whatever that is. */
const afterRefusal = (reply: Reply): Reply | Undecided =>
  reply.status === 400
    ? reply
    : undecided("REGISTRY_UNAUTHORIZED", "the registry refused the credentials");
