/** What an unruly server can answer: well, late, wrongly, in part, without end, or not at all. */
import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { request as httpsRequest } from "node:https";
import { buffer } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import type { Target } from "./target.ts";

/** One request to answer. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly upstream: Target | undefined;
}

/** Answers one request. An answer that rejects ends the connection. */
export type Answer = (exchange: Exchange) => void | Promise<void>;

export type Headers = Readonly<Record<string, string | readonly string[]>>;

export interface ReplyOptions {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Headers;
  /** Default empty. */
  readonly body?: Uint8Array | string;
}

export const reply =
  ({ status = 200, headers = {}, body = "" }: ReplyOptions): Answer =>
  ({ response }) => {
    response.writeHead(status, { "content-length": Buffer.byteLength(body), ...copy(headers) });
    response.end(body);
  };

/** @param headers for example `{ "retry-after": "1" }` */
export const status = (code: number, headers?: Headers): Answer =>
  reply({ status: code, ...(headers && { headers }) });

/** An error of the registry's own. @see OCI Distribution Specification 1.1, "Error Codes" */
export const errorOf = (code: number, ...codes: readonly string[]): Answer =>
  json(
    { errors: codes.map((name) => ({ code: name, message: "of the double" })) },
    { status: code },
  );

export const json = (value: unknown, options: Omit<ReplyOptions, "body"> = {}): Answer =>
  reply({
    ...options,
    headers: { "content-type": "application/json", ...options.headers },
    body: JSON.stringify(value),
  });

/** What may be changed in an answer from upstream. */
export interface PassOptions {
  /** Set, or removed when undefined. Names in lower case. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** Makes another body; `Content-Length` follows. */
  readonly body?: (body: Buffer) => Uint8Array | string;
}

/** Hands the request to the upstream and its answer back. */
export const pass =
  (changes: PassOptions = {}): Answer =>
  async ({ request, response, upstream }) => {
    if (upstream === undefined) throw new TypeError("there is no upstream to pass a request to");
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const url = new URL(request.url ?? "", upstream.url);
    const { host: _, ...headers } = request.headers;
    const outgoing = (url.protocol === "https:" ? httpsRequest : httpRequest)(
      url,
      {
        method: request.method,
        headers,
        ...(upstream.ca !== undefined && { ca: upstream.ca }),
      },
      resolve,
    );
    outgoing.on("error", reject);
    request.pipe(outgoing);
    const incoming = await promise;
    const received = await buffer(incoming);
    const body = changes.body?.(received) ?? received;
    const sent = new Map(Object.entries(incoming.headers));
    sent.delete("transfer-encoding");
    // To HEAD the length is that of what GET would bring.
    if (request.method !== "HEAD") sent.set("content-length", String(Buffer.byteLength(body)));
    for (const [name, value] of Object.entries(changes.headers ?? {})) sent.set(name, value);
    for (const [name, value] of sent) if (value !== undefined) response.setHeader(name, value);
    response.writeHead(incoming.statusCode ?? 502);
    response.end(body);
  };

/** A door that a test opens. */
export interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

export function createGate(): Gate {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

/** Waits for an event, such as the opening of a {@link Gate}, before it answers. */
export const after =
  (event: Promise<unknown>, answer: Answer): Answer =>
  async (exchange) => {
    await event;
    await answer(exchange);
  };

/** Takes its time, as a network does; for benches. @param ms milliseconds */
export const slow =
  (ms: number, answer: Answer): Answer =>
  async (exchange) => {
    await setTimeout(ms);
    await answer(exchange);
  };

/** Takes the request and says nothing. */
export const silent = (): Answer => () => {};

/** Resets the connection before a byte of the answer. */
export const reset =
  (): Answer =>
  ({ request }) => {
    request.socket.resetAndDestroy();
  };

/** Closes the connection as a server does that has kept it for long enough. */
export const close =
  (): Answer =>
  ({ request }) => {
    request.socket.destroy();
  };

/** Sends these bytes as they are, and then resets the connection, or leaves it open. */
export const raw =
  (text: string, then: "reset" | "stay" | "end"): Answer =>
  ({ request: { socket } }) => {
    socket.write(text, () => {
      if (then === "reset") socket.resetAndDestroy();
      if (then === "end") socket.end();
    });
  };

export const resetDuringHeaders = (): Answer => raw("HTTP/1.1 200 OK\r\nContent-Ty", "reset");

export const resetAfterHeaders = (): Answer =>
  raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", "reset");

export const resetMidBody = (): Answer =>
  raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of what was", "reset");

/** Sends headers and nothing more. */
export const stall = (): Answer => raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", "stay");

/** Says that a body of so many bytes comes, and sends a little of it. */
export const declare = (bytes: number): Answer =>
  raw(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\nonly this`, "stay");

/** A byte of body now and then, for ever. @param everyMs milliseconds between two */
export const drip =
  (everyMs: number, headers: Headers = {}): Answer =>
  async ({ response }) => {
    response.writeHead(200, copy(headers));
    while (!response.destroyed) {
      response.write("x");
      await setTimeout(everyMs);
    }
  };

/** Body without end, as fast as it is read. */
export const endless =
  (headers: Headers = {}): Answer =>
  ({ response }) => {
    const chunk = Buffer.alloc(65_536, "x");
    response.writeHead(200, copy(headers));
    const fill = (): void => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on("drain", fill);
    fill();
  };

/** So many headers of a few bytes each. */
export const headerFlood = (count: number): Answer =>
  raw(
    `HTTP/1.1 200 OK\r\n${Array.from({ length: count }, (_, index) => `X-${index}: y\r\n`).join("")}Content-Length: 0\r\n\r\n`,
    "stay",
  );

/** @param code default 307 */
export const redirect = (location: string, code = 307): Answer => status(code, { location });

/** Answers who shows the right `Authorization`, and challenges the others with 401. */
export const guarded = (
  accepts: (authorization: string) => boolean,
  challenge: string,
  answer: Answer,
): Answer => {
  const refuse = status(401, { "www-authenticate": challenge });
  return (exchange) =>
    accepts(exchange.request.headers.authorization ?? "") ? answer(exchange) : refuse(exchange);
};

/** Answers of a token service. @param expiresIn seconds; left out unless given */
export const token = (value: string, expiresIn?: number): Answer =>
  json({ token: value, ...(expiresIn !== undefined && { expires_in: expiresIn }) });

export interface PageOptions {
  /** Descriptors in every page. Default none. */
  readonly manifests?: readonly object[];
  /** The next page by the number of this one, `<url>`; undefined ends the list. */
  readonly next: (page: number) => string | undefined;
}

/** A list of referrers in pages, each of which names the next. */
export const pages = ({ manifests = [], next }: PageOptions): Answer => {
  let page = 0;
  return (exchange) => {
    page += 1;
    const target = next(page);
    return json(
      { schemaVersion: 2, mediaType: INDEX, manifests },
      {
        headers: {
          "content-type": INDEX,
          ...(target !== undefined && { link: `<${target}>; rel="next"` }),
        },
      },
    )(exchange);
  };
};

const INDEX = "application/vnd.oci.image.index.v1+json";

/** Node's own type of headers is mutable. */
const copy = (headers: Headers): Record<string, string | string[]> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      typeof value === "string" ? value : [...value],
    ]),
  );
