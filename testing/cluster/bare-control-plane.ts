import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "../provider/start.ts";
import { type Api, createApi } from "./api.ts";
import { type User, writeCredentials, writeKubeconfigs } from "./credentials.ts";
import { freePorts } from "../ports.ts";
import type { Process, Processes } from "./processes.ts";
import type { Wait } from "./wait.ts";

export interface BareControlPlaneOptions {
  /** A private one: it holds keys and tokens. */
  readonly directory: string;
  readonly processes: Processes;
  readonly wait: Wait;
  /** Whether who asks for what is written down. */
  readonly isAudited?: boolean;
}

/** One request, as the API server saw it. */
export interface AuditedRequest {
  /** `system:serviceaccount:default:name` */
  readonly user: string;
  /** `get`, `list`, `watch`, `create`, `patch`, … */
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  /** Empty where a whole collection was asked for. */
  readonly name: string;
  readonly isAllowed: boolean;
}

/** etcd and the API server alone: objects, patches, watches and rights are the real ones, and nothing is done with them. */
export interface BareControlPlane {
  /** Of an administrator. */
  readonly api: Api;
  /** Paths, by user. */
  readonly kubeconfigs: Readonly<Record<User, string>>;
  /** Ends the API server, as a node that fails does. */
  readonly stopApiServer: () => Promise<void>;
  /** Starts it again at the same address, and waits until it answers. */
  readonly startApiServer: () => Promise<void>;
  /** What was asked for so far, where that is written down. */
  readonly audited: () => Promise<readonly AuditedRequest[]>;
}

export const binary = (name: string): string => join(ROOT, "tools/bin", name);

/** Every request, when it is answered or as its watch begins, without what was sent. */
const AUDIT_POLICY = JSON.stringify({
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived"],
  rules: [{ level: "Metadata" }],
});

/** Starts them on 127.0.0.1 and over TLS, and waits for the API server. Their data is gone when its processes are. */
export async function startBareControlPlane({
  directory,
  processes,
  wait,
  isAudited = false,
}: BareControlPlaneOptions): Promise<BareControlPlane> {
  const at = (name: string): string => join(directory, name);
  const ports = await freePorts("client", "peer", "api");
  const tokens = await writeCredentials(directory);
  const url = `https://127.0.0.1:${ports.api}`;
  const kubeconfigs = await writeKubeconfigs(directory, url, tokens);
  await writeFile(at("audit.yaml"), AUDIT_POLICY);

  startEtcd(processes, at, ports);
  const api = createApi({ url, ca: tokens.ca, token: tokens.of.admin });
  let server: Process;
  const start = async (): Promise<void> => {
    server = startApiServer(processes, at, ports, isAudited);
    await wait("the API server", async () =>
      (await api.send("/readyz")).status === 200 ? true : undefined,
    );
  };
  await start();
  return {
    api,
    kubeconfigs,
    stopApiServer: async () => await server.stop(),
    startApiServer: start,
    audited: async () => {
      const lines = (await readFile(at("audit.log"), "utf8")).split("\n");
      return lines.flatMap((line) => (line === "" ? [] : readAudit(JSON.parse(line) as Audit)));
    },
  };
}

/** What is read of an event of `audit.k8s.io/v1`. */
interface Audit {
  readonly user: { readonly username: string };
  readonly verb: string;
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource?: string;
    readonly name?: string;
  };
  readonly annotations?: Readonly<Record<string, string>>;
}

function readAudit({ user, verb, objectRef, annotations }: Audit): readonly AuditedRequest[] {
  if (objectRef === undefined) return [];
  const { apiGroup: group = "", resource = "", name = "" } = objectRef;
  const isAllowed = annotations?.["authorization.k8s.io/decision"] === "allow";
  return [{ user: user.username, verb, group, resource, name, isAllowed }];
}

type At = (name: string) => string;

function startEtcd(
  processes: Processes,
  at: At,
  ports: { readonly client: number; readonly peer: number },
): void {
  const client = `https://127.0.0.1:${ports.client}`;
  const peer = `https://127.0.0.1:${ports.peer}`;
  processes.start({
    name: "etcd",
    binary: binary("etcd"),
    args: [
      "--name=default",
      `--data-dir=${at("etcd")}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
      ...["", "peer-"].flatMap((side) => [
        `--${side}cert-file=${at("etcd.crt")}`,
        `--${side}key-file=${at("etcd.key")}`,
        `--${side}trusted-ca-file=${at("ca.crt")}`,
        `--${side}client-cert-auth`,
      ]),
      // The data is thrown away in any case.
      "--unsafe-no-fsync",
    ],
  });
}

function startApiServer(
  processes: Processes,
  at: At,
  ports: { readonly client: number; readonly api: number },
  isAudited: boolean,
): Process {
  return processes.start({
    name: "kube-apiserver",
    binary: binary("kube-apiserver"),
    args: [
      `--etcd-servers=https://127.0.0.1:${ports.client}`,
      `--etcd-cafile=${at("ca.crt")}`,
      `--etcd-certfile=${at("etcd.crt")}`,
      `--etcd-keyfile=${at("etcd.key")}`,
      "--bind-address=127.0.0.1",
      "--advertise-address=127.0.0.1",
      `--secure-port=${ports.api}`,
      `--tls-cert-file=${at("server.crt")}`,
      `--tls-private-key-file=${at("server.key")}`,
      `--cert-dir=${at("kube-apiserver")}`,
      `--token-auth-file=${at("tokens.csv")}`,
      "--anonymous-auth=false",
      "--authorization-mode=RBAC",
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-account-key-file=${at("accounts.pub")}`,
      `--service-account-signing-key-file=${at("accounts.key")}`,
      "--service-cluster-ip-range=10.96.0.0/16",
      "--endpoint-reconciler-type=none",
      "--profiling=false",
      ...(isAudited
        ? [`--audit-policy-file=${at("audit.yaml")}`, `--audit-log-path=${at("audit.log")}`]
        : []),
    ],
  });
}
