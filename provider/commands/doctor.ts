import { readEnvironment } from "../config/environment.ts";
import { loadConfig, type ConfigProblem } from "../config/load.ts";
import { trialsOf } from "../doctor/doctor.ts";
import { error, ok, type Finding } from "../doctor/finding.ts";
import { formatFindings } from "../doctor/format.ts";
import { tryAll } from "../doctor/trial.ts";
import { realTime } from "../lib/deadline.ts";
import type { Output } from "./format.ts";

export interface DoctorOptions {
  readonly config: string;
  readonly output: Output;
}

/** Milliseconds that each trial may take. */
const TIMEOUT_MS = 10_000;

/**
 * Tries everything that the configuration names, at once, and says in a line each what works and what to fix.
 * @returns the exit code: 0 without errors, warnings or not; 1 otherwise
 */
export async function doctorCommand(options: DoctorOptions): Promise<number> {
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  const findings = await findingsOf(options, interrupted.signal);
  process.off("SIGINT", interrupt);
  process.off("SIGTERM", interrupt);
  process.stdout.write(formatFindings(findings, options.output, process.stdout));
  return findings.some(({ level }) => level === "error") ? 1 : 0;
}

async function findingsOf(
  { config: file }: DoctorOptions,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const environment = readEnvironment().map(toFinding);
  const loaded = loadConfig(file);
  if ("problems" in loaded) return [...environment, ...loaded.problems.map(toFinding)];
  const found = await tryAll(trialsOf(loaded.config), {
    timeoutMs: TIMEOUT_MS,
    schedule: realTime,
    signal,
  });
  return [...environment, ok("configuration", "has no errors"), ...found];
}

const toFinding = ({ path, message, line }: ConfigProblem): Finding =>
  error(path, line === undefined ? message : `${message} (line ${line})`);
