import type { KubernetesObject } from "../testing/cluster/api.ts";

/** Where an image stands in a Pod. */
export type Place = "containers" | "initContainers" | "volumes";

export interface PodOptions {
  readonly namespace: string;
  readonly image: string;
  /** Default `containers`; elsewhere it stands beside a container whose image is `beside`. */
  readonly place?: Place;
  readonly beside?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

let objects = 0;

/** Unique in a cluster of this process. */
const name = (kind: string): string => `${kind.toLowerCase()}-${(objects += 1)}`;

/** A Pod's spec with the image in its place. */
function podSpec({ image, place = "containers", beside = image }: Omit<PodOptions, "namespace">) {
  const first = { name: "app", image: place === "containers" ? image : beside };
  return {
    containers: [first],
    ...(place === "initContainers" && { initContainers: [{ name: "init", image }] }),
    ...(place === "volumes" && { volumes: [{ name: "data", image: { reference: image } }] }),
  };
}

export const pod = (options: PodOptions): KubernetesObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: name("Pod"), namespace: options.namespace, ...options.metadata },
  spec: podSpec(options),
});

/** Kinds that make Pods of a template. */
export const WORKLOADS = [
  "Deployment",
  "ReplicaSet",
  "DaemonSet",
  "StatefulSet",
  "ReplicationController",
  "Job",
  "CronJob",
] as const;
export type Workload = (typeof WORKLOADS)[number];

const API_VERSIONS: Readonly<Record<Workload, string>> = {
  Deployment: "apps/v1",
  ReplicaSet: "apps/v1",
  DaemonSet: "apps/v1",
  StatefulSet: "apps/v1",
  ReplicationController: "v1",
  Job: "batch/v1",
  CronJob: "batch/v1",
};

/** A workload of one Pod. */
export function workload(
  kind: Workload,
  options: PodOptions & { readonly replicas?: number },
): KubernetesObject {
  const labels = { app: name("app") };
  const isJob = kind === "Job" || kind === "CronJob";
  const template = {
    metadata: { labels },
    spec: { ...podSpec(options), ...(isJob && { restartPolicy: "Never" }) },
  };
  const selector = kind === "ReplicationController" ? labels : { matchLabels: labels };
  const spec =
    kind === "CronJob"
      ? { schedule: "0 0 1 1 *", jobTemplate: { spec: { template } } }
      : {
          ...(!isJob && { selector }),
          ...(!isJob && kind !== "DaemonSet" && { replicas: options.replicas ?? 1 }),
          ...(kind === "StatefulSet" && { serviceName: "none" }),
          template,
        };
  return {
    apiVersion: API_VERSIONS[kind],
    kind,
    metadata: { name: name(kind), namespace: options.namespace },
    spec,
  };
}
