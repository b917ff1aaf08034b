import { readEnvironment } from "../config/environment.ts";
import { loadConfig, type ConfigProblem } from "../config/load.ts";
import { warningsOf } from "../config/warnings.ts";
import { clusterTrial } from "../doctor/cluster.ts";
import { trialsOf } from "../doctor/doctor.ts";
import { error, ok, warning, type Finding } from "../doctor/finding.ts";
import { formatFindings } from "../doctor/format.ts";
import { tryAll } from "../doctor/trial.ts";
import { realTime } from "../lib/deadline.ts";
import type { Output } from "./format.ts";

/** At least one of `config` and `cluster` is given. */
export interface DoctorOptions {
  readonly config?: string;
  readonly cluster?: true;
  readonly kubeconfig?: string;
  readonly gatekeeperNamespace: string;
  readonly output: Output;
}

/** Milliseconds that each trial may take. */
const TIMEOUT_MS = 10_000;

/** Milliseconds after which the provider has answered, unless a configuration says otherwise. */
const DEADLINE_MS = 1800;

/**
 * Tries everything that the configuration names, and looks for what in a cluster admits images unverified, at once, and says in a line each
 * what is well and what to fix.
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
  options: DoctorOptions,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const environment = readEnvironment().map(toFinding);
  const loaded = options.config === undefined ? undefined : loadConfig(options.config);
  const config = loaded !== undefined && "config" in loaded ? loaded.config : undefined;
  await using parts = new AsyncDisposableStack();
  const trials = [
    ...(config === undefined ? [] : await trialsOf(config, parts)),
    ...(options.cluster === undefined
      ? []
      : [clusterTrial({ ...options, deadlineMs: config?.server.deadline ?? DEADLINE_MS })]),
  ];
  const found = await tryAll(trials, { timeoutMs: TIMEOUT_MS, schedule: realTime, signal });
  return [...environment, ...configurationFindings(loaded), ...found];
}

function configurationFindings(
  loaded: ReturnType<typeof loadConfig> | undefined,
): readonly Finding[] {
  if (loaded === undefined) return [];
  if ("problems" in loaded) return loaded.problems.map(toFinding);
  const warnings = warningsOf(loaded.config).map(({ path, message }) => warning(path, message));
  return [ok("configuration", "has no errors"), ...warnings];
}

const toFinding = ({ path, message, line }: ConfigProblem): Finding =>
  error(path, line === undefined ? message : `${message} (line ${line})`);
