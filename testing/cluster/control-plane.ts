import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expectSuccess, type Api, type KubernetesObject } from "./api.ts";
import { binary, startBareControlPlane } from "./bare-control-plane.ts";
import type { User } from "./credentials.ts";
import type { Process, Processes } from "./processes.ts";
import type { Wait } from "./wait.ts";

/** How fast a client of the API server may be, requests per second. Kubernetes' own default unless given. */
export interface Rate {
  readonly qps: number;
  readonly burst: number;
}

/** Rates of the two that make and place Pods. */
export interface Rates {
  readonly controllerManager?: Rate;
  readonly scheduler?: Rate;
}

export interface ControlPlaneOptions {
  /** A private one: it holds keys and tokens. */
  readonly directory: string;
  readonly processes: Processes;
  readonly wait: Wait;
  readonly step: (line: string) => void;
  readonly nodes: number;
  readonly rates: Rates;
  /** YAML of kwok's stages. */
  readonly stages: string;
}

/** etcd, the API server, the controller manager, the scheduler, and nodes that kwok plays. */
export interface ControlPlane {
  /** Of an administrator, as {@link kubeconfig} is. */
  readonly api: Api;
  /** A file. */
  readonly kubeconfig: string;
  /** Waits until Pods can be created in a namespace: admission wants its service account. */
  readonly serviceAccount: (namespace: string) => Promise<void>;
  /** Waits until nodes are ready and the controllers work: what webhooks that do not answer yet would hold up. */
  readonly settled: () => Promise<void>;
  /** Restarts the controller manager and the scheduler, and waits until the former works. */
  readonly setRates: (rates: Rates) => Promise<void>;
}

/**
 * Starts the control plane, everything on 127.0.0.1 and over TLS, and waits for the API server. Its data is gone when its processes are.
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { directory, processes, wait, step, nodes } = options;
  const at = (name: string): string => join(directory, name);
  const { api, kubeconfigs } = await startBareControlPlane({ directory, processes, wait });
  step("etcd and the API server answer");

  const controllers = startControllers(processes, at, kubeconfigs, options.rates);
  await writeFile(at("stages.yaml"), options.stages);
  processes.start({
    name: "kwok",
    binary: binary("kwok"),
    args: [
      `--kubeconfig=${kubeconfigs.kwok}`,
      `--config=${at("stages.yaml")}`,
      "--manage-all-nodes",
      // Otherwise the nodes count as lost after 40 s, and their Pods as not ready.
      "--node-lease-duration-seconds=40",
    ],
  });
  await createNodes(api, nodes);
  const serviceAccount: ControlPlane["serviceAccount"] = async (namespace) => {
    const metadata = { name: "default", namespace };
    await wait(
      `the service account of namespace ${namespace}`,
      async () => await api.read({ apiVersion: "v1", kind: "ServiceAccount", metadata }),
    );
  };
  return {
    api,
    kubeconfig: kubeconfigs.admin,
    serviceAccount,
    async settled() {
      await Promise.all(["default", "kube-system"].map(serviceAccount));
      await wait(`${nodes} nodes that are ready`, async () => {
        const all = await api.list({ apiVersion: "v1", kind: "Node" });
        return all.filter(isReady).length === nodes ? true : undefined;
      });
    },
    async setRates(rates) {
      await Promise.all(controllers.splice(0).map(async ({ stop }) => await stop()));
      controllers.push(...startControllers(processes, at, kubeconfigs, rates));
      const name = `rates-${Date.now()}`;
      const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
      expectSuccess(await api.create(namespace), `creating namespace ${name}`);
      await serviceAccount(name);
      await api.remove(namespace);
    },
  };
}

function isReady(node: KubernetesObject): boolean {
  const status = node["status"] as
    | { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
    | undefined;
  return (
    status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false
  );
}

function startControllers(
  processes: Processes,
  at: (name: string) => string,
  kubeconfigs: Readonly<Record<User, string>>,
  rates: Rates,
): Process[] {
  const common = (user: User): readonly string[] => [
    `--kubeconfig=${kubeconfigs[user]}`,
    "--leader-elect=false",
    // They serve nothing that is needed here.
    "--secure-port=0",
  ];
  return [
    processes.start({
      name: "kube-controller-manager",
      binary: binary("kube-controller-manager"),
      args: [
        ...common("kube-controller-manager"),
        "--use-service-account-credentials=true",
        `--service-account-private-key-file=${at("accounts.key")}`,
        `--root-ca-file=${at("ca.crt")}`,
        ...limits(rates.controllerManager),
      ],
    }),
    processes.start({
      name: "kube-scheduler",
      binary: binary("kube-scheduler"),
      args: [...common("kube-scheduler"), ...limits(rates.scheduler)],
    }),
  ];
}

const limits = (rate: Rate | undefined): readonly string[] =>
  rate === undefined ? [] : [`--kube-api-qps=${rate.qps}`, `--kube-api-burst=${rate.burst}`];

async function createNodes(api: Api, nodes: number): Promise<void> {
  const capacity = { cpu: "64", memory: "256Gi", pods: "1000" };
  const names = Array.from({ length: nodes }, (_, index) => `node-${index}`);
  await Promise.all(
    names.map(async (name) => {
      const node = {
        apiVersion: "v1",
        kind: "Node",
        metadata: { name, labels: { "kubernetes.io/hostname": name, type: "kwok" } },
        status: { capacity, allocatable: capacity },
      };
      expectSuccess(await api.create(node), `creating node ${name}`);
    }),
  );
}
