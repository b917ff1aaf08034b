import { loadConfig } from "../config/load.ts";
import { assemble } from "../assemble.ts";
import { createOwnDirectory } from "../runtime.ts";
import { packageVersion } from "./package-version.ts";
import { printProblems } from "./problems.ts";

/**
 * Prints our version and Node's, and Notation's where a configuration says which one.
 * @returns the exit code: 1 when that Notation cannot be used
 */
export async function versionCommand(file: string | undefined): Promise<number> {
  process.stdout.write(`notation-provider ${packageVersion()}\nnode ${process.versions.node}\n`);
  if (file === undefined) return 0;
  const loaded = loadConfig(file);
  if ("problems" in loaded) {
    printProblems(loaded.problems);
    return 1;
  }
  using directory = createOwnDirectory(loaded.config.runtimeDirectory);
  const judging = await assemble({
    config: loaded.config,
    runtimeDirectory: directory.path,
    deadlineMs: loaded.config.verification.deadline,
    observers: {},
  });
  const { version, problem } = judging.notation.state();
  await judging.close();
  process.stdout.write(`notation ${version ?? `cannot be used: ${problem}`}\n`);
  return version === undefined ? 1 : 0;
}
