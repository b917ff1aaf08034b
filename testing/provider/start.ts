import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { stringify } from "yaml";
import {
  createAuthorities,
  issueServing,
  type Authorities,
  type Pair,
} from "../gatekeeper/certificates.ts";
import { createCaller, type Caller } from "../gatekeeper/caller.ts";

/** The root of the checkout. */
export const ROOT = new URL("../../", import.meta.url).pathname;

/** What a started provider is told; everything else is the configuration's default. */
export interface ProviderOptions {
  /** A directory in Notation's own layout. */
  readonly trust: string;
  /** Members of `registries` as the configuration file has them. */
  readonly registries: readonly Readonly<Record<string, unknown>>[];
  /** Merged over the configuration, section by section. */
  readonly overrides?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** An absolute path; the pinned Notation unless said otherwise. */
  readonly notation?: string;
  /** Writes the log to `provider.log` as well. */
  readonly logFile?: boolean;
  /** More in its environment, such as credentials of AWS. */
  readonly environment?: Readonly<Record<string, string>>;
  /** A module, loaded before everything else. */
  readonly preload?: string;
  /** Those of other replicas, when one caller is to reach them all; its own unless given. */
  readonly authorities?: Authorities;
  /** Whether the log is read after `ready`. Default true; reading 20,000 lines a second costs a measurement half a core. */
  readonly readsLog?: boolean;
  /** A program that serves with the configuration file that is its last argument, and what comes before it. Default `provider/main.ts serve --config`. */
  readonly entry?: readonly [string, ...string[]];
  /**
   * A program that becomes Node: it gets Node's path and arguments after its own, and executes them in its place.
   * @param runtime where the provider writes; an empty directory
   */
  readonly through?: (runtime: string) => readonly [string, ...string[]];
}

/** A provider that runs as a process of its own, as it does in a cluster. */
export interface RunningProvider extends AsyncDisposable {
  /** Holds `provider.yaml`, and `provider/` and `gatekeeper/` with certificates. */
  readonly directory: string;
  /** Where it writes what it needs to run. */
  readonly runtime: string;
  /** `https://127.0.0.1:<port>` */
  readonly url: string;
  /** `http://127.0.0.1:<port>` with `/readyz` and `/metrics`. */
  readonly admin: string;
  readonly pid: number;
  /** Milliseconds from the start of the process to its first `ready`. */
  readonly startedMs: number;
  /** A caller that speaks as Gatekeeper does, with Gatekeeper's certificate. */
  caller(mode?: "kept" | "perCall"): Caller;
  /** Writes another serving certificate of the same authority over the one it has, as a renewal does. */
  renewCertificate(notAfter: Date): Promise<void>;
  /** A client certificate of Gatekeeper's authority with another name. */
  issueClient(name: string): Promise<Pair>;
  /** Lines that the provider logged so far. */
  readonly log: readonly string[];
}

/** Writes the files that a provider needs into a directory of their own and says where they are. */
async function writeFiles(
  directory: string,
  { ca, serving, gatekeeper }: Authorities,
): Promise<void> {
  await mkdir(join(directory, "provider"), { recursive: true });
  await mkdir(join(directory, "gatekeeper"), { recursive: true });
  const files: readonly (readonly [string, string])[] = [
    ["provider/ca.crt", ca],
    ["provider/tls.crt", serving.cert],
    ["provider/tls.key", serving.key],
    ["gatekeeper/ca.crt", gatekeeper.ca],
    ["gatekeeper/tls.crt", gatekeeper.cert],
    ["gatekeeper/tls.key", gatekeeper.key],
  ];
  await Promise.all(
    files.map(([name, text]) => writeFile(join(directory, name), text, { mode: 0o600 })),
  );
}

/** The configuration of a provider on free ports of loopback, with members of its own over the defaults. */
function configuration(options: ProviderOptions, runtime: string): string {
  const base: Record<string, Readonly<Record<string, unknown>>> = {
    server: {
      address: "127.0.0.1:0",
      tls: {
        certificate: "provider/tls.crt",
        key: "provider/tls.key",
        clientCA: "gatekeeper/ca.crt",
      },
    },
    admin: { address: "127.0.0.1:0" },
    trust: { directory: options.trust },
    notation: { binary: options.notation ?? join(ROOT, "tools/bin/notation") },
    signer: { launcher: join(ROOT, "tools/bin/signer-launcher") },
  };
  for (const [section, members] of Object.entries(options.overrides ?? {})) {
    base[section] = { ...base[section], ...members };
  }
  return stringify({ ...base, runtimeDirectory: runtime, registries: options.registries });
}

/** Where layouts and trust snapshots are written: a memory file system where the machine has one. */
const memoryDirectory = async (): Promise<string> =>
  await mkdtemp(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "notation-provider-"));

/** How docs/configuration.md says that the service is started. */
export const FLAGS = [
  "--disable-proto=delete",
  "--disallow-code-generation-from-strings",
  "--no-addons",
  "--disable-sigusr1",
  "--unhandled-rejections=strict",
  "--report-on-fatalerror",
  "--report-exclude-env",
  "--report-exclude-network",
  "--report-compact",
  "--report-filename=stderr",
  "--max-semi-space-size=4",
];

/** The variables of the image beside them. */
export const VARIABLES = { MALLOC_ARENA_MAX: "2" };

/** Lines of log that are kept to explain a failure. */
const LOG_LINES = 10_000;

/** The JSON of one log line; undefined for anything else that was printed. */
function fields(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}

/**
 * Starts `notation-provider serve` and waits until it is ready.
 * Dispose of it to end the process (SIGTERM, then SIGKILL of a process that does not end) and to remove its files.
 * @throws with its log when it ends before it is ready
 */
export async function startProvider(options: ProviderOptions): Promise<RunningProvider> {
  const directory = await mkdtemp(join(tmpdir(), "notation-provider-"));
  const runtime = await memoryDirectory();
  const authorities = options.authorities ?? (await createAuthorities());
  await writeFiles(directory, authorities);
  await writeFile(join(directory, "provider.yaml"), configuration(options, runtime));

  const began = performance.now();
  const [program, ...args] = [...(options.through?.(runtime) ?? []), process.execPath, ...FLAGS];
  const child = spawn(
    program ?? process.execPath,
    [
      ...args,
      ...(options.preload === undefined ? [] : [`--import=${options.preload}`]),
      ...(options.entry ?? [join(ROOT, "provider/main.ts"), "serve", "--config"]),
      join(directory, "provider.yaml"),
    ],
    {
      stdio: ["ignore", "pipe", "pipe"],
      cwd: directory,
      env: { ...process.env, ...VARIABLES, ...options.environment },
    },
  );
  const log: string[] = [];
  const file = options.logFile ? createWriteStream(join(directory, "provider.log")) : undefined;
  const exited = once(child, "exit");
  const output = createInterface({ input: child.stdout });
  const ready = new Promise<{ url: string; admin: string }>((resolve, reject) => {
    const read = (line: string): void => {
      log.push(line);
      file?.write(`${line}\n`);
      if (log.length > LOG_LINES) log.shift();
      if (!line.includes('"ready"')) return;
      const entry = fields(line);
      if (entry?.["msg"] !== "ready") return;
      resolve({ url: String(entry["url"]), admin: String(entry["admin"]) });
    };
    output.on("line", read);
    createInterface({ input: child.stderr }).on("line", read);
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      reject(new Error(`the provider ended (${code ?? signal}):\n${log.join("\n")}`));
    });
  });

  const callers: Caller[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(callers.map(async (caller) => await caller.close()));
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGTERM");
      const giveUp = setTimeout(() => child.kill("SIGKILL"), 20_000);
      await exited;
      clearTimeout(giveUp);
    }
    file?.end();
    await Promise.all(
      [directory, runtime].map(async (path) => await rm(path, { recursive: true, force: true })),
    );
  };

  try {
    const { url, admin } = await ready;
    if (options.readsLog === false) {
      output.close();
      child.stdout.resume();
    }
    return {
      directory,
      runtime,
      url,
      admin,
      pid: child.pid ?? 0,
      startedMs: performance.now() - began,
      log,
      async renewCertificate(notAfter) {
        const { cert, key } = await issueServing(authorities.provider, { notAfter });
        await writeFile(join(directory, "provider/tls.crt"), cert);
        await writeFile(join(directory, "provider/tls.key"), key);
      },
      issueClient: async (name) => await authorities.gatekeeper.issue({ name }),
      caller: (mode = "kept") => {
        const { cert, key } = authorities.gatekeeper;
        const caller = createCaller({ url, ca: authorities.ca, cert, key, mode });
        callers.push(caller);
        return caller;
      },
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
