import type { ConfigProblem } from "./load.ts";

/** Variables that void what the configuration promises, whatever their value, and why. */
const DANGEROUS: ReadonlyMap<string, string> = new Map([
  ["NODE_TLS_REJECT_UNAUTHORIZED", "it switches off the check of certificates"],
  ["SSLKEYLOGFILE", "it writes the secrets of TLS to a file"],
  ["NODE_DEBUG", "it prints the headers of requests, credentials included"],
]);

/**
 * Flags in NODE_OPTIONS that bound or report and do nothing else. Anything else could be the inspector, a log of TLS
 * secrets, an older TLS or somebody's code: who needs such a flag writes it where the process is started.
 */
const HARMLESS =
  /^--(?:max-(?:old|semi)-space-size(?:-percentage)?=\d+|(?:no-)?warnings|enable-source-maps|disable-proto=delete|no-addons|disable-sigusr1|unhandled-rejections=strict|disallow-code-generation-from-strings|report-on-fatalerror|report-exclude-env|report-exclude-network|report-compact|report-filename=stderr)$/;

/** Flags of the command line that lay open what TLS hides, or the process itself. */
const OPENING =
  /^--(?:inspect(?:-brk|-wait)?|tls-keylog|insecure-http-parser|tls-min-v1\.[01])(?:=|$)/;

/**
 * The oldest Node that this is tested with; those before it have published flaws. @see docs/dependencies.md, "Node"
 */
const OLDEST_NODE = [26, 10, 0] as const;

/** Whether a version, `26.10.0`, is not older than {@link OLDEST_NODE}. What is no version is. */
function isRecent(version: string): boolean {
  const parts = version.split(".").map(Number);
  for (const [index, oldest] of OLDEST_NODE.entries()) {
    const part = parts[index] ?? NaN;
    if (part !== oldest) return part > oldest;
  }
  return true;
}

/**
 * What the process was started with that would make the promises about TLS and credentials void.
 * @param flags of Node itself: `process.execArgv`
 * @param node its version
 */
export function readEnvironment(
  environment: NodeJS.ProcessEnv = process.env,
  flags: readonly string[] = process.execArgv,
  node: string = process.versions.node,
): readonly ConfigProblem[] {
  const variables = [...DANGEROUS]
    .filter(([name]) => environment[name] !== undefined)
    .map(([name, why]) => ({
      path: `environment ${name}`,
      message: `must not be set: ${why}`,
    }));
  const options = (environment["NODE_OPTIONS"] ?? "").split(/\s+/).filter((word) => word !== "");
  const refused = options
    .filter((word) => !HARMLESS.test(word))
    .map((word) => ({
      path: "environment NODE_OPTIONS",
      message: `must not hold ${nameOf(word)}: only flags that bound memory or harden Node`,
    }));
  const opening = flags
    .filter((flag) => OPENING.test(flag))
    .map((flag) => ({
      path: "command line of node",
      message: `must not hold ${nameOf(flag)}`,
    }));
  const old = isRecent(node)
    ? []
    : [{ path: "node", message: `must be ${OLDEST_NODE.join(".")} or later: it is ${node}` }];
  return [...variables, ...refused, ...opening, ...old];
}

/** Who the process is to AWS: the variables that EKS and AWS's own tools set. */
export const awsVariables = (
  environment: NodeJS.ProcessEnv = process.env,
): Readonly<Record<string, string | undefined>> =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => name.startsWith("AWS_")));

/** A flag without its value, which may be anything. */
const nameOf = (flag: string): string => flag.split("=", 1)[0]?.slice(0, 64) ?? "";
