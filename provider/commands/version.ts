import { tmpdir } from "node:os";
import { loadConfig } from "../config/load.ts";
import { now } from "../lib/clock.ts";
import { createRunner } from "../notation/run.ts";
import { createVersion } from "../notation/version.ts";
import { packageVersion } from "./package-version.ts";
import { printProblems } from "./problems.ts";

/** Milliseconds that Notation may take to say its version. */
const VERSION_MS = 5000;

/** Bytes of its answer that are read. */
const OUTPUT_BYTES = 4096;

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
  const { binary, grace } = loaded.config.notation;
  const { check } = createVersion({
    binary,
    directory: tmpdir(),
    runner: createRunner({ graceMs: grace, outputBytes: OUTPUT_BYTES, now }),
    deadline: () => AbortSignal.timeout(VERSION_MS),
    now,
  });
  const { version, problem } = await check();
  process.stdout.write(`notation ${version ?? `cannot be used: ${problem}`}\n`);
  return version === undefined ? 1 : 0;
}
