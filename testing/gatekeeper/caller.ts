import { Agent, request, type RequestOptions } from "node:https";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { gunzipSync } from "node:zlib";

/** How a caller reaches the provider. */
export interface CallerOptions {
  /** `https://127.0.0.1:8443`; a path in it comes before the path of each call. */
  readonly url: string;
  /** PEM of the provider's CA: the Provider object's `caBundle`. */
  readonly ca: string;
  /** PEM of the client certificate; none is presented when absent. */
  readonly cert?: string;
  readonly key?: string;
  /**
   * `kept` (the default) as Gatekeeper 3.22 and later: connections are kept. `perCall` as before: a connection per
   * call, which is then left open until the server closes it.
   */
  readonly mode?: "kept" | "perCall";
}

/** The wire's ProviderResponse. */
export interface ProviderResponse {
  readonly apiVersion: string;
  readonly kind: string;
  readonly response: {
    readonly idempotent?: boolean;
    readonly items: readonly Item[];
    readonly systemError?: string;
  };
}

export interface Item {
  readonly key: string;
  readonly value?: unknown;
  readonly error?: string;
}

/** What came back, whatever it was. */
export interface RawAnswer {
  /** HTTP status. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The body, decoded. */
  readonly raw: string;
}

export interface Answer extends RawAnswer {
  readonly response: ProviderResponse;
}

interface CallOptions {
  /** `/validate` unless given. */
  readonly path?: string;
  /** Gatekeeper's time-out or its caller's: the connection is closed when it aborts. */
  readonly signal?: AbortSignal;
}

interface SendOptions extends CallOptions {
  /** `POST` unless given. */
  readonly method?: string;
  /** Replace what Go would send; undefined leaves one out. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

/**
 * Gatekeeper's side of external data. Nothing is ever tried again: what a caller sees is what the provider did.
 * A transport failure rejects with Node's error, and its `code`.
 */
export interface Caller {
  /** Asks as Gatekeeper does. Rejects with a SyntaxError when the body is no ProviderResponse, which Gatekeeper refuses too. */
  ask(keys: readonly string[], options?: CallOptions): Promise<Answer>;
  /** Sends any body, to see what comes back. */
  send(body: string | Uint8Array, options?: SendOptions): Promise<RawAnswer>;
  /** Connections that are open now. */
  connections(): number;
  /** Closes every connection. */
  close(): Promise<void>;
}

/** Idle connections that Gatekeeper keeps for one Provider, and for how long, in milliseconds. */
const IDLE = { connections: 10, ms: 90_000 };

/** The body as Go's encoding/json writes it: HTML-safe, an empty list left out. */
export function goBody(keys: readonly string[]): string {
  const request = keys.length === 0 ? {} : { keys };
  return JSON.stringify({
    apiVersion: "externaldata.gatekeeper.sh/v1beta1",
    kind: "ProviderRequest",
    request,
  }).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The headers that Go's client writes, in its order; `undefined` leaves one out. */
function goHeaders(url: URL, length: number, other: SendOptions["headers"]): string[] {
  const headers = new Map<string, string | undefined>([
    ["Host", url.host],
    ["User-Agent", "Go-http-client/1.1"],
    ["Content-Length", String(length)],
    ["Content-Type", "application/json"],
    ["Accept-Encoding", "gzip"],
  ]);
  for (const [name, value] of Object.entries(other ?? {})) headers.set(name, value);
  return [...headers].flatMap(([name, value]) => (value === undefined ? [] : [name, value]));
}

/** Whether a value has the form that Gatekeeper reads; `items` may be absent there, never with this provider. */
export function isProviderResponse(value: unknown): value is ProviderResponse {
  if (typeof value !== "object" || value === null) return false;
  const { apiVersion, kind, response } = value as Partial<ProviderResponse>;
  return (
    typeof apiVersion === "string" &&
    kind === "ProviderResponse" &&
    typeof response === "object" &&
    Array.isArray(response.items)
  );
}

async function readAnswer(message: IncomingMessage): Promise<RawAnswer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const { statusCode: status = 0, headers } = message;
  const text = headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
  return { status, headers, raw: text.toString("utf8") };
}

/**
 * Makes a caller that speaks as Gatekeeper's Go client: TLS 1.3, HTTP/1.1, sessions never resumed, ten idle
 * connections for 90 s whatever the server's `Keep-Alive` says, no retry, the whole body read.
 * @see facts of Gatekeeper's client in docs/gatekeeper.md; pkg/externaldata/request.go of open-policy-agent/frameworks
 */
export function createCaller(options: CallerOptions): Caller {
  const { ca, cert, key, mode = "kept" } = options;
  const base = new URL(options.url);
  const agents = new Set<Agent>();
  const createAgent = (): Agent => {
    const agent = new Agent({
      keepAlive: true,
      maxFreeSockets: IDLE.connections,
      timeout: IDLE.ms,
      maxCachedSessions: 0,
      minVersion: "TLSv1.3",
      ca,
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
    });
    agents.add(agent);
    return agent;
  };
  const kept = createAgent();

  const send: Caller["send"] = async (body, sending = {}) => {
    const { path = "/validate", method = "POST", headers, signal } = sending;
    const url = new URL(base);
    const agent = mode === "kept" ? kept : createAgent();
    const data = Buffer.from(body);
    const call: RequestOptions = {
      host: url.hostname,
      port: url.port,
      // As it is given: a URL object would normalise what a test wants to send.
      path: `${url.pathname.replace(/\/$/, "")}${path}`,
      method,
      agent,
      headers: goHeaders(url, data.length, headers),
      setDefaultHeaders: false,
      ...(signal !== undefined && { signal }),
    };
    const message = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = request(call, resolve);
      outgoing.on("error", reject);
      outgoing.end(data);
    });
    return await readAnswer(message);
  };

  return {
    send,
    async ask(keys, calling = {}) {
      const answer = await send(goBody(keys), calling);
      const response: unknown = JSON.parse(answer.raw);
      if (!isProviderResponse(response))
        throw new SyntaxError(`not a ProviderResponse: ${answer.raw}`);
      return { ...answer, response };
    },
    connections() {
      let open = 0;
      for (const { sockets, freeSockets } of agents) {
        for (const list of [...Object.values(sockets), ...Object.values(freeSockets)]) {
          open += list?.length ?? 0;
        }
      }
      return open;
    },
    close() {
      for (const agent of agents) agent.destroy();
      agents.clear();
      return Promise.resolve();
    },
  };
}
