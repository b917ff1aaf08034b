import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { listen, type Address } from "./listen.ts";

/** One thing that must be well for the provider to be ready. */
export interface Check {
  /** One word. */
  readonly name: string;
  readonly ok: boolean;
  /** What is to be known of it, well or not; one line, no path, no credential. */
  readonly detail?: string;
}

export interface AdminOptions extends Address {
  /** What readiness depends on, asked anew for each request. */
  readonly checks: () => readonly Check[];
  /** The text of `/metrics`. */
  readonly metrics: () => Promise<string>;
  /** Media type of that text. */
  readonly metricsType: string;
  readonly onError: (error: unknown) => void;
}

/** The listener of kubelet and Prometheus: plain HTTP, no verdict, nothing that changes anything. */
export interface Admin extends AsyncDisposable {
  /** @throws when the address cannot be had */
  listen(): Promise<AddressInfo>;
  close(): Promise<void>;
}

interface Page {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

const TEXT = "text/plain; charset=utf-8";
const page = (status: number, text: string, type = TEXT): Page => ({ status, type, text });

/** Connections at once: a few kubelets and Prometheus servers. */
const MAX_CONNECTIONS = 64;

/**
 * Serves `GET /livez`, `GET /readyz` (`?verbose` names each check as Kubernetes' own servers do) and `GET /metrics`.
 * Liveness says only that requests are answered: a provider that cannot reach a registry is not helped by a restart.
 */
export function createAdmin(options: AdminOptions): Admin {
  const { checks, metrics, metricsType, onError } = options;
  // Scrapes that come at the same time share one text.
  let scrape: Promise<string> | undefined;

  const pages = new Map<string, (query: string) => Page | Promise<Page>>([
    ["/livez", () => page(200, "ok\n")],
    ["/readyz", (query) => readiness(checks(), /(?:^|&)verbose(?:[=&]|$)/.test(query))],
    [
      "/metrics",
      async () => {
        scrape ??= metrics().finally(() => {
          scrape = undefined;
        });
        return page(200, await scrape, metricsType);
      },
    ],
  ]);

  const respond = async ({ method, url = "" }: IncomingMessage): Promise<Page> => {
    const mark = url.indexOf("?");
    const make = pages.get(mark === -1 ? url : url.slice(0, mark));
    if (make === undefined) return page(404, "not found\n");
    if (method !== "GET" && method !== "HEAD") return page(405, "method not allowed\n");
    try {
      return await make(mark === -1 ? "" : url.slice(mark + 1));
    } catch (error) {
      onError(error);
      return page(500, "failed\n");
    }
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    request.resume();
    const { status, type, text } = await respond(request);
    response.writeHead(status, {
      "Content-Type": type,
      "Content-Length": Buffer.byteLength(text),
      "X-Content-Type-Options": "nosniff",
    });
    response.end(request.method === "HEAD" ? undefined : text);
  };

  const server = createServer(
    {
      headersTimeout: 5_000,
      requestTimeout: 5_000,
      connectionsCheckingInterval: 1_000,
      maxHeaderSize: 8_192,
    },
    (request, response) => {
      serve(request, response).catch(onError);
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.maxHeadersCount = 64;

  const close = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  };
  return {
    listen: async () => await listen(server, options),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** @see https://kubernetes.io/docs/reference/using-api/health-checks/ */
function readiness(checks: readonly Check[], isVerbose: boolean): Page {
  const isReady = checks.every(({ ok }) => ok);
  const status = isReady ? 200 : 503;
  if (isReady && !isVerbose) return page(status, "ok\n");
  const lines = checks.map(({ name, ok, detail }) => {
    const mark = ok ? "[+]" : "[-]";
    const state = ok ? "ok" : "failed";
    return `${mark}${name} ${state}${detail === undefined ? "" : `: ${detail}`}\n`;
  });
  return page(status, `${lines.join("")}readyz check ${isReady ? "passed" : "failed"}\n`);
}
