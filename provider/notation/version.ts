import { statSync } from "node:fs";
import type { NotationState } from "./judgement.ts";
import type { Runner } from "./run.ts";

/**
 * Oldest version without published advisories that concern us: CVE-2023-33957, -33958, -33959, CVE-2024-56138 and
 * CVE-2024-51491. Its texts are the ones that we interpret; those of 2.0 differ.
 */
const FLOOR = [1, 3, 2] as const;
const FLOOR_TEXT = FLOOR.join(".");

/** Milliseconds before a binary that failed its check, and has not changed since, is asked again. */
const RETRY_MS = 1_000;

/** Which Notation there is, asked again whenever the file has changed. */
export interface Version {
  /** What the last check found; costs nothing. */
  readonly state: () => NotationState;
  /** Asks the binary now. Never rejects; callers at the same time share one question. */
  readonly check: () => Promise<NotationState>;
  /** The state of the file that is there now: asks only if it is another one, or if the last check failed a while ago. */
  readonly current: () => Promise<NotationState>;
}

export interface VersionOptions {
  /** Absolute path. */
  readonly binary: string;
  /** Working directory of the question; exists. */
  readonly directory: string;
  readonly runner: Runner;
  /** Deadline of one question. */
  readonly deadline: () => AbortSignal;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

const UNCHECKED: NotationState = { version: undefined, problem: "not checked yet" };

/** Keeps one answer of the binary and what file it was of. @see T-04 in docs/threat-model.md, F-20 in docs/reliability.md */
export function createVersion(options: VersionOptions): Version {
  const { binary, directory, runner, deadline, now } = options;
  let state = UNCHECKED;
  /** What the state was found for. */
  let checked: string | undefined;
  let checkedAt = Number.NEGATIVE_INFINITY;
  let pending: Promise<NotationState> | undefined;

  async function ask(): Promise<NotationState> {
    // Before the question: if the file changes meanwhile, the next look sees another one and asks again.
    checked = identityOf(binary);
    checkedAt = now();
    if (checked === undefined) return unusable("the binary is missing");
    const result = await runner.run(
      { file: binary, args: ["version"], cwd: directory, env: {} },
      deadline(),
    );
    if (result.spawnError !== undefined) {
      return unusable(`the binary cannot be started (${result.spawnError})`);
    }
    if (result.interrupted) return unusable("the binary does not answer");
    if (result.code !== 0) return unusable("the binary does not say its version");
    return judgeVersion(result.stdout);
  }

  function check(): Promise<NotationState> {
    pending ??= ask()
      .then((found) => (state = found))
      .finally(() => (pending = undefined));
    return pending;
  }

  async function current(): Promise<NotationState> {
    if (pending !== undefined) return pending;
    const isOther = identityOf(binary) !== checked;
    const isStale = state.version === undefined && now() - checkedAt >= RETRY_MS;
    return isOther || isStale ? check() : state;
  }

  return { state: () => state, check, current };
}

/**
 * Reads the output of `notation version`.
 * @returns usable from 1.3.2 up to, and without, 2.0.0; a pre-release comes before its release
 */
export function judgeVersion(output: string): NotationState {
  const found = /^Version:\s+v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:(-)|[+\s]|$)/m.exec(
    output.slice(0, 4_096),
  );
  if (found === null) return unusable("the binary does not say its version");
  const [, ...parts] = found;
  const numbers = parts.slice(0, 3).map(Number);
  const version = numbers.join(".");
  if (compare(numbers, [2, 0, 0]) >= 0) {
    return unusable(`version ${version} is not supported, ${FLOOR_TEXT} or a later 1.x is needed`);
  }
  const order = compare(numbers, FLOOR);
  if (order < 0 || (order === 0 && parts[3] === "-")) {
    return unusable(`version ${version} is too old, ${FLOOR_TEXT} or a later 1.x is needed`);
  }
  return { version, problem: undefined };
}

const unusable = (problem: string): NotationState => ({ version: undefined, problem });

function compare(left: readonly number[], right: readonly number[]): number {
  for (const [index, number] of left.entries()) {
    const difference = number - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** What tells one file from another without reading it; follows links. Undefined when there is no such file. */
function identityOf(path: string): string | undefined {
  let found;
  try {
    found = statSync(path);
  } catch {
    return undefined;
  }
  if (!found.isFile()) return undefined;
  return [found.dev, found.ino, found.size, found.mtimeMs, found.ctimeMs, found.mode].join(":");
}
