/**
 * An API server on loopback that keeps objects in memory, for what the real one does not do on demand: it ends watches,
 * forgets versions (410), floods watchers with events, and does not answer.
 *
 *   await using api = await startApiServer();
 *   api.put("/api/v1/namespaces/default/secrets/a", { data: {} });
 *   const client = await createClient({ kubeconfig: api.kubeconfig });
 *   api.fault = () => "silent";            // every request from now on
 *   api.fault = undefined;
 *
 * Of the semantics it has versions and their conflicts, generations, creation, replacement, and patches that merge one level of `spec` and
 * `data`; what needs more is tested on the real one.
 */
import { createHash } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { isDeepStrictEqual } from "node:util";
import { listen } from "../loopback.ts";
import { createProviderAuthority } from "../gatekeeper/certificates.ts";

export interface StoredObject {
  readonly metadata?: {
    readonly name?: string;
    readonly generateName?: string;
    readonly resourceVersion?: string;
    readonly [member: string]: unknown;
  };
  readonly [member: string]: unknown;
}

export interface Asked {
  readonly method: string;
  /** Without its query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly isWatch: boolean;
}

/** What happens in the place of an answer: none ever comes, the connection breaks, or a status comes. */
export type Fault = "silent" | "reset" | { readonly status: number; readonly reason: string };

export interface ApiServer extends AsyncDisposable {
  /** Path of a kubeconfig with an administrator's token. */
  readonly kubeconfig: string;
  readonly asked: readonly Asked[];
  /** Decides over each request; undefined lets it be answered. */
  fault: ((asked: Asked) => Fault | undefined) | undefined;
  /** The object as it is now. */
  get(path: string): StoredObject | undefined;
  /** Writes an object, whatever there was. */
  put(path: string, object: StoredObject): void;
  remove(path: string): void;
  /** Resolves at the next change of any object that a request made. */
  changed(): Promise<void>;
  /** Resolves at the next request that the test accepts. */
  request(test: (asked: Asked) => boolean): Promise<Asked>;
  /** Ends every watch: with 410, or by breaking the connection. */
  endWatches(how: "expired" | "reset"): void;
  /** Tells every watcher of so many changes that are none. */
  flood(events: number): void;
  readonly watches: () => number;
}

const TOKEN = "token-of-a-test";

const statusOf = (code: number, reason: string) => ({
  kind: "Status",
  apiVersion: "v1",
  status: "Failure",
  code,
  reason,
  message: `${reason} (of the double)`,
});

const nameIn = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
const collectionOf = (path: string): string => path.slice(0, path.lastIndexOf("/"));
const write = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
};

/** RFC 7386 one level down: the members of `spec` and `data` are replaced, or removed by `null`. */
function merged(before: StoredObject, sent: StoredObject): Partial<StoredObject> {
  const members = ["spec", "data"].filter((member) => sent[member] !== undefined);
  return Object.fromEntries(
    members.map((member) => {
      const all = { ...(before[member] as object), ...(sent[member] as object) };
      return [
        member,
        Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null)),
      ];
    }),
  );
}

interface Watcher {
  readonly collection: string;
  readonly name: string | undefined;
  readonly response: ServerResponse;
}

export async function startApiServer(): Promise<ApiServer> {
  const authority = await createProviderAuthority();
  const { cert, key } = await authority.issue({ name: "kubernetes", ip: ["127.0.0.1"] });
  const objects = new Map<string, StoredObject>();
  const watchers = new Set<Watcher>();
  const events = new EventEmitter();
  const asked: Asked[] = [];
  let version = 0;
  let fault: ApiServer["fault"];

  const tell = (watcher: Watcher, type: string, object: unknown): void => {
    watcher.response.write(`${JSON.stringify({ type, object })}\n`);
  };
  const tellAll = (path: string, type: string): void => {
    for (const watcher of watchers) {
      if (watcher.collection !== collectionOf(path)) continue;
      if (watcher.name !== undefined && watcher.name !== nameIn(path)) continue;
      tell(watcher, type, { metadata: { name: nameIn(path) } });
    }
  };
  const store = (path: string, object: StoredObject): StoredObject => {
    const before = objects.get(path);
    const known = Number(before?.metadata?.["generation"] ?? 0);
    const isOther = !isDeepStrictEqual(before?.["spec"], object["spec"]);
    const metadata = {
      uid: createHash("sha256").update(path).digest("hex").slice(0, 32),
      ...object.metadata,
      name: nameIn(path),
      resourceVersion: String(++version),
      generation: known + (isOther ? 1 : 0),
    };
    const stored = { ...object, metadata };
    objects.set(path, stored);
    tellAll(path, before === undefined ? "ADDED" : "MODIFIED");
    return stored;
  };

  const watch = (response: ServerResponse, { path, query }: Asked): void => {
    const name = /^metadata\.name=(.+)$/.exec(query.get("fieldSelector") ?? "")?.[1];
    const watcher = { collection: path, name, response };
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    watchers.add(watcher);
    response.on("close", () => watchers.delete(watcher));
    for (const known of objects.keys()) {
      if (collectionOf(known) === path && (name === undefined || nameIn(known) === name)) {
        tell(watcher, "ADDED", { metadata: { name: nameIn(known) } });
      }
    }
  };

  const answer = (response: ServerResponse, request: Asked): void => {
    const { method, path, body } = request;
    if (request.isWatch) {
      watch(response, request);
      return;
    }
    const before = objects.get(path);
    const sent = (body ?? {}) as StoredObject;
    if (method === "POST") {
      const name = sent.metadata?.name ?? `${sent.metadata?.generateName}${version}`;
      const created = `${path}/${name}`;
      if (objects.has(created)) write(response, 409, statusOf(409, "AlreadyExists"));
      else write(response, 201, store(created, sent));
    } else if (before === undefined) {
      write(response, 404, statusOf(404, "NotFound"));
      return;
    } else if (method === "GET") {
      write(response, 200, before);
      return;
    } else if (method === "PATCH" || method === "PUT") {
      const known = sent.metadata?.resourceVersion;
      if (known !== undefined && known !== before.metadata?.resourceVersion) {
        write(response, 409, statusOf(409, "Conflict"));
        return;
      }
      const after = method === "PUT" ? sent : { ...before, ...merged(before, sent) };
      write(response, 200, store(path, after));
    } else {
      objects.delete(path);
      tellAll(path, "DELETED");
      write(response, 200, {});
    }
    events.emit("change");
  };

  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(incoming.url ?? "/", "https://api");
    const isEmpty = (incoming.headers["content-length"] ?? "0") === "0";
    const isChunked = incoming.headers["transfer-encoding"] !== undefined;
    const request: Asked = {
      method: incoming.method ?? "GET",
      path: url.pathname,
      query: url.searchParams,
      body: isEmpty && !isChunked ? undefined : await json(incoming),
      isWatch: url.searchParams.get("watch") === "true",
    };
    asked.push(request);
    events.emit("request", request);
    const happens = fault?.(request);
    if (incoming.headers.authorization !== `Bearer ${TOKEN}`) {
      write(response, 401, statusOf(401, "Unauthorized"));
    } else if (happens === "reset") incoming.socket.destroy();
    else if (happens === "silent") return;
    else if (happens === undefined) answer(response, request);
    else write(response, happens.status, statusOf(happens.status, happens.reason));
  };
  const server = createServer({ cert, key }, (incoming, response) => {
    void serve(incoming, response);
  });
  const { port, end } = await listen(server);
  const directory = await mkdtemp(join(tmpdir(), "api-server-"));
  const kubeconfig = join(directory, "kubeconfig");
  await writeFile(
    kubeconfig,
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [
        {
          name: "double",
          cluster: {
            server: `https://127.0.0.1:${port}`,
            "certificate-authority-data": Buffer.from(authority.ca).toString("base64"),
          },
        },
      ],
      users: [{ name: "tester", user: { token: TOKEN } }],
      contexts: [{ name: "double", context: { cluster: "double", user: "tester" } }],
      "current-context": "double",
    }),
  );

  return {
    kubeconfig,
    asked,
    get fault() {
      return fault;
    },
    set fault(decide) {
      fault = decide;
    },
    get: (path) => objects.get(path),
    put: (path, object) => void store(path, object),
    remove(path) {
      objects.delete(path);
      tellAll(path, "DELETED");
    },
    async changed() {
      await once(events, "change");
    },
    async request(test) {
      for await (const [request] of EventEmitter.on(events, "request") as AsyncIterable<[Asked]>) {
        if (test(request)) return request;
      }
      throw new Error("no request came");
    },
    endWatches(how) {
      for (const watcher of watchers) {
        if (how === "reset") watcher.response.destroy();
        else {
          tell(watcher, "ERROR", statusOf(410, "Expired"));
          watcher.response.end();
        }
      }
    },
    flood(count) {
      for (const watcher of watchers) {
        for (let index = 0; index < count; index += 1) {
          tell(watcher, "MODIFIED", { metadata: { name: watcher.name } });
        }
      }
    },
    watches: () => watchers.size,
    async [Symbol.asyncDispose]() {
      await end();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
