import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { schema, type Config, type RegistryConfig } from "./schema.ts";

/** A problem of the configuration. */
export interface ConfigProblem {
  /** `server.deadline`, or the file itself. */
  readonly path: string;
  readonly message: string;
}

export type Loaded = { readonly config: Config } | { readonly problems: readonly ConfigProblem[] };

/** Larger is no configuration. */
const MAX_BYTES = 1024 * 1024;

/** Variables that weaken TLS or write its secrets to a file, whatever the configuration says. */
const DANGEROUS: readonly (readonly [name: string, why: string])[] = [
  ["NODE_TLS_REJECT_UNAUTHORIZED", "it switches off the check of certificates"],
  ["SSLKEYLOGFILE", "it writes the secrets of TLS to a file"],
];

/** Variables whose presence makes every promise about TLS void. */
export function readEnvironment(
  environment: NodeJS.ProcessEnv = process.env,
): readonly ConfigProblem[] {
  return DANGEROUS.filter(([name]) => environment[name] !== undefined).map(([name, why]) => ({
    path: `environment ${name}`,
    message: `must not be set: ${why}`,
  }));
}

/** Reads the configuration file; every problem at once. Relative paths in it are taken from its own folder. */
export function loadConfig(file: string): Loaded {
  const text = readText(file);
  if (typeof text !== "string") return { problems: [text] };
  const loaded = parseConfig(text);
  return "config" in loaded ? { config: withPaths(loaded.config, dirname(resolve(file))) } : loaded;
}

function readText(file: string): string | ConfigProblem {
  try {
    if (statSync(file).size > MAX_BYTES) return { path: file, message: "is larger than 1 MiB" };
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "it is not UTF-8";
    return { path: file, message: `cannot be read (${code})` };
  }
}

/** Reads a configuration from YAML 1.2. Aliases, tags and repeated members are refused: a file says one thing once. */
export function parseConfig(text: string): Loaded {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: "1.2",
    schema: "core",
    merge: false,
    lineCounter: lines,
    uniqueKeys: true,
  });
  const problems = [...document.errors, ...document.warnings].map((error) => ({
    path: `line ${lines.linePos(error.pos[0]).line}`,
    message: error.message.split("\n", 1)[0] ?? "",
  }));
  if (problems.length > 0) return { problems };
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 0 });
  } catch {
    return { problems: [{ path: "file", message: "has an alias; write the value twice" }] };
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return { config: parsed.data };
  return { problems: parsed.error.issues.flatMap(toProblems) };
}

/** What a schema found, in the words of somebody who writes the file. */
function toProblems(issue: z.core.$ZodIssue): readonly ConfigProblem[] {
  const path = pathOf(issue.path);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: pathOf([...issue.path, key]),
      message: "is not a member of the configuration",
    }));
  }
  if (issue.code === "invalid_type") {
    return [{ path, message: `must be given, and is of type ${issue.expected}` }];
  }
  if (issue.code === "invalid_union") {
    return [{ path, message: "has none of the forms that it may have" }];
  }
  return [{ path, message: issue.message }];
}

const pathOf = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, part) =>
      typeof part === "number"
        ? `${text}[${part}]`
        : `${text}${text === "" ? "" : "."}${String(part)}`,
    "",
  ) || "file";

/** The configuration with every path made absolute. */
function withPaths(config: Config, folder: string): Config {
  const at = (path: string): string => resolve(folder, path);
  const { server, trust, notation } = config;
  const { tls } = server;
  return {
    ...config,
    server: {
      ...server,
      tls: { certificate: at(tls.certificate), key: at(tls.key), clientCA: at(tls.clientCA) },
    },
    trust: { ...trust, directory: at(trust.directory) },
    notation: {
      ...notation,
      binary: at(notation.binary),
      ...(notation.pluginDirectory !== undefined && {
        pluginDirectory: at(notation.pluginDirectory),
      }),
    },
    runtimeDirectory: at(config.runtimeDirectory),
    registries: config.registries.map((registry) => registryWithPaths(registry, at)),
  };
}

function registryWithPaths(registry: RegistryConfig, at: (path: string) => string): RegistryConfig {
  const { ca, credentials } = registry;
  const resolved =
    "usernameFile" in credentials
      ? { usernameFile: at(credentials.usernameFile), passwordFile: at(credentials.passwordFile) }
      : "dockerConfig" in credentials
        ? { dockerConfig: at(credentials.dockerConfig) }
        : credentials;
  return { ...registry, ...(ca !== undefined && { ca: at(ca) }), credentials: resolved };
}
