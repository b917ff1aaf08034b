/**
 * A registry, or anything that speaks HTTP, that misbehaves on command.
 *
 *   await using registry = await startUnruly({ upstream: real });
 *   registry.on("GET /v2/app/manifests/v1", answers.status(503), answers.pass());
 *   registry.on(/\/referrers\//, answers.after(gate.opened, answers.pass()));
 *   await registry.seen(/\/referrers\//);   // a request has come
 *   registry.count("GET /v2/app/manifests/v1");
 *
 * A rule has answers for the first, second, … request that matches; the last one goes on for ever. The newest rule that
 * matches decides. Without one the request goes upstream, or is a 404 where there is no upstream. What an answer can be is
 * in `answers.ts`.
 */
import { once } from "node:events";
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { Socket } from "node:net";
import { createArrivals } from "../arrivals.ts";
import { pass, status, type Answer } from "./answers.ts";
import type { Target } from "./target.ts";

/** `GET /v2/app/manifests/v1` (path with query, exactly), or a pattern for such a text. */
type Pattern = string | RegExp;

/** A request that came. */
interface Seen {
  /** `GET /v2/app/manifests/v1` */
  readonly line: string;
  readonly headers: IncomingMessage["headers"];
}

export interface UnrulyOptions {
  /** Where requests go that no rule answers. */
  readonly upstream?: Target;
  /** Certificate and key, PEM; plain HTTP unless given. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
  /** Address to listen on. Default 127.0.0.1. */
  readonly address?: string;
}

export interface Unruly extends Target, AsyncDisposable {
  /** `127.0.0.1:5000` */
  readonly host: string;
  on(pattern: Pattern, ...answers: readonly [Answer, ...Answer[]]): void;
  /** Every request in the order of arrival. */
  readonly requests: readonly Seen[];
  count(pattern: Pattern): number;
  /** Resolves when so many requests that match have come since the start. @param times default 1 */
  seen(pattern: Pattern, times?: number): Promise<void>;
  /** Connections that were ever opened. */
  connections(): number;
  /** Connections that are open now. */
  openConnections(): number;
  /** Ends every connection without a word, busy or idle. */
  cut(): void;
  /** Forgets the requests, for a load that is long. */
  forget(): void;
  /** Forgets the rules and the requests. */
  reset(): void;
}

export async function startUnruly(options: UnrulyOptions = {}): Promise<Unruly> {
  const { upstream, tls, address = "127.0.0.1" } = options;
  const rules: { readonly pattern: Pattern; readonly answers: readonly Answer[]; used: number }[] =
    [];
  const arrivals = createArrivals<Seen>();
  const sockets = new Set<Socket>();
  let connections = 0;

  const answerFor = (line: string): Answer => {
    const rule = rules.findLast(({ pattern }) => matches(pattern, line));
    if (rule === undefined) return upstream === undefined ? status(404) : pass();
    const answer = rule.answers[Math.min(rule.used, rule.answers.length - 1)];
    rule.used += 1;
    if (answer === undefined) throw new TypeError("a rule has at least one answer");
    return answer;
  };
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const line = `${request.method} ${request.url}`;
    const answer = answerFor(line);
    arrivals.add({ line, headers: request.headers });
    request.on("error", () => {});
    response.on("error", () => {});
    Promise.resolve(answer({ request, response, upstream })).catch(() => request.socket.destroy());
  };
  const server =
    tls === undefined
      ? createHttpServer(handle)
      : createHttpsServer({ cert: tls.cert, key: tls.key }, handle);
  server.on("connection", (socket: Socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  server.on("tlsClientError", () => {});
  server.listen(0, address);
  await once(server, "listening");
  const bound = server.address();
  const port = bound === null || typeof bound === "string" ? 0 : bound.port;
  const host = `${address}:${port}`;
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    host,
    url: `${tls === undefined ? "http" : "https"}://${host}`,
    ...(tls?.ca !== undefined && { ca: tls.ca }),
    on: (pattern, ...answers) => rules.push({ pattern, answers, used: 0 }),
    requests: arrivals.all,
    count: (pattern) => arrivals.count(matching(pattern)),
    seen: async (pattern, times = 1) => await arrivals.seen(matching(pattern), times),
    connections: () => connections,
    openConnections: () => sockets.size,
    cut,
    forget: () => arrivals.clear(),
    reset() {
      rules.length = 0;
      arrivals.clear();
    },
    async [Symbol.asyncDispose]() {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}

const matches = (pattern: Pattern, line: string): boolean =>
  typeof pattern === "string" ? pattern === line : pattern.test(line);

const matching =
  (pattern: Pattern) =>
  ({ line }: Seen): boolean =>
    matches(pattern, line);
