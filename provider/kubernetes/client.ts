import type { IncomingMessage } from "node:http";
import { Agent, request as startRequest, type RequestOptions } from "node:https";
import { z } from "zod";
import { errorCode } from "../lib/error-code.ts";

/** One request to the API server. */
export interface ApiRequest {
  /** Default `GET`. */
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With its query: `/api/v1/namespaces/default/secrets/name`. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Default `application/json`; a patch says here which kind it is. */
  readonly contentType?: string;
}

/**
 * What came of a request. A refusal is an answer: `reason` is one of the API's own (`NotFound`, `Conflict`, `Forbidden`),
 * `message` its sentence; `at` is when it was sent by the server's clock, milliseconds since the epoch. `problem` is a code such as `ECONNREFUSED` or `TIMEOUT`; neither host nor token is in it.
 */
export type ApiAnswer =
  | { readonly kind: "ok"; readonly body: unknown; readonly at?: number | undefined }
  | {
      readonly kind: "refused";
      readonly at?: number | undefined;
      readonly status: number;
      readonly reason: string;
      readonly message: string;
    }
  | { readonly kind: "unreachable"; readonly problem: string };

/** A client of the API server, with connections that all its requests share. */
export interface KubernetesClient extends Disposable {
  /** Never rejects. @param signal ends it before its own time is over */
  send(request: ApiRequest, signal?: AbortSignal): Promise<ApiAnswer>;
  /**
   * Watches objects, and tells of each event its type alone (`ADDED`, `MODIFIED`, `DELETED`): whoever is told reads what
   * there is now. The API server sends no more of an object than its metadata.
   * @param path of a collection, perhaps with a `fieldSelector`
   * @returns why it ended: every watch does, after some minutes at most. Never rejects
   */
  watch(path: string, onEvent: (type: string) => void, signal: AbortSignal): Promise<string>;
}

export interface ClientOptions {
  /** Path of a kubeconfig; without it the Pod's own service account is used. */
  readonly kubeconfig?: string;
  /** Milliseconds that a request may take, its answer included. */
  readonly timeoutMs?: number;
  /** An answer with more is an error. */
  readonly maxBytes?: number;
}

const TIMEOUT_MS = 5_000;
const MAX_BYTES = 16 * 1024 * 1024;
const MAX_SOCKETS = 16;
/** After it the API server ends a watch; a connection that died unseen is given up a little later. */
const WATCH_SECONDS = 240;
const WATCH_MS = (WATCH_SECONDS + 30) * 1000;
const UNAUTHORIZED = 401;
const METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

const Status = z.object({ reason: z.string().default(""), message: z.string().default("") });
const WatchEvent = z.object({ type: z.string(), object: z.unknown() });

/**
 * Makes a client. Of the Kubernetes client library it uses how clusters and credentials are found: files, tokens that are
 * replaced, programs that hand out tokens. The library costs a quarter of a second and 80 MB, so it is loaded here and not
 * before. Its own requests cannot be bounded in time and open a connection each; these can and do not.
 * @throws Error with a sentence when there is no cluster to be found
 */
export async function createClient(options: ClientOptions = {}): Promise<KubernetesClient> {
  const { kubeconfig, timeoutMs = TIMEOUT_MS, maxBytes = MAX_BYTES } = options;
  const { KubeConfig } = await import("@kubernetes/client-node");
  const load = () => {
    const loaded = new KubeConfig();
    if (kubeconfig === undefined) loaded.loadFromCluster();
    else loaded.loadFromFile(kubeconfig);
    return loaded;
  };
  let config = load();
  const cluster = config.getCurrentCluster();
  const server = URL.parse(cluster?.server ?? "");
  if (server?.protocol !== "https:") {
    throw new Error(
      kubeconfig === undefined
        ? "this is no Pod of a cluster: KUBERNETES_SERVICE_HOST is not set, and no kubeconfig was given"
        : "the kubeconfig's current context names no cluster at an https:// address",
    );
  }
  // By CA and credentials it tells connections apart, so one that was made under replaced ones is not used again.
  const agent = new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS });

  /** Resolves with the head of the answer. */
  const open = async (
    { method = "GET", path, body, contentType = "application/json" }: ApiRequest,
    accept: string,
    signal: AbortSignal,
  ): Promise<IncomingMessage> => {
    const credentials: RequestOptions = {};
    await config.applyToHTTPSOptions(credentials);
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const outgoing = startRequest(
      `${server.origin}${server.pathname.replace(/\/$/, "")}${path}`,
      {
        // Not left to NODE_TLS_REJECT_UNAUTHORIZED.
        rejectUnauthorized: true,
        ...credentials,
        ...(cluster?.proxyUrl === undefined && { agent }),
        method,
        signal,
      },
      resolve,
    );
    outgoing.setHeader("accept", accept);
    if (body !== undefined) outgoing.setHeader("content-type", contentType);
    outgoing.on("error", reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    return await promise;
  };

  /**
   * Has the token read anew for the next request. The library reads its file again when a minute has passed by the wall clock: after
   * that was set back by a day, not for a day, and the token is good for an hour.
   */
  const readToken = (): void => {
    try {
      config = load();
    } catch {
      // A kubeconfig that is being written; the next refusal has it read again.
    }
  };

  return {
    async send(request, signal) {
      const deadline = AbortSignal.timeout(timeoutMs);
      const either = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
      try {
        const incoming = await open(request, "application/json", either);
        const status = incoming.statusCode ?? 0;
        if (status === UNAUTHORIZED) readToken();
        const body = parse(await textOf(incoming, maxBytes));
        // RFC 9110 6.6.1; in whole seconds.
        const date = Date.parse(incoming.headers.date ?? "");
        const at = Number.isNaN(date) ? undefined : date;
        return status >= 200 && status < 300
          ? { kind: "ok", body, at }
          : { ...refused(status, body), at };
      } catch (error) {
        return { kind: "unreachable", problem: problemOf(error, either) };
      }
    },
    async watch(path, onEvent, signal) {
      const either = AbortSignal.any([signal, AbortSignal.timeout(WATCH_MS)]);
      const query = `watch=true&timeoutSeconds=${WATCH_SECONDS}`;
      const request = { path: `${path}${path.includes("?") ? "&" : "?"}${query}` };
      try {
        const incoming = await open(request, METADATA_ONLY, either);
        if (incoming.statusCode !== 200) {
          incoming.destroy();
          return `status ${incoming.statusCode}`;
        }
        for await (const line of linesOf(incoming, maxBytes)) {
          const { type, object } = WatchEvent.parse(JSON.parse(line));
          if (type === "ERROR") return Status.safeParse(object).data?.reason ?? "ERROR";
          onEvent(type);
        }
        return "ended";
      } catch (error) {
        return problemOf(error, either);
      }
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}

/** A reason of the API is one word, whoever answered in its place. */
const REASON = /^[A-Za-z]{1,64}$/;

function refused(status: number, body: unknown) {
  const { reason = "", message = "" } = Status.safeParse(body).data ?? {};
  return { kind: "refused" as const, status, reason: REASON.test(reason) ? reason : "", message };
}

function problemOf(error: unknown, signal: AbortSignal): string {
  const reason: unknown = signal.aborted ? signal.reason : undefined;
  if (reason instanceof Error && reason.name === "TimeoutError") return "TIMEOUT";
  if (signal.aborted) return "ABORTED";
  return errorCode(error) ?? "UNREADABLE";
}

async function textOf(incoming: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new Error("the answer is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

async function* linesOf(incoming: IncomingMessage, maxBytes: number): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of incoming.setEncoding("utf8") as AsyncIterable<string>) {
    const lines = `${rest}${chunk}`.split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > maxBytes) throw new Error("the event is too large");
    for (const line of lines) if (line !== "") yield line;
  }
}

/** @returns undefined for what is no JSON, such as the sentence of a proxy */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
