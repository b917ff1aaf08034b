import { accessSync, constants, statSync } from "node:fs";
import type { Config, RegistryConfig } from "../config/schema.ts";
import { errorCode } from "../lib/error-code.ts";

/** A file that the configuration names, and what must be possible with it. */
type Named = readonly [path: string, file: string, kind: "file" | "program" | "folder"];

/** A file that cannot be used, and the member that names it. */
interface FileProblem {
  readonly severity: "warning";
  readonly path: string;
  readonly message: string;
}

/** Files that the configuration names and that are not here, or cannot be used: on another machine that may be as it should. */
export function lintFiles(config: Config): readonly FileProblem[] {
  return namedFiles(config).flatMap(([path, file, kind]) => {
    const problem = problemOf(file, kind);
    return problem === undefined
      ? []
      : [{ severity: "warning", path, message: `${problem}: ${file}` }];
  });
}

function namedFiles({
  server: { tls },
  certificates,
  notation,
  registries,
}: Config): readonly Named[] {
  const { binary, pluginDirectory } = notation;
  return [
    ...Object.entries(tls ?? {}).map(([name, file]): Named => [`server.tls.${name}`, file, "file"]),
    ...(certificates?.kubeconfig === undefined
      ? []
      : [["certificates.kubeconfig", certificates.kubeconfig, "file"] as const]),
    ["notation.binary", binary, "program"],
    ...(pluginDirectory === undefined
      ? []
      : [["notation.pluginDirectory", pluginDirectory, "folder"] as const]),
    ...registries.flatMap((registry, index) => filesOf(registry, `registries[${index}]`)),
  ];
}

function filesOf({ ca, credentials }: RegistryConfig, path: string): readonly Named[] {
  const files = { ...(ca !== undefined && { ca }) };
  return [
    ...Object.entries(files).map(([name, file]): Named => [`${path}.${name}`, file, "file"]),
    ...Object.entries(credentials).flatMap(([name, file]): readonly Named[] =>
      typeof file === "string" ? [[`${path}.credentials.${name}`, file, "file"]] : [],
    ),
  ];
}

function problemOf(file: string, kind: Named[2]): string | undefined {
  try {
    if (statSync(file).isDirectory() !== (kind === "folder")) return `is no ${kind}`;
    accessSync(file, kind === "program" ? constants.X_OK : constants.R_OK);
    return undefined;
  } catch (error) {
    const code = errorCode(error) ?? "unknown";
    return `cannot be used here (${code})`;
  }
}
