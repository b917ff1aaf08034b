import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expectSuccess, type Api } from "./api.ts";
import { binary } from "./bare-control-plane.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { Process, Processes } from "./processes.ts";
import type { Wait } from "./wait.ts";

/** Gatekeeper's namespace. */
export const GATEKEEPER = "gatekeeper-system";

/** What needs other processes, not only another webhook configuration. Gatekeeper's default unless said otherwise. */
export interface ProcessSettings {
  /** Reviews at once. Gatekeeper's default is the number of processors. */
  readonly maxServingThreads?: number;
  /** How long it keeps what a provider answered, a Go duration; `0s` is off. Gatekeeper's default is `3m`. */
  readonly responseCacheTtl?: string;
  /** Default 5; Gatekeeper's own is 60. */
  readonly auditIntervalSeconds?: number;
}

const SETTINGS = ["maxServingThreads", "responseCacheTtl", "auditIntervalSeconds"] as const;

export const needsRestart = (former: ProcessSettings, next: ProcessSettings): boolean =>
  SETTINGS.some((name) => former[name] !== next[name]);

export interface GatekeeperProcessesOptions {
  readonly directory: string;
  readonly plane: ControlPlane;
  readonly processes: Processes;
  readonly wait: Wait;
  readonly ports: Readonly<Record<"webhook" | "webhookHealth" | "auditHealth", number>>;
  /** Directory of `tls.crt` and `tls.key`. */
  readonly certificates: string;
  /** A file in the place of /etc/hosts. */
  readonly hosts?: string;
}

/** The webhook process and the audit process, one generation after the other. */
export interface GatekeeperProcesses {
  /** Ends those that run, starts others, and waits until they are ready. */
  readonly run: (settings: ProcessSettings) => Promise<void>;
  readonly pods: () => readonly string[];
  readonly pids: () => { readonly webhook: number; readonly audit: number };
}

export function createGatekeeperProcesses(
  options: GatekeeperProcessesOptions,
): GatekeeperProcesses {
  const { directory, plane, processes, wait, ports, certificates, hosts } = options;
  const { api, kubeconfig } = plane;
  let generation = 0;
  let pods: readonly string[] = [];
  let running: readonly Process[] = [];

  const run: GatekeeperProcesses["run"] = async (settings) => {
    const former = pods;
    generation += 1;
    const [webhook, audit] = [`gatekeeper-webhook-${generation}`, `gatekeeper-audit-${generation}`];
    const cache = join(directory, audit);
    await mkdir(cache, { recursive: true });
    pods = [webhook, audit];
    await Promise.all(pods.map(async (name) => await createStandIn(api, name)));
    await Promise.all(running.map(async ({ stop }) => await stop()));
    const start = (name: string, args: readonly string[]): Process =>
      processes.start({
        name,
        ...within(hosts, binary("gatekeeper"), [
          `--kubeconfig=${kubeconfig}`,
          `--cert-dir=${certificates}`,
          ...flags(settings),
          ...args,
        ]),
        environment: { POD_NAME: name, POD_NAMESPACE: GATEKEEPER },
        graceMs: 5_000,
      });
    running = [
      start(webhook, [
        ...["webhook", "generate", "mutation-webhook"].map((name) => `--operation=${name}`),
        "--host=127.0.0.1",
        `--port=${ports.webhook}`,
        `--health-addr=127.0.0.1:${ports.webhookHealth}`,
      ]),
      start(audit, [
        ...["audit", "status", "mutation-status", "mutation-controller"].map(
          (name) => `--operation=${name}`,
        ),
        `--health-addr=127.0.0.1:${ports.auditHealth}`,
        `--audit-interval=${settings.auditIntervalSeconds ?? 5}`,
        "--audit-match-kind-only",
        `--api-cache-dir=${cache}`,
      ]),
    ];
    await wait(`${webhook} to be ready`, async () => await isReady(ports.webhookHealth), 60);
    await wait(`${audit} to be ready`, async () => await isReady(ports.auditHealth), 60);
    // Their status objects go with them; nobody waits for that.
    await Promise.all(former.map(async (name) => await api.remove(standIn(name))));
  };
  return {
    run,
    pods: () => pods,
    pids: () => ({ webhook: running[0]?.pid ?? 0, audit: running[1]?.pid ?? 0 }),
  };
}

const WITH_HOSTS = 'mount --bind "$1" /etc/hosts; shift; exec "$@"';

/** A program with a hosts file of its own, which whoever may have user namespaces can give it. It is the process that is started. */
function within(
  hosts: string | undefined,
  program: string,
  args: readonly string[],
): { readonly binary: string; readonly args: readonly string[] } {
  if (hosts === undefined) return { binary: program, args };
  const shell = ["sh", "-euc", WITH_HOSTS, "sh", hosts, program, ...args];
  return { binary: "unshare", args: ["--user", "--map-root-user", "--mount", ...shell] };
}

/** Flags of both processes that do not differ between them. */
function flags(settings: ProcessSettings): readonly string[] {
  const { maxServingThreads, responseCacheTtl } = settings;
  return [
    "--disable-cert-rotation",
    `--exempt-namespace=${GATEKEEPER}`,
    "--disable-opa-builtin=http.send",
    "--logtostderr",
    "--log-denies",
    "--shutdown-delay=0",
    // The metrics listener of the default backend cannot be bound to loopback. This one sends instead, to nobody.
    "--metrics-backend=opentelemetry",
    "--otlp-endpoint=127.0.0.1:1",
    "--otlp-metric-interval=24h",
    ...(maxServingThreads === undefined ? [] : [`--max-serving-threads=${maxServingThreads}`]),
    ...(responseCacheTtl === undefined
      ? []
      : [`--external-data-provider-response-cache-ttl=${responseCacheTtl}`]),
  ];
}

/**
 * Gatekeeper makes its status objects the property of the Pod that it believes to run in, and those of a Pod that does not
 * exist are collected as garbage. A process therefore has a Pod of its name, which kwok plays.
 */
const standIn = (name: string) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: GATEKEEPER, labels: { app: "gatekeeper" } },
  spec: {
    serviceAccountName: ACCOUNT.metadata.name,
    containers: [{ name: "manager", image: "stand-in.example/gatekeeper" }],
  },
});

async function createStandIn(api: Api, name: string): Promise<void> {
  expectSuccess(await api.create(standIn(name)), `creating Pod ${name}`);
}

async function isReady(port: number): Promise<true | undefined> {
  const signal = AbortSignal.timeout(5_000);
  const { status } = await fetch(`http://127.0.0.1:${port}/readyz`, { signal });
  return status === 200 ? true : undefined;
}

/** Made here, because the controller manager takes seconds to make the first one. */
export const ACCOUNT = {
  apiVersion: "v1",
  kind: "ServiceAccount",
  metadata: { name: "gatekeeper-admin", namespace: GATEKEEPER },
};
