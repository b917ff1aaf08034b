import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { isNode, LineCounter, parseDocument, visit, type Document } from "yaml";
import type { z } from "zod";
import { errorCode } from "../lib/error-code.ts";
import { schema, type Config, type RegistryConfig } from "./schema.ts";

/** A problem of the configuration. */
export interface ConfigProblem {
  /** `server.deadline`, or the file itself. */
  readonly path: string;
  readonly message: string;
  /** Line of the file, from 1. */
  readonly line?: number;
}

export type Loaded = { readonly config: Config } | { readonly problems: readonly ConfigProblem[] };

/** Larger is no configuration. */
const MAX_BYTES = 1024 * 1024;

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
    const code = errorCode(error) ?? "it is not UTF-8";
    return { path: file, message: `cannot be read (${code})` };
  }
}

/** Problems of the file's form that are reported: what follows the first few is their consequence. */
const MAX_FORM_PROBLEMS = 10;

/** Reads a configuration from YAML 1.2. Aliases, tags and repeated members are refused: a file says one thing once. */
export function parseConfig(text: string): Loaded {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: "1.2",
    schema: "core",
    merge: false,
    stringKeys: true,
    lineCounter: lines,
    uniqueKeys: true,
    // With "silent" a second document would be no error.
    logLevel: "error",
  });
  const lineAt = (offset: number): number => lines.linePos(offset).line;
  const problems = [...formProblems(document, lineAt)];
  if (problems.length > 0) return { problems: problems.slice(0, MAX_FORM_PROBLEMS) };
  const value: unknown = document.toJS({ maxAliasCount: 0 });
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return { config: parsed.data };
  const lineOf = (path: readonly PropertyKey[]): number | undefined => {
    // Of a member that is not there the nearest that holds it.
    for (let length = path.length; length > 0; length -= 1) {
      const node = document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return lineAt(node.range[0]);
    }
    return undefined;
  };
  return { problems: parsed.error.issues.flatMap((issue) => toProblems(issue, lineOf)) };
}

/** What keeps a file from saying one thing once, whatever it says. */
function* formProblems(
  document: Document.Parsed,
  lineAt: (offset: number) => number,
): Generator<ConfigProblem> {
  for (const { message, pos } of [...document.errors, ...document.warnings]) {
    const [first = ""] = message.split(/ at line \d|\n/, 1);
    const isTooDeep = first.startsWith("Maximum call stack");
    yield {
      path: "file",
      message: isTooDeep ? "nests deeper than any configuration" : first,
      line: lineAt(pos[0]),
    };
  }
  if (document.errors.length > 0) return;
  const found: ConfigProblem[] = [];
  const add = (message: string, offset: number | undefined): void => {
    found.push({ path: "file", message, ...(offset !== undefined && { line: lineAt(offset) }) });
  };
  visit(document, {
    Alias: (_key, { range }) => add("has an alias; write the value twice", range?.[0]),
    Scalar: (key, { value, range }) => {
      // JavaScript's objects have a meaning of their own for it, so a member of the name could vanish unseen.
      if (key === "key" && value === "__proto__") {
        add("__proto__ is not a member of the configuration", range?.[0]);
      }
    },
  });
  yield* found;
}

/** What a schema found, in the words of somebody who writes the file. */
function toProblems(
  issue: z.core.$ZodIssue,
  lineOf: (path: readonly PropertyKey[]) => number | undefined,
): readonly ConfigProblem[] {
  const at = (path: readonly PropertyKey[], message: string): ConfigProblem => {
    const line = lineOf(path);
    return { path: pathOf(path), message, ...(line !== undefined && { line }) };
  };
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) =>
      at([...issue.path, key], "is not a member of the configuration"),
    );
  }
  if (issue.input === undefined) return [at(issue.path, "must be given")];
  if (issue.input === null) return [at(issue.path, "has no value; give it one or leave it out")];
  // A schema with words of its own for a wrong type says more than ours.
  if (issue.code === "invalid_type" && issue.message.startsWith("Invalid input")) {
    return [at(issue.path, `is of type ${issue.expected}`)];
  }
  return [at(issue.path, issue.message)];
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
  const { server, certificates, trust, notation } = config;
  const { tls } = server;
  return {
    ...config,
    server: {
      ...server,
      ...(tls !== undefined && {
        tls: { certificate: at(tls.certificate), key: at(tls.key), clientCA: at(tls.clientCA) },
      }),
    },
    ...(certificates !== undefined && {
      certificates: {
        ...certificates,
        ...(certificates.kubeconfig !== undefined && { kubeconfig: at(certificates.kubeconfig) }),
      },
    }),
    trust: { ...trust, directory: at(trust.directory) },
    notation: {
      ...notation,
      binary: at(notation.binary),
      ...(notation.pluginDirectory !== undefined && {
        pluginDirectory: at(notation.pluginDirectory),
      }),
    },
    runtimeDirectory: at(config.runtimeDirectory),
    aws: { ...config.aws, ...(config.aws.ca !== undefined && { ca: at(config.aws.ca) }) },
    signer: {
      ...config.signer,
      plugin: config.signer.plugin === "builtin" ? "builtin" : at(config.signer.plugin),
      launcher: at(config.signer.launcher),
    },
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
