import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import { join } from "node:path";
import type { Authority, Pair } from "../gatekeeper/certificates.ts";
import { issueServing } from "../gatekeeper/certificates.ts";
import type { Mount } from "../gatekeeper/mount.ts";
import { listen } from "../loopback.ts";
import { startProvider, type RunningProvider } from "../provider/start.ts";
import { freePorts } from "../ports.ts";

/** What a provider of the cluster is told beside its certificates and its port. */
export interface ProviderSettings {
  /** A directory in Notation's own layout. */
  readonly trust: string;
  /** Members of `registries` as the configuration file has them. */
  readonly registries: readonly Readonly<Record<string, unknown>>[];
  /** Merged over the configuration, section by section. */
  readonly overrides?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** More in its environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /** A module, loaded before everything else. */
  readonly preload?: string;
}

export interface ClusterProviderOptions {
  readonly directory: string;
  readonly logs: string;
  readonly settings: ProviderSettings;
  /** Signs its serving certificate; the `caBundle` of the Provider objects. */
  readonly authority: Authority;
  /** Holds `ca.crt`: the authority of Gatekeeper's certificate. */
  readonly clientCa: Mount;
  /** Told of each process, so that it can be ended in an emergency. */
  readonly onStart: (pid: number) => void;
}

/** The provider of the cluster, a process of its own at an address that stays the same. */
export interface ClusterProvider extends AsyncDisposable {
  /** `https://127.0.0.1:<port>` */
  readonly url: string;
  /** PEM of its CA. */
  readonly ca: string;
  /** The running process. @throws Error while it is stopped */
  process(): RunningProvider;
  /** Ends it as Kubernetes does. Its port is free then. Nothing when it is stopped already. */
  stop(): Promise<void>;
  /** Starts it, with these settings over those that the cluster was started with. @throws Error while it runs */
  start(settings?: Partial<ProviderSettings>): Promise<void>;
  restart(settings?: Partial<ProviderSettings>): Promise<void>;
  /** Halts the process, its connections stay open (SIGSTOP). */
  pause(): void;
  resume(): void;
  /** Starts a further one at an address of its own, with the same certificates: a replica. */
  replicate(settings?: Partial<ProviderSettings>): Promise<RunningProvider>;
  /** Takes the provider's place while it is stopped. */
  impersonate(impostor?: Impostor): Promise<AsyncDisposable>;
}

/** What answers in the provider's place. */
export interface Impostor {
  /** Default one that the provider's CA issued, which is as good as the provider's. */
  readonly certificate?: Pair;
  /** Default 200. */
  readonly status?: number;
  /** Default a text that is not JSON. */
  readonly body?: string;
}

export async function startClusterProvider(
  options: ClusterProviderOptions,
): Promise<ClusterProvider> {
  const { directory, logs, authority, clientCa } = options;
  const { port } = await freePorts("port");
  const serving = await issueServing(authority);
  await mkdir(directory, { recursive: true });
  const file = (name: string): string => join(directory, name);
  await writeFile(file("tls.crt"), serving.cert);
  await writeFile(file("tls.key"), serving.key, { mode: 0o600 });
  let running: RunningProvider | undefined;
  let starts = 0;

  const launch = async (
    address: string,
    settings: Partial<ProviderSettings>,
  ): Promise<RunningProvider> => {
    const { overrides, ...rest } = { ...options.settings, ...settings };
    const server = {
      drainDelay: "0ms",
      ...overrides?.["server"],
      address,
      tls: {
        certificate: file("tls.crt"),
        key: file("tls.key"),
        clientCA: join(clientCa.directory, "ca.crt"),
      },
      // Certificates that it makes itself are in the place of files.
      ...(overrides?.["certificates"] !== undefined && { tls: undefined }),
    };
    const provider = await startProvider({
      ...rest,
      overrides: { ...overrides, server },
      logFile: true,
    });
    options.onStart(provider.pid);
    starts += 1;
    const log = join(logs, `provider-${starts}.log`);
    return {
      ...provider,
      [Symbol.asyncDispose]: async () => {
        // A halted process hears no signal but this one.
        signal(provider.pid, "SIGCONT");
        await provider[Symbol.asyncDispose]();
        await writeFile(log, `${provider.log.join("\n")}\n`);
      },
    };
  };
  const current = (): RunningProvider => {
    if (running === undefined) throw new Error("the provider is stopped");
    return running;
  };
  const start = async (settings: Partial<ProviderSettings> = {}): Promise<void> => {
    if (running !== undefined) throw new Error("the provider runs");
    running = await launch(`127.0.0.1:${port}`, settings);
  };
  const stop = async (): Promise<void> => {
    const ending = running;
    running = undefined;
    await ending?.[Symbol.asyncDispose]();
  };

  await start();
  return {
    url: `https://127.0.0.1:${port}`,
    ca: authority.ca,
    process: current,
    stop,
    start,
    async restart(settings) {
      await stop();
      await start(settings);
    },
    pause: () => signal(current().pid, "SIGSTOP"),
    resume: () => signal(current().pid, "SIGCONT"),
    replicate: async (settings = {}) => await launch("127.0.0.1:0", settings),
    impersonate: async (impostor = {}) => await impersonate(port, serving, impostor),
    [Symbol.asyncDispose]: stop,
  };
}

/** Answers every request in the same way, whoever asks. */
async function impersonate(
  port: number,
  serving: Pair,
  impostor: Impostor,
): Promise<AsyncDisposable> {
  const { certificate = serving, status = 200, body = "<html>not a provider</html>" } = impostor;
  const server = createServer({ ...certificate, minVersion: "TLSv1.3" }, (_request, response) => {
    response.writeHead(status, { "content-type": "text/html" }).end(body);
  });
  const { end } = await listen(server, port);
  return { [Symbol.asyncDispose]: end };
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
