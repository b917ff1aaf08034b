import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { json, text } from "node:stream/consumers";

/** Any object of the API; what a test needs of its members it names itself. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
  readonly [member: string]: unknown;
}

export interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly generation?: number;
  readonly uid?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly [member: string]: unknown;
}

/** What came back, refusals included. */
export interface ApiAnswer {
  /** HTTP status. */
  readonly status: number;
  /** The object, or the API's `Status` when it was refused. */
  readonly body: KubernetesObject & { readonly message?: string; readonly reason?: string };
  /** Warnings as `kubectl` shows them, such as those of constraints with `enforcementAction: warn`. */
  readonly warnings: readonly string[];
}

export interface SendOptions {
  readonly method?: string;
  readonly body?: unknown;
  /** Default `application/json`. */
  readonly contentType?: string;
}

/** Which object is meant. */
export type ObjectReference = Pick<KubernetesObject, "apiVersion" | "kind"> & {
  readonly metadata: Pick<Metadata, "name" | "namespace">;
};

/**
 * A client of the API server: one connection pool, an administrator's token. Refusals are answers, not errors: only what
 * is said to throws.
 */
export interface Api extends Disposable {
  /** `https://127.0.0.1:6443` */
  readonly url: string;
  /** Sends to a path such as `/readyz?verbose`. Rejects when the API server cannot be reached. */
  send(path: string, options?: SendOptions): Promise<ApiAnswer>;
  create(object: KubernetesObject, options?: { readonly dryRun?: boolean }): Promise<ApiAnswer>;
  /** Server-side apply, taking over whatever others own. */
  apply(object: KubernetesObject): Promise<ApiAnswer>;
  /** A merge patch (RFC 7386). */
  patch(reference: ObjectReference, patch: object): Promise<ApiAnswer>;
  remove(reference: ObjectReference): Promise<ApiAnswer>;
  /** @returns undefined when there is no such object. @throws Error at any other refusal */
  read(reference: ObjectReference): Promise<KubernetesObject | undefined>;
  /** All objects of a kind, of one namespace or of all. @throws Error at a refusal */
  list(
    kind: Pick<KubernetesObject, "apiVersion" | "kind">,
    namespace?: string,
  ): Promise<readonly KubernetesObject[]>;
}

export interface ApiOptions {
  /** `https://127.0.0.1:6443` */
  readonly url: string;
  /** PEM. */
  readonly ca: string;
  readonly token: string;
}

interface Resource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/** The name under which {@link Api.apply} owns fields. */
const FIELD_MANAGER = "notation-e2e";

/** Beyond the time-out of any webhook, 30 s. */
const TIMEOUT_MS = 60_000;

/** @throws Error with the API's message unless the answer is one of success */
export function expectSuccess(answer: ApiAnswer, what: string): ApiAnswer {
  if (answer.status >= 200 && answer.status < 300) return answer;
  throw new Error(`${what}: ${answer.status} ${answer.body.message ?? ""}`);
}

export const nameOf = ({ kind, metadata }: ObjectReference): string =>
  `${kind} ${metadata.namespace === undefined ? "" : `${metadata.namespace}/`}${metadata.name}`;

export function createApi({ url, ca, token }: ApiOptions): Api {
  const agent = new Agent({ keepAlive: true, ca });
  const known = new Map<string, readonly Resource[]>();

  const send: Api["send"] = async (path, options = {}) => {
    const { method = "GET", body, contentType = "application/json" } = options;
    const { promise, resolve, reject } = Promise.withResolvers<ApiAnswer>();
    const outgoing = request(
      new URL(path, url),
      {
        method,
        agent,
        signal: AbortSignal.timeout(TIMEOUT_MS),
        headers: {
          authorization: `Bearer ${token}`,
          accept: "application/json",
          "content-type": contentType,
        },
      },
      (incoming) => {
        answerOf(incoming).then(resolve, reject);
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    return await promise;
  };

  const resourcesOf = async (apiVersion: string): Promise<readonly Resource[]> => {
    const { status, body } = await send(`/${rootOf(apiVersion)}`);
    const resources = status === 200 ? (body["resources"] as readonly Resource[]) : [];
    known.set(apiVersion, resources);
    return resources;
  };
  /** Kinds that templates bring come later, so what is not known is asked for again. */
  const collectionOf = async (
    { apiVersion, kind }: Pick<KubernetesObject, "apiVersion" | "kind">,
    namespace?: string,
  ): Promise<string> => {
    const find = (resources: readonly Resource[] = []) =>
      resources.find((resource) => resource.kind === kind && !resource.name.includes("/"));
    const resource = find(known.get(apiVersion)) ?? find(await resourcesOf(apiVersion));
    if (resource === undefined) throw new Error(`the API has no ${kind} of ${apiVersion}`);
    const scope = resource.namespaced && namespace !== undefined ? `namespaces/${namespace}/` : "";
    return `/${rootOf(apiVersion)}/${scope}${resource.name}`;
  };
  const pathOf = async (reference: ObjectReference): Promise<string> => {
    const { name, namespace = "default" } = reference.metadata;
    return `${await collectionOf(reference, namespace)}/${name}`;
  };

  return {
    url,
    send,
    async create(object, { dryRun = false } = {}) {
      const collection = await collectionOf(object, object.metadata.namespace ?? "default");
      return await send(`${collection}${dryRun ? "?dryRun=All" : ""}`, {
        method: "POST",
        body: object,
      });
    },
    async apply(object) {
      return await send(`${await pathOf(object)}?fieldManager=${FIELD_MANAGER}&force=true`, {
        method: "PATCH",
        body: object,
        // JSON is YAML.
        contentType: "application/apply-patch+yaml",
      });
    },
    async patch(reference, patch) {
      return await send(await pathOf(reference), {
        method: "PATCH",
        body: patch,
        contentType: "application/merge-patch+json",
      });
    },
    async remove(reference) {
      return await send(await pathOf(reference), { method: "DELETE" });
    },
    async read(reference) {
      const answer = await send(await pathOf(reference));
      return answer.status === 404
        ? undefined
        : expectSuccess(answer, `reading ${nameOf(reference)}`).body;
    },
    async list(kind, namespace) {
      const answer = await send(await collectionOf(kind, namespace));
      const { body } = expectSuccess(answer, `listing ${kind.kind}`);
      // The items of a list leave out what its kind says.
      return (body["items"] as readonly KubernetesObject[]).map((item) =>
        Object.assign(item, kind),
      );
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}

async function answerOf(incoming: IncomingMessage): Promise<ApiAnswer> {
  const isJson = incoming.headers["content-type"]?.startsWith("application/json") ?? false;
  const body = isJson ? await json(incoming) : { message: await text(incoming) };
  const warnings = (incoming.headersDistinct["warning"] ?? []).map(warningOf);
  return { status: incoming.statusCode ?? 0, body: body as ApiAnswer["body"], warnings };
}

const rootOf = (apiVersion: string): string =>
  apiVersion.includes("/") ? `apis/${apiVersion}` : `api/${apiVersion}`;

/** `299 - "text"` as the API server writes it; the quoted text is escaped as RFC 9110 5.6.4 says. */
const warningOf = (header: string): string =>
  header.replace(/^299 \S+ "(.*)"$/s, "$1").replace(/\\(.)/gs, "$1");
