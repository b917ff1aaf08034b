import { readEnvironment } from "../config/environment.ts";
import { loadConfig } from "../config/load.ts";
import { warningsOf } from "../config/warnings.ts";
import { lint } from "../trust/lint.ts";
import { lintFiles } from "./files.ts";
import { printProblems } from "./problems.ts";

/**
 * Prints every problem of the configuration, and of the trust directory that it names. Other files that it names and
 * that are not here are warnings: whoever checks a configuration need not have the cluster's secrets.
 * @returns the exit code: 0 without errors, warnings or not; 1 otherwise
 */
export async function checkCommand(file: string): Promise<number> {
  const environment = readEnvironment();
  const loaded = loadConfig(file);
  if ("problems" in loaded) {
    printProblems([...environment, ...loaded.problems]);
    return 1;
  }
  const { directory, allowWeak } = loaded.config.trust;
  const problems = await lint(directory, allowWeak);
  const warnings = [...warningsOf(loaded.config), ...lintFiles(loaded.config)];
  printProblems([...environment, ...warnings, ...problems]);
  const errors =
    environment.length + problems.filter(({ severity }) => severity === "error").length;
  if (errors > 0) return 1;
  process.stdout.write(`${file}: no errors\n`);
  return 0;
}
