import { constants } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { TLSSocket } from "node:tls";
import { errorCode } from "../lib/error-code.ts";
import type { MaterialSource } from "../lib/material-source.ts";
import type { RequestEvent } from "../telemetry/metrics.ts";
import { answerClientError } from "./client-error.ts";
import { type ConnectionCounts, watchConnections } from "./connections.ts";
import { listen, type Address } from "./listen.ts";
import { type Material, readMaterial } from "./material.ts";
import { createPeers } from "./peer.ts";
import { createReload } from "./reload.ts";
import { createRoots } from "./roots.ts";

/** Bounds of a TLS server; times in milliseconds. */
export interface ServerLimits {
  /** Above the 90 s for which Gatekeeper keeps an idle connection: it never asks twice, so it must close first. */
  readonly keepAliveTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly handshakeTimeoutMs: number;
  /** The grain of the time-outs for headers and requests. */
  readonly checkIntervalMs: number;
  readonly maxConnections: number;
  readonly maxConnectionAgeMs: number;
  readonly maxRequestsPerSocket: number;
  readonly maxHeaders: number;
  readonly maxHeaderBytes: number;
  /** How long a client CA is accepted after it was replaced: a mounted Secret lags by 60 to 90 s. */
  readonly rootGraceMs: number;
  /** Certificates are read again when they change, and after this time besides. */
  readonly rereadEveryMs: number;
}

/** The bounds to serve with; others are for tests. */
export const SERVER_LIMITS: ServerLimits = {
  keepAliveTimeoutMs: 110_000,
  headersTimeoutMs: 5_000,
  requestTimeoutMs: 5_000,
  handshakeTimeoutMs: 5_000,
  checkIntervalMs: 1_000,
  maxConnections: 512,
  maxConnectionAgeMs: 600_000,
  maxRequestsPerSocket: 10_000,
  maxHeaders: 64,
  maxHeaderBytes: 8_192,
  rootGraceMs: 120_000,
  rereadEveryMs: 30_000,
};

export interface TlsServerOptions extends Address {
  /** What answers requests: {@link createApp}. */
  readonly handler: (request: IncomingMessage, response: ServerResponse) => unknown;
  /** Where its certificates come from. */
  readonly source: MaterialSource;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly limits?: Partial<ServerLimits>;
  /** DNS names of the callers for whom room is kept where connections are scarce; nobody is turned away by them. */
  readonly clientNames: readonly string[];
  /** Requests that were answered before they came to the handler. */
  readonly observeRequest?: (event: RequestEvent) => void;
  /** Called when the certificates changed, and when some that cannot be served with were found. */
  readonly onChange?: (state: CertificateState) => void;
}

/** The certificates that are served with. */
export interface CertificateState {
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Why what was read last is not what is served with; no path in it. */
  readonly problem: string | undefined;
}

interface ServerCounts extends ConnectionCounts {
  /** Handshakes that failed since the start: no certificate, an unknown CA, an old TLS. */
  readonly failedHandshakes: number;
}

interface DrainTimes {
  /** Until it aborts the server answers on, with `Connection: close`: the endpoints are being withdrawn. */
  readonly announced: AbortSignal;
  /** Milliseconds that answers which are still being made may take afterwards. */
  readonly graceMs: number;
}

/** An HTTPS server for callers with a client certificate: TLS 1.3, HTTP/1.1. */
export interface TlsServer {
  /** @throws when the address cannot be had */
  listen(): Promise<AddressInfo>;
  /** Reads the certificates now; resolves when they are in force, or were refused. */
  reload(): Promise<void>;
  certificates(): CertificateState;
  counts(): ServerCounts;
  /** Ends the server: every answer closes its connection, then nothing new is accepted, at last all is cut. */
  drain(times: DrainTimes): Promise<void>;
}

/** Between two looks at connections that became idle while the server closes. */
const CLOSE_IDLE_EVERY_MS = 50;

/**
 * Makes the server that Gatekeeper calls.
 *
 * When the client CA changes, the roots that are gone stay accepted for a grace period. Meanwhile a connection
 * that no current root signed is closed with each answer, so that its caller comes with a newer certificate soon;
 * when the grace ends, what is left of them is cut. A certificate below an intermediate counts as not signed there,
 * which costs it kept connections for that time and nothing else.
 * @throws when there is nothing to serve with at the start
 */
export async function createTlsServer(options: TlsServerOptions): Promise<TlsServer> {
  const { handler, source, now, observeRequest, onChange } = options;
  const limits = { ...SERVER_LIMITS, ...options.limits };
  const first = await readMaterial(source);
  if (first.kind === "bad") throw new Error(first.problem);

  const roots = createRoots(limits.rootGraceMs, now);
  roots.replace(first.roots);
  let material = first;
  let problem: string | undefined;
  let failedHandshakes = 0;

  // `setSecureContext` makes the context anew: what is not said again is lost, the TLS version first of all.
  const context = ({ cert, key }: Material) => ({
    cert,
    key,
    ca: roots.pem(),
    minVersion: "TLSv1.3" as const,
    // A session that is resumed shows a certificate of the past.
    secureOptions: constants.SSL_OP_NO_TICKET,
  });

  const server = createServer({
    ...context(first),
    requestCert: true,
    rejectUnauthorized: true,
    ALPNProtocols: ["http/1.1"],
    handshakeTimeout: limits.handshakeTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    connectionsCheckingInterval: limits.checkIntervalMs,
    maxHeaderSize: limits.maxHeaderBytes,
    // The app answers it, with a body that Gatekeeper can read.
    requireHostHeader: false,
  });
  // The types of Node do not know the second.
  Object.assign(server, { maxConnections: limits.maxConnections, dropMaxConnection: true });
  server.maxRequestsPerSocket = limits.maxRequestsPerSocket;
  server.maxHeadersCount = limits.maxHeaders;

  const peerOf = createPeers(options.clientNames);
  const connections = watchConnections(
    server,
    {
      maxConnections: limits.maxConnections,
      maxAgeMs: limits.maxConnectionAgeMs,
      isKnown: (socket) => peerOf(socket).known,
    },
    handler,
    now,
  );

  server.on("tlsClientError", (_error, socket) => {
    failedHandshakes += 1;
    socket.destroy();
  });

  server.on("clientError", (error, socket) => {
    const state = connections.stateOf(socket);
    if (state === undefined || state === "active") {
      // No TLS yet, to which nothing can be said; or anything said now would seem the answer that is being made.
      socket.destroy();
    } else if (isSilent(error, socket)) {
      // Go opens a connection ahead of a request and may give it the next one much later: it is idle, not slow.
      socket.setTimeout(limits.keepAliveTimeoutMs, () => socket.destroy());
    } else {
      const status = answerClientError(error, socket);
      // What came as far as the app is observed there.
      if (status !== undefined && state === "idle")
        observeRequest?.({ route: "none", status, durationMs: 0 });
    }
  });

  const state = (): CertificateState => ({
    notBefore: material.notBefore,
    notAfter: material.notAfter,
    problem,
  });

  let graceEnd: NodeJS.Timeout | undefined;
  const awaitGrace = (): void => {
    clearTimeout(graceEnd);
    const ms = roots.nextEndMs();
    if (ms !== undefined) graceEnd = setTimeout(endGrace, ms).unref();
  };
  const endGrace = (): void => {
    server.setSecureContext(context(material));
    connections.endRetired();
    awaitGrace();
  };

  // Without a root on its way out every connection that arrives is of a current one, and none need be looked at.
  const isOfFormerRoot = (socket: TLSSocket): boolean =>
    roots.nextEndMs() !== undefined && !roots.signed(socket.getPeerX509Certificate());

  const read = async (): Promise<boolean> => {
    const next = await readMaterial(source);
    if (next.kind === "bad") {
      if (problem !== next.problem) {
        problem = next.problem;
        onChange?.(state());
      }
      return false;
    }
    const isSame = next.text === material.text;
    if (isSame && problem === undefined) return true;
    problem = undefined;
    if (!isSame) {
      material = next;
      const isOneGone = roots.replace(next.roots);
      server.setSecureContext(context(next));
      if (isOneGone) connections.retire(isOfFormerRoot);
      awaitGrace();
    }
    onChange?.(state());
    return true;
  };
  const reload = createReload(source.watch, limits.rereadEveryMs, read);

  const drain = async ({ announced, graceMs }: DrainTimes): Promise<void> => {
    connections.closeAll();
    if (!announced.aborted) await once(announced, "abort");
    reload[Symbol.dispose]();
    clearTimeout(graceEnd);
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    // `close` looks for idle connections once; answers that were being made then leave theirs open.
    const sweep = setInterval(() => {
      server.closeIdleConnections();
    }, CLOSE_IDLE_EVERY_MS);
    const cut = setTimeout(() => {
      connections.endAll();
    }, graceMs);
    await closed;
    clearInterval(sweep);
    clearTimeout(cut);
  };

  return {
    listen: async () => await listen(server, options),
    reload: async () => {
      await reload.now();
    },
    certificates: state,
    counts: () => ({ ...connections.counts(), failedHandshakes }),
    drain,
  };
}

/** Whether a connection timed out on which no request was ever begun. */
const isSilent = (error: Error, socket: unknown): socket is TLSSocket =>
  errorCode(error) === "ERR_HTTP_REQUEST_TIMEOUT" &&
  socket instanceof TLSSocket &&
  socket.bytesRead === 0;
