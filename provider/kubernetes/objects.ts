import { z } from "zod";
import { certificatesOf } from "../lib/pem.ts";
import { validityOf } from "../lib/validity.ts";
import type { ApiAnswer, KubernetesClient } from "./client.ts";
import type { ProviderObject } from "./plan.ts";
import { readState, type State, writeState } from "./state.ts";

/** What can fail, the closed list that the metric and the log share. */
export const FAILURES = [
  "secret_read",
  "secret_write",
  "provider_read",
  "provider_write",
  "provider_missing",
  "client_ca_read",
  "client_ca_missing",
  "clock",
  "internal",
] as const;
export type Failure = (typeof FAILURES)[number];

/** A request that failed. The message is the API's own reason, a status, or a code of the connection: nothing secret. */
export class ApiFailure extends Error {
  override readonly name = "ApiFailure";
  readonly failure: Failure;
  constructor(failure: Failure, message: string) {
    super(message);
    this.failure = failure;
  }
}

/** Where the objects are. */
export interface Places {
  /** The provider's own Secret. */
  readonly secret: { readonly namespace: string; readonly name: string };
  /** The Secret of Gatekeeper's webhook; of its keys only this one is looked at. */
  readonly clientCA: { readonly namespace: string; readonly name: string; readonly key: string };
  /** Names of the Provider objects. */
  readonly providers: readonly string[];
}

/** The provider's own Secret: a state, or something that is none. */
export type SecretObject =
  | { readonly kind: "state"; readonly state: State; readonly version: string }
  | { readonly kind: "broken"; readonly version: string };

/** The objects of the cluster that certificates are about. All of them throw {@link ApiFailure}. */
export interface Objects {
  /** Those that exist. */
  readProviders(signal: AbortSignal): Promise<readonly ProviderObject[]>;
  /** @returns undefined when there is none; `at` is when the API server said so, by its own clock */
  readSecret(signal: AbortSignal): Promise<{
    readonly found: SecretObject | undefined;
    readonly at: number | undefined;
  }>;
  /**
   * Writes the Secret on condition that its version is still this one, or that there is none.
   * @returns whether it was; if not, another replica was faster
   */
  writeSecret(state: State, version: string | undefined, signal: AbortSignal): Promise<boolean>;
  /**
   * Puts a bundle into a Provider object on condition that its version is still the one read.
   * @returns whether it was
   */
  applyBundle(provider: ProviderObject, bundle: string, signal: AbortSignal): Promise<boolean>;
  /** PEM of the CA of Gatekeeper's client certificate. */
  readClientCA(signal: AbortSignal): Promise<string>;
  /** Collections to watch, each with the one name that matters. */
  readonly watched: readonly string[];
}

/** The owner of `spec.caBundle` in the eyes of the API server. */
const FIELD_MANAGER = "notation-provider";
const PROVIDER_VERSION = "externaldata.gatekeeper.sh/v1beta1";
const PROVIDERS = `/apis/${PROVIDER_VERSION}/providers`;

const Metadata = z.object({ resourceVersion: z.string() });
const Secret = z.object({
  metadata: Metadata,
  data: z.record(z.string(), z.string()).nullish(),
});
const Provider = z.object({
  metadata: Metadata.extend({ name: z.string(), generation: z.int().default(0) }),
  spec: z.object({ caBundle: z.string().default("") }),
  status: z
    .object({
      byPod: z
        .array(
          z.object({ active: z.boolean().default(true), observedGeneration: z.int().default(0) }),
        )
        .default([]),
    })
    .nullish(),
});

export function createObjects(
  client: Pick<KubernetesClient, "send">,
  { secret, clientCA, providers }: Places,
): Objects {
  const secrets = secretsOf(secret.namespace);
  return {
    async readProviders(signal) {
      const answers = await Promise.all(
        providers.map(async (name) => await client.send({ path: `${PROVIDERS}/${name}` }, signal)),
      );
      return answers
        .filter((answer) => !isRefusedAs(answer, "NotFound"))
        .map((answer) => readProvider(answer));
    },
    async readSecret(signal) {
      const answer = await client.send({ path: `${secrets}/${secret.name}` }, signal);
      const at = answer.kind === "unreachable" ? undefined : answer.at;
      if (isRefusedAs(answer, "NotFound")) return { found: undefined, at };
      const { metadata, data } = expectBody(answer, Secret, "secret_read");
      const state = readState(data ?? {});
      const version = metadata.resourceVersion;
      const found: SecretObject =
        state === undefined ? { kind: "broken", version } : { kind: "state", state, version };
      return { found, at };
    },
    async writeSecret(state, version, signal) {
      const data = writeState(state);
      const answer =
        version === undefined
          ? await client.send(
              { method: "POST", path: secrets, body: newSecret(secret.name, data) },
              signal,
            )
          : await client.send(
              {
                method: "PATCH",
                path: `${secrets}/${secret.name}`,
                body: { metadata: { resourceVersion: version }, data },
                // RFC 7386; null removes a key.
                contentType: "application/merge-patch+json",
              },
              signal,
            );
      return isDone(answer, "secret_write");
    },
    async applyBundle({ name, version }, bundle, signal) {
      const answer = await client.send(
        {
          method: "PATCH",
          path: `${PROVIDERS}/${name}?fieldManager=${FIELD_MANAGER}&force=true`,
          body: {
            apiVersion: PROVIDER_VERSION,
            kind: "Provider",
            metadata: { name, resourceVersion: version },
            spec: { caBundle: bundle },
          },
          // Server-side apply; JSON is YAML.
          contentType: "application/apply-patch+yaml",
        },
        signal,
      );
      return isDone(answer, "provider_write");
    },
    async readClientCA(signal) {
      const path = `${secretsOf(clientCA.namespace)}/${clientCA.name}`;
      const answer = await client.send({ path }, signal);
      const { data } = expectBody(answer, Secret, "client_ca_read");
      const pem = Buffer.from(data?.[clientCA.key] ?? "", "base64").toString("latin1");
      if (certificatesOf(pem).length > 0) return pem;
      throw new ApiFailure("client_ca_missing", "no certificate under the key");
    },
    watched: [
      one(secrets, secret.name),
      one(secretsOf(clientCA.namespace), clientCA.name),
      ...providers.map((name) => one(PROVIDERS, name)),
    ],
  };
}

const secretsOf = (namespace: string): string => `/api/v1/namespaces/${namespace}/secrets`;

/** By its name, which is also how a Role that is limited to the name allows it. */
const one = (collection: string, name: string): string =>
  `${collection}?fieldSelector=metadata.name%3D${name}`;

/** Without labels: it was Helm's, which adds its own again, and finds no conflict then. */
const newSecret = (name: string, data: ReturnType<typeof writeState>) => ({
  apiVersion: "v1",
  kind: "Secret",
  type: "Opaque",
  metadata: { name },
  data: Object.fromEntries(Object.entries(data).filter(([, value]) => value !== null)),
});

function readProvider(answer: ApiAnswer): ProviderObject {
  const { metadata, spec, status } = expectBody(answer, Provider, "provider_read");
  const reports = status?.byPod ?? [];
  const bundle = certificatesOf(Buffer.from(spec.caBundle, "base64").toString("latin1"));
  return {
    name: metadata.name,
    version: metadata.resourceVersion,
    bundle: spec.caBundle,
    authorities: bundle
      .filter(({ ca }) => ca)
      .map((each) => ({ certificate: each.toString(), ends: validityOf(each)?.ends ?? 0 })),
    isIngested:
      reports.length > 0 &&
      reports.every(
        ({ active, observedGeneration }) => active && observedGeneration >= metadata.generation,
      ),
  };
}

const isRefusedAs = (answer: ApiAnswer, ...reasons: readonly string[]): boolean =>
  answer.kind === "refused" && reasons.includes(answer.reason);

/** @returns false when another was faster. @throws ApiFailure at any other refusal */
function isDone(answer: ApiAnswer, failure: Failure): boolean {
  // What was there when it was read, and is not any more, is a change as well.
  if (isRefusedAs(answer, "Conflict", "AlreadyExists", "NotFound")) return false;
  expectBody(answer, z.unknown(), failure);
  return true;
}

function expectBody<T>(answer: ApiAnswer, schema: z.ZodType<T>, failure: Failure): T {
  switch (answer.kind) {
    case "unreachable":
      throw new ApiFailure(failure, answer.problem);
    case "refused":
      throw new ApiFailure(
        failure,
        answer.reason === "" ? `status ${answer.status}` : answer.reason,
      );
    case "ok": {
      const parsed = schema.safeParse(answer.body);
      if (parsed.success) return parsed.data;
      throw new ApiFailure(failure, "not what the API documents");
    }
  }
}
