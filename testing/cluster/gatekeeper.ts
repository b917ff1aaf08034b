import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "node:tls";
import {
  createGatekeeperAuthority,
  gatekeeperName,
  type Authority,
  type Pair,
} from "../gatekeeper/certificates.ts";
import { createMount, type Mount } from "../gatekeeper/mount.ts";
import { expectSuccess, nameOf, type Api, type KubernetesObject } from "./api.ts";
import type { ControlPlane } from "./control-plane.ts";
import {
  ACCOUNT,
  createGatekeeperProcesses,
  GATEKEEPER,
  needsRestart,
  type ProcessSettings,
} from "./gatekeeper-processes.ts";
import type { ToolFiles } from "./modules.ts";
import { freePorts } from "../ports.ts";
import type { Processes } from "./processes.ts";
import type { Wait } from "./wait.ts";
import { configureWebhooks, type WebhookSettings } from "./webhooks.ts";

/** How Gatekeeper runs and how it is called. What is not given is its own default, unless said otherwise. */
export interface GatekeeperSettings extends WebhookSettings, ProcessSettings {}

export interface GatekeeperOptions {
  readonly directory: string;
  readonly plane: ControlPlane;
  readonly processes: Processes;
  readonly wait: Wait;
  readonly files: ToolFiles;
  readonly step: (line: string) => void;
  readonly settings: GatekeeperSettings;
  /** Its first one. */
  readonly authority: Authority;
  /** Where the provider finds the authority of its callers, as `ca.crt`. */
  readonly clientCa: Mount;
  /** Addresses that it finds names at, by name: what a cluster's DNS would tell it. */
  readonly hosts?: Readonly<Record<string, string>>;
}

/** Gatekeeper as the chart runs it, but once each: a webhook process and an audit process. */
export interface Gatekeeper extends AsyncDisposable {
  /** Names of the two processes: the `id` of their entries in `.status.byPod`. */
  readonly pods: () => readonly string[];
  /** Numbers of the two processes. */
  pids(): { readonly webhook: number; readonly audit: number };
  /** `https://127.0.0.1:<port>` of the webhook. */
  readonly url: string;
  /** The authority in force: issues other client certificates of the same CA. */
  authority(): Authority;
  /** The webhook's certificate, which is the client certificate at the provider. */
  certificate(): Pair;
  /**
   * Changes settings; what is not named goes back to what the cluster was started with. Other flags restart both
   * processes (their response caches are empty then), other webhook settings do not. Resolves when all is in force.
   */
  configure(settings: GatekeeperSettings): Promise<void>;
  /** Ends both processes and starts them anew, with empty response caches. */
  restart(): Promise<void>;
  /**
   * Replaces the certificate, as cert-controller does: the mounted files of Gatekeeper and of the provider change at
   * once, as does what the API server trusts. Resolves when the webhook shows the new certificate; what the provider
   * accepts follows by itself.
   * @param authority `new` for a new CA, `same` for another leaf of the one in force
   */
  rotate(authority: "new" | "same"): Promise<void>;
}

/** Starts Gatekeeper and waits until it refuses what it must. */
export async function startGatekeeper(options: GatekeeperOptions): Promise<Gatekeeper> {
  const { directory, plane, processes, wait, files, step, clientCa } = options;
  const { api } = plane;
  let { authority, settings } = options;
  let pair = await issue(authority);
  const certificates = await createMount(secret(authority, pair));
  const ports = await freePorts("webhook", "webhookHealth", "auditHealth");
  const hosts = options.hosts && (await writeHosts(directory, options.hosts));
  const url = `https://127.0.0.1:${ports.webhook}`;
  const both = createGatekeeperProcesses({
    directory,
    plane,
    processes,
    wait,
    ports,
    certificates: certificates.directory,
    ...(hosts !== undefined && { hosts }),
  });
  const run = async () => await both.run(settings);
  const configure = async (ca = authority.ca): Promise<void> => {
    const target = { url, ca };
    await configureWebhooks({ api, wait, chart: files.chart, target, settings });
  };
  const refuses = async (): Promise<void> => {
    await wait("Gatekeeper to refuse", async () => await refusesIgnoreLabel(api));
  };

  await install(api, wait, files.crds);
  step("Gatekeeper's kinds are there");
  await run();
  step("Gatekeeper is ready (webhook and audit)");
  await plane.settled();
  await configure();
  await refuses();
  return {
    pods: both.pods,
    pids: both.pids,
    url,
    authority: () => authority,
    certificate: () => pair,
    async configure(next) {
      const former = settings;
      settings = { ...options.settings, ...next };
      if (needsRestart(former, settings)) await run();
      await configure();
      await refuses();
    },
    async restart() {
      await run();
      await refuses();
    },
    async rotate(which) {
      const former = authority.ca;
      if (which === "new") authority = await createGatekeeperAuthority();
      pair = await issue(authority);
      await configure(former === authority.ca ? former : `${former}${authority.ca}`);
      await Promise.all([
        certificates.write(secret(authority, pair)),
        clientCa.write({ "ca.crt": authority.ca }),
      ]);
      const { fingerprint256 } = new X509Certificate(pair.cert);
      await wait("the webhook to show its new certificate", async () =>
        (await shownFingerprint(ports.webhook)) === fingerprint256 ? true : undefined,
      );
      await configure();
    },
    [Symbol.asyncDispose]: async () => await certificates[Symbol.asyncDispose](),
  };
}

/** @returns the path of a hosts file */
async function writeHosts(
  directory: string,
  hosts: Readonly<Record<string, string>>,
): Promise<string> {
  const path = join(directory, "hosts");
  const lines = Object.entries({ localhost: "127.0.0.1", ...hosts });
  await mkdir(directory, { recursive: true });
  await writeFile(path, lines.map(([name, address]) => `${address} ${name}\n`).join(""));
  return path;
}

/** Creates the CustomResourceDefinitions, the namespace and the service account. */
async function install(api: Api, wait: Wait, crds: readonly KubernetesObject[]): Promise<void> {
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: GATEKEEPER } };
  const create = async (object: KubernetesObject): Promise<void> => {
    expectSuccess(await api.create(object), `creating ${nameOf(object)}`);
  };
  await Promise.all([namespace, ...crds].map(create));
  await create(ACCOUNT);
  await Promise.all(
    crds.map(async (crd) => {
      await wait(`${nameOf(crd)} to be established`, async () => {
        const status = (await api.read(crd))?.["status"] as CrdStatus | undefined;
        return status?.conditions?.find(
          (row) => row.type === "Established" && row.status === "True",
        );
      });
    }),
  );
}

interface CrdStatus {
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
}

/** Beside the name that Gatekeeper has in a cluster it bears the address at which the API server calls it here. */
const issue = async (authority: Authority): Promise<Pair> =>
  await authority.issue({ name: gatekeeperName(GATEKEEPER), ip: ["127.0.0.1"] });

const secret = ({ ca }: Authority, { cert, key }: Pair): Readonly<Record<string, string>> => ({
  "ca.crt": ca,
  "tls.crt": cert,
  "tls.key": key,
});

/** Whether a namespace that would exempt itself is refused: the one thing that is refused without any policy. */
async function refusesIgnoreLabel(api: Api): Promise<true | undefined> {
  const metadata = { name: "not-exempt", labels: { "admission.gatekeeper.sh/ignore": "yes" } };
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata };
  const { body } = await api.create(namespace, { dryRun: true });
  return body.message?.includes("check-ignore-label.gatekeeper.sh") &&
    body.message.includes("denied the request")
    ? true
    : undefined;
}

async function shownFingerprint(port: number): Promise<string> {
  // Whose it is, is what is asked here.
  const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
  try {
    await once(socket, "secureConnect");
    return socket.getPeerCertificate().fingerprint256;
  } finally {
    socket.destroy();
  }
}
