import Koa from "koa";
import { Router } from "koa-router";
import { encodeFailure, encodeResponse } from "../protocol/response.ts";
import { parseRequest, type ProviderRequest } from "../protocol/request.ts";
import type { RequestEvent } from "../telemetry/metrics.ts";
import type { DecideBatch, Decision, Pin, PinBatch } from "../verify/decision.ts";
import { undecided } from "../verdict/verdict.ts";
import { createReadBody, type BodyLimits } from "./body.ts";
import { createPeers, type Peer } from "./peer.ts";

/** What the app is made of. */
export interface AppOptions {
  readonly decide: DecideBatch;
  readonly pin: PinBatch;
  /** DNS names, one of which a caller's certificate must bear. */
  readonly clientNames: readonly string[];
  readonly limits: BodyLimits & { readonly maxKeys: number };
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly observeRequest?: (event: RequestEvent) => void;
  /** @param request names the request, the same for all its decisions */
  readonly observeDecisions?: (decisions: readonly Decision[], request: string) => void;
  readonly observePins?: (pins: readonly Pin[], request: string) => void;
  /** What a handler or a socket threw. */
  readonly onError: (error: unknown) => void;
}

/** HTTP status of a request whose caller had gone, in metrics alone. */
const GONE = 499;

/** What the middlewares of one request share. */
interface State {
  peer: Peer;
  route: RequestEvent["route"];
  /** When the request arrived, its body still on the way; monotonic milliseconds. */
  began: number;
}

type Context = Koa.ParameterizedContext<State>;

/** A media type with whatever parameters. */
const JSON_TYPE = /^application\/json[ \t]*(?:;|$)/i;

const refusal = (sentence: string): string => encodeFailure(undecided("BAD_REQUEST", sentence));

// Answers without anything of the request in them: made once.
const UNKNOWN_CALLER = refusal("the client certificate has none of the accepted names");
const UNKNOWN_PATH = refusal("the paths are /validate and /mutate");
const WRONG_METHOD = refusal("the method is POST");
const WRONG_TYPE = refusal("the Content-Type is application/json, without a Content-Encoding");
const WRONG_HOST = refusal("there is one Host header");
const FAILED = encodeFailure(undecided("INTERNAL_ERROR", "the provider failed on this request"));

/**
 * The service that Gatekeeper calls: `POST /validate` and `POST /mutate`, nothing else. Whatever happens, the answer is
 * a complete ProviderResponse, because Gatekeeper loses all keys of a call whose body it cannot read.
 * @returns a handler for node's server. Its TLS, its connections and their end are the server's
 */
export function createApp(options: AppOptions): ReturnType<Koa["callback"]> {
  const { decide, pin, limits, now, observeRequest, observeDecisions, observePins, onError } =
    options;
  const peerOf = createPeers(options.clientNames);
  const readBody = createReadBody(limits, now);
  const name = createNames();

  /** Reads a request, or answers why it is none. */
  const read = async (ctx: Context): Promise<ProviderRequest | undefined> => {
    const { headers } = ctx.req;
    if (!JSON_TYPE.test(headers["content-type"] ?? "") || "content-encoding" in headers) {
      send(ctx, 415, WRONG_TYPE);
      return undefined;
    }
    const body = await readBody(ctx.req);
    if (!Buffer.isBuffer(body)) {
      // What was not read of the body must not be taken for another request.
      ctx.set("Connection", "close");
      send(ctx, body.status ?? GONE, refusal(body.sentence));
      return undefined;
    }
    const request = parseRequest(body, limits);
    if (request.kind === "request") return request;
    send(ctx, request.status, refusal(request.sentence));
    return undefined;
  };

  const router = new Router<State>({ sensitive: true, strict: true });
  router.post("/validate", async (ctx) => {
    ctx.state.route = "validate";
    const request = await read(ctx);
    if (request === undefined) return;
    const { peer, began } = ctx.state;
    const answers = await decide(request.keys, peer.signal, began);
    const { apiVersion } = request;
    send(ctx, 200, encodeResponse({ apiVersion, idempotent: false, answers }));
    observeDecisions?.(answers, name());
  });
  router.post("/mutate", async (ctx) => {
    ctx.state.route = "mutate";
    const request = await read(ctx);
    if (request === undefined) return;
    const { peer, began } = ctx.state;
    const pins = await pin(request.keys, peer.signal, began);
    const { apiVersion } = request;
    const answers = pins.map(({ key, result }) => ({ key, verdict: result }));
    send(ctx, 200, encodeResponse({ apiVersion, idempotent: true, answers }));
    observePins?.(pins, name());
  });
  /** Answers what must not come to a route. */
  const admit = (ctx: Context): boolean => {
    const { req } = ctx;
    ctx.state.route = "none";
    ctx.state.peer = peerOf(req.socket);
    if (!ctx.state.peer.known) {
      ctx.set("Connection", "close");
      send(ctx, 403, UNKNOWN_CALLER);
      return false;
    }
    if (!hasOneHost(req.rawHeaders)) {
      ctx.set("Connection", "close");
      send(ctx, 400, WRONG_HOST);
      return false;
    }
    if (!isExact(req.url ?? "", ctx.path)) {
      send(ctx, 404, UNKNOWN_PATH);
      return false;
    }
    return true;
  };

  const app = new Koa<State>({ proxy: false });
  // Koa's own printing; what it has to say comes by the event.
  app.silent = true;
  app.on("error", onError);
  app.use(async (ctx, next) => {
    const began = now();
    ctx.state.began = began;
    try {
      if (admit(ctx)) {
        await next();
        if (ctx.body === undefined) sendUnrouted(ctx);
      }
    } catch (error) {
      onError(error);
      send(ctx, 500, FAILED);
    }
    observeRequest?.({
      route: ctx.state.route,
      status: ctx.req.socket.destroyed ? GONE : ctx.status,
      durationMs: now() - began,
    });
  });
  app.use(router.routes());
  return app.callback();
}

/** The router reads a parsed path; it must be what was sent, byte for byte. */
const isExact = (target: string, path: string): boolean =>
  target === path || target.startsWith(`${path}?`);

/** Its value is never read. @param headers names and values in turn @see RFC 9112 3.2 */
function hasOneHost(headers: readonly string[]): boolean {
  let hosts = 0;
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index];
    if (name?.length === 4 && name.toLowerCase() === "host") hosts += 1;
  }
  return hosts === 1;
}

/** What the router left alone. */
function sendUnrouted(ctx: Context): void {
  if (ctx.path !== "/validate" && ctx.path !== "/mutate") return send(ctx, 404, UNKNOWN_PATH);
  ctx.set("Allow", "POST");
  send(ctx, 405, WRONG_METHOD);
}

/**
 * Characters of an answer that a socket takes at once: half of what it buffers (`writableHighWaterMark`, 64 KiB), because
 * a character may take more than a byte.
 */
const LARGE = 32 * 1024;

function send(ctx: Context, status: number, body: string): void {
  ctx.status = status;
  ctx.set("Content-Type", "application/json");
  // Node pauses its parser when the next request comes before it has noticed that a large answer went out, and then
  // takes the rest of that request for an error (HPE_PAUSED): Gatekeeper, which never asks twice, would lose it.
  if (body.length > LARGE) ctx.set("Connection", "close");
  ctx.body = body;
}

/** Names for requests, which Gatekeeper does not name: unique in a process, hardly the same in two. */
function createNames(): () => string {
  const process = Math.floor(Math.random() * 36 ** 6)
    .toString(36)
    .padStart(6, "0");
  let count = 0;
  return () => `${process}-${(count++).toString(36)}`;
}
