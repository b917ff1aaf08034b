/**
 * A real control plane with a real Gatekeeper, a registry and the provider, as processes on loopback.
 *
 *   const cluster = await startCluster();
 *   after(async () => await cluster[Symbol.asyncDispose]());
 *   await cluster.namespaces("demo");
 *   await cluster.applyFile(TEMPLATE);
 *   await cluster.established(KIND);
 *   await cluster.apply(podConstraint({ name: "signed-images", namespaces: ["demo"], registry: cluster.registry.host }));
 *   await cluster.enforced(KIND, "signed-images");
 *   await cluster.api.create(podOf({ name: "a", namespace: "demo", image: cluster.samples.unsigned })); // status 403
 *
 * It is started once for many tests: Gatekeeper, the webhooks, the provider and the rates of the controllers can be
 * changed while it runs. A signal ends it, and this process with it; so does any other end of this process but SIGKILL.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createGatekeeperAuthority } from "../gatekeeper/certificates.ts";
import { expectSuccess, nameOf, type Api, type KubernetesObject } from "./api.ts";
import { startControlPlane, type ControlPlane, type Rates } from "./control-plane.ts";
import { startGatekeeper, type Gatekeeper, type GatekeeperSettings } from "./gatekeeper.ts";
import { kubectl, type Ran } from "./kubectl.ts";
import { createLifetime, type Lifetime } from "./lifetime.ts";
import { parseDocuments, readToolFiles } from "./modules.ts";
import { providerOf } from "./policy.ts";
import type { ProviderSettings } from "./provider.ts";
import { statusOf, type StatusWaits } from "./status.ts";
import { startSupply, type Supply } from "./supply.ts";
import type { Wait } from "./wait.ts";

export interface ClusterOptions {
  readonly gatekeeper?: GatekeeperSettings;
  /** Default Kubernetes' own rates. */
  readonly rates?: Rates;
  /** Default 4, each with room for 1000 Pods. */
  readonly nodes?: number;
  /** Merged over the provider's configuration, section by section. */
  readonly provider?: ProviderSettings["overrides"];
  /** Addresses by name that Gatekeeper is to know, as from a cluster's DNS. This needs user namespaces. */
  readonly hosts?: Readonly<Record<string, string>>;
  /** Told of each step. */
  readonly progress?: (line: string) => void;
}

/** Where Gatekeeper finds the provider. */
export interface ProviderTarget {
  /** Default the cluster's own provider. */
  readonly url?: string;
  /** PEM of its CA. */
  readonly ca?: string;
  /** Whole seconds of the Provider objects: default 2 for `notation` and 1 for `notation-digest`. */
  readonly timeoutSeconds?: number;
}

export interface Cluster extends Supply, StatusWaits, AsyncDisposable {
  readonly api: Api;
  /** A file, of an administrator. */
  readonly kubeconfig: string;
  /** The directory of the logs: one file for each process. They are removed in the end, unless something failed. */
  readonly logs: string;
  /** Holds `notation/`, `trust/` and `home/` among other things. */
  readonly directory: string;
  readonly gatekeeper: Gatekeeper;
  readonly wait: Wait;
  kubectl(...args: readonly string[]): Promise<Ran>;
  /** Server-side apply, one after the other. @throws Error with the API's message at the first refusal */
  apply(...objects: readonly KubernetesObject[]): Promise<void>;
  /** The same with the objects of a YAML file. */
  applyFile(path: string): Promise<void>;
  /** Creates namespaces and waits until Pods can be created in them. */
  namespaces(...names: readonly string[]): Promise<void>;
  /** Leads the Provider objects `notation` and `notation-digest` somewhere, and waits until both Gatekeepers go there. */
  point(target?: ProviderTarget): Promise<void>;
  readonly setRates: ControlPlane["setRates"];
  /** Logs stay behind: for a test that failed. */
  readonly keepLogs: () => void;
  /** Rejects when a process ends that nobody stopped; the error says where the logs are. */
  readonly ended: Promise<never>;
}

/**
 * Starts everything, in some ten seconds.
 * @throws Error when a process ends (a binary is missing: `make cluster-tools`) or a wait is in vain; it says where the
 *   logs are
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const lifetime = await createLifetime(options.progress ?? (() => undefined));
  return await lifetime.start(async () => {
    const cluster = await compose(lifetime, options);
    await cluster.point();
    lifetime.step("Gatekeeper calls the provider");
    return cluster;
  });
}

async function compose(lifetime: Lifetime, options: ClusterOptions): Promise<Cluster> {
  const { state, home, logs, processes, wait, parts, step } = lifetime;
  const authority = await createGatekeeperAuthority();
  const files = await readToolFiles();
  const startPlane = async (): Promise<ControlPlane> => {
    const plane = await startControlPlane({
      directory: join(state, "control-plane"),
      processes,
      wait,
      step,
      nodes: options.nodes ?? 4,
      rates: options.rates ?? {},
      stages: files.stages,
    });
    parts.use(plane.api);
    return plane;
  };
  const [plane, supply] = await lifetime.all([
    startPlane(),
    startSupply(lifetime, authority, options.provider),
  ]);
  const { api, kubeconfig } = plane;
  const gatekeeper = await startGatekeeper({
    directory: join(state, "gatekeeper"),
    plane,
    processes,
    wait,
    step,
    files,
    settings: options.gatekeeper ?? {},
    authority,
    clientCa: supply.clientCa,
    ...(options.hosts !== undefined && { hosts: options.hosts }),
  });
  parts.use(gatekeeper);
  const status = statusOf({ api, wait, pods: gatekeeper.pods });

  const apply: Cluster["apply"] = async (...objects) => {
    for (const object of objects) {
      expectSuccess(await api.apply(object), `applying ${nameOf(object)}`);
    }
  };
  return {
    ...supply,
    ...status,
    api,
    kubeconfig,
    logs,
    directory: state,
    gatekeeper,
    wait,
    setRates: plane.setRates,
    keepLogs: lifetime.keepLogs,
    ended: lifetime.ended,
    kubectl: async (...args) => await kubectl({ kubeconfig, home }, args),
    apply,
    applyFile: async (path) => await apply(...parseDocuments(await readFile(path, "utf8"))),
    async namespaces(...names) {
      await apply(...names.map(namespaceOf));
      await Promise.all(names.map(plane.serviceAccount));
    },
    async point(target) {
      const objects = providerObjects({ ...supply.provider, ...target });
      await apply(...objects);
      await Promise.all(objects.map(async ({ metadata }) => await status.active(metadata.name)));
    },
    [Symbol.asyncDispose]: lifetime.end,
  };
}

const namespaceOf = (name: string): KubernetesObject => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name },
});

/** The two Provider objects of docs/gatekeeper.md. */
function providerObjects(target: ProviderTarget & { readonly ca: string }): KubernetesObject[] {
  const { url, ca, timeoutSeconds } = target;
  const caBundle = Buffer.from(ca).toString("base64");
  const rows = [
    { name: "notation", path: "/validate", timeout: 2 },
    { name: "notation-digest", path: "/mutate", timeout: 1 },
  ];
  return rows.map(({ name, path, timeout }) => {
    const spec = { url: `${url}${path}`, timeout: timeoutSeconds ?? timeout, caBundle };
    return Object.assign(providerOf(name), { spec });
  });
}
