import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expectSuccess, type Api } from "../cluster/api.ts";
import { startContainer, type BindMount, type Container } from "./container.ts";
import type { Image } from "./image.ts";

/** What a kubelet reads of a Pod's spec; anything else in it makes {@link startPod} refuse it. */
export interface PodSpec {
  readonly containers: readonly ContainerSpec[];
  readonly volumes?: readonly Volume[];
  readonly securityContext?: { readonly runAsUser?: number; readonly fsGroup?: number };
  readonly terminationGracePeriodSeconds?: number;
  readonly serviceAccountName?: string;
  readonly [member: string]: unknown;
}

interface ContainerSpec {
  readonly name: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts?: readonly VolumeMount[];
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly securityContext?: { readonly readOnlyRootFilesystem?: boolean };
  readonly [member: string]: unknown;
}

interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
}

interface Item {
  readonly key: string;
  readonly path: string;
}

interface ConfigMapSource {
  readonly name: string;
  readonly items?: readonly Item[];
}

interface Projection {
  readonly serviceAccountToken?: { readonly path: string; readonly expirationSeconds?: number };
  readonly configMap?: ConfigMapSource;
}

interface Volume {
  readonly name: string;
  readonly configMap?: ConfigMapSource;
  readonly secret?: {
    readonly secretName: string;
    readonly items?: readonly Item[];
    readonly defaultMode?: number;
  };
  readonly projected?: { readonly sources: readonly Projection[]; readonly defaultMode?: number };
  readonly emptyDir?: { readonly medium?: string; readonly sizeLimit?: string };
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string | number };
  readonly periodSeconds?: number;
  readonly failureThreshold?: number;
}

export interface PodOptions {
  readonly api: Api;
  readonly namespace: string;
  readonly image: Image;
  readonly spec: PodSpec;
  /** Of the Pod, where its probes go. Default 127.0.0.1; the container listens where its arguments say. */
  readonly address?: string;
}

/** A Pod that runs as a container of this machine, on this machine's network. */
export interface RunningPod extends AsyncDisposable {
  readonly container: Container;
  /** Whether a probe succeeds now. */
  probe(which: "startupProbe" | "livenessProbe" | "readinessProbe"): Promise<boolean>;
  /** Asks the startup probe, then the readiness probe, as often as the spec says. @throws Error with the output when it fails */
  ready(): Promise<void>;
  /** SIGTERM, and SIGKILL after the time that the spec gives. @returns the exit code */
  stop(): Promise<number>;
}

/** Of a kubelet: mode of files of a volume that says none. */
const DEFAULT_MODE = 0o644;

/** What a kubelet puts into every container's environment. There is no Service network here, so it is the API server itself. */
function kubernetesOf(api: Api): Readonly<Record<string, string>> {
  const { hostname, port } = new URL(api.url);
  return { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
}

/**
 * Starts the one container of a Pod as a kubelet would: its volumes from the API, its user, its command over that of the
 * image, its environment and nothing else. Resources are not bounded and networks not separated.
 * @throws Error when the spec has what this does not know, or names what is not there
 */
export async function startPod(options: PodOptions): Promise<RunningPod> {
  const { api, image, spec, address = "127.0.0.1" } = options;
  const [container, ...others] = spec.containers;
  if (container === undefined || others.length > 0) throw new Error("a Pod of one container");
  if (container.securityContext?.readOnlyRootFilesystem !== true) {
    throw new Error("only a container with a read-only root");
  }
  const directory = await mkdtemp(join(tmpdir(), "pod-"));
  await chmod(directory, 0o755);
  const user = spec.securityContext?.runAsUser ?? 0;
  const hasGroup = spec.securityContext?.fsGroup !== undefined;
  const memory = new Map<string, number>();
  const mounts: BindMount[] = [];
  const volumes = new Map(spec.volumes?.map((volume) => [volume.name, volume]));
  for (const { name, mountPath, readOnly } of container.volumeMounts ?? []) {
    const volume = volumes.get(name);
    if (volume === undefined) throw new Error(`no volume ${name}`);
    if (volume.emptyDir !== undefined) {
      memory.set(mountPath, bytesOf(volume.emptyDir));
      continue;
    }
    if (readOnly !== true) throw new Error(`volume ${name} can be written`);
    const source = join(directory, name);
    await writeVolume(source, await filesOf(volume, options), {
      hasGroup,
      mode: (volume.secret ?? volume.projected)?.defaultMode ?? DEFAULT_MODE,
    });
    mounts.push({ source, target: mountPath });
  }
  const environment = Object.fromEntries(
    (container.env ?? []).map(({ name, value = "" }) => [name, value]),
  );
  const command = container.command ?? image.entrypoint;
  const args = container.args ?? (container.command === undefined ? image.command : []);
  const running = startContainer({
    root: image.root,
    command: [...command, ...args],
    environment: { ...kubernetesOf(api), ...environment },
    user,
    mounts,
    memory,
  });

  const probe: RunningPod["probe"] = async (which) => {
    const { httpGet } = container[which] ?? {};
    if (httpGet === undefined) return true;
    const port =
      container.ports?.find(({ name }) => name === httpGet.port)?.containerPort ?? httpGet.port;
    try {
      return (await fetch(`http://${address}:${port}${httpGet.path}`)).ok;
    } catch {
      return false;
    }
  };
  const until = async (which: "startupProbe" | "readinessProbe"): Promise<void> => {
    const { periodSeconds = 10, failureThreshold = 3 } = container[which] ?? {};
    const deadline = performance.now() + Math.max(30, periodSeconds * failureThreshold) * 1000;
    let isEnded = false;
    void running.ended.then(() => (isEnded = true));
    while (!(await probe(which))) {
      if (isEnded || performance.now() > deadline) {
        throw new Error(`${which} of ${container.name} fails:\n${running.output()}`);
      }
      await setTimeout(50);
    }
  };
  return {
    container: running,
    probe,
    async ready() {
      await until("startupProbe");
      await until("readinessProbe");
    },
    async stop() {
      running.signal("SIGTERM");
      const grace = new AbortController();
      const seconds = spec.terminationGracePeriodSeconds ?? 30;
      void setTimeout(seconds * 1000, undefined, { signal: grace.signal }).then(
        () => running.signal("SIGKILL"),
        () => undefined,
      );
      const code = await running.ended;
      grace.abort();
      return code;
    },
    [Symbol.asyncDispose]: async () => {
      await running[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function bytesOf({ medium, sizeLimit = "" }: NonNullable<Volume["emptyDir"]>): number {
  const [, amount, unit] = /^(\d+)(Mi|Gi)$/.exec(sizeLimit) ?? [];
  if (medium !== "Memory" || amount === undefined)
    throw new Error("an emptyDir in memory, bounded");
  return Number(amount) * 1024 ** (unit === "Gi" ? 3 : 2);
}

type Files = ReadonlyMap<string, Buffer>;
type Place = Pick<PodOptions, "api" | "namespace" | "spec">;

/** The files of a volume, path and content. */
async function filesOf(
  { name, configMap, secret, projected }: Volume,
  place: Place,
): Promise<Files> {
  if (configMap !== undefined) return await keysOf("ConfigMap", configMap, place);
  if (secret !== undefined) {
    return await keysOf("Secret", { ...secret, name: secret.secretName }, place);
  }
  const parts = projected?.sources.map(async (source) => {
    const { serviceAccountToken: token } = source;
    if (token !== undefined) return await tokenOf(token, place);
    if (source.configMap !== undefined) return await keysOf("ConfigMap", source.configMap, place);
    throw new Error(`volume ${name} has a source that is not known here`);
  });
  if (parts === undefined) throw new Error(`volume ${name} is of a kind that is not known here`);
  const files = await Promise.all(parts);
  return new Map(files.flatMap((each) => each.entries().toArray()));
}

async function keysOf(
  kind: "ConfigMap" | "Secret",
  { name, items }: ConfigMapSource,
  { api, namespace }: Place,
): Promise<Files> {
  const object = await api.read({ apiVersion: "v1", kind, metadata: { name, namespace } });
  if (object === undefined) throw new Error(`no ${kind} ${name}`);
  const data = (object["data"] ?? {}) as Readonly<Record<string, string>>;
  const wanted = items ?? Object.keys(data).map((key) => ({ key, path: key }));
  return new Map(
    wanted.map(({ key, path }) => {
      const text = data[key];
      if (text === undefined) throw new Error(`${kind} ${name} has no key ${key}`);
      return [path, Buffer.from(text, kind === "Secret" ? "base64" : "utf8")];
    }),
  );
}

/** A token of the Pod's account, as a kubelet asks for it. Here it is not bound to the Pod, and not replaced before it ends. */
async function tokenOf(
  { path, expirationSeconds }: NonNullable<Projection["serviceAccountToken"]>,
  { api, namespace, spec }: Place,
): Promise<Files> {
  const account = spec.serviceAccountName ?? "default";
  const { body } = expectSuccess(
    await api.send(`/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`, {
      method: "POST",
      body: {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: { expirationSeconds },
      },
    }),
    `a token of ${account}`,
  );
  const { token } = body["status"] as { readonly token: string };
  return new Map([[path, Buffer.from(token)]]);
}

/**
 * As kubelet lays it out: the files in a hidden folder, and links to what is at its top. There root owns them, and the
 * container's user may what the group of the Pod's files may, or everybody if there is no such group. Here that user
 * owns them, so the owner is given just that.
 */
async function writeVolume(
  folder: string,
  files: Files,
  { hasGroup, mode }: { readonly hasGroup: boolean; readonly mode: number },
): Promise<void> {
  const own = hasGroup ? (mode & 0o070) << 3 : (mode & 0o007) << 6;
  const data = join(folder, "..1");
  await mkdir(data, { recursive: true });
  await symlink("..1", join(folder, "..data"));
  for (const [path, content] of files) {
    const file = join(data, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
    await chmod(file, own);
  }
  const tops = new Set([...files.keys()].map((path) => path.split("/", 1)[0] ?? ""));
  for (const top of tops) await symlink(join("..data", top), join(folder, top));
}
