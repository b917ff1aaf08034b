import { isDeepStrictEqual } from "node:util";
import { DEFAULT_POLICY, type ReadPolicy, type Reading } from "./read.ts";
import { epochOf, type OwnedSnapshot, type SnapshotContent } from "./snapshot.ts";
import type { PolicyState, Problem } from "./trust.ts";

/**
 * Readings in which a file must be missing before its policy goes; those that only an event caused do not
 * count. A file that is written anew is missing for moments, so one look is no proof, and a policy that is
 * forgotten too early refuses what was trusted; forgetting it late only keeps what was in force.
 */
const MISSES = 2;

/** One named policy: what is in force and what the directory says. */
export interface Entry extends PolicyState {
  readonly snapshot: OwnedSnapshot | undefined;
  /** Counted readings in a row in which its file was missing. */
  readonly missed: number;
}

export type Entries = ReadonlyMap<string, Entry>;

export interface MergeOptions {
  readonly make: (content: SnapshotContent) => OwnedSnapshot;
  /** Whether a missing file counts, see {@link MISSES}. */
  readonly counts: boolean;
}

/**
 * What is in force after a reading: a good policy replaces its older self unless they mean the same, a bad or missing one
 * leaves its last good self in force.
 */
export function merge(before: Entries, reading: Reading, { make, counts }: MergeOptions): Entries {
  const after = new Map<string, Entry>();
  for (const [name, policy] of reading.policies) {
    after.set(name, replace(name, before.get(name), policy, make));
  }
  for (const [name, entry] of before) {
    if (after.has(name)) continue;
    if (reading.gap !== undefined) {
      after.set(name, held(entry, reading.gap, entry.missed));
      continue;
    }
    const missed = entry.missed + (counts ? 1 : 0);
    if (missed < MISSES) after.set(name, held(entry, missing(name), missed));
  }
  // Before the first volume is there, the default policy is known to be wanted.
  if (after.size === 0 && reading.gap !== undefined) {
    const name = DEFAULT_POLICY;
    after.set(name, held({ name, snapshot: undefined }, reading.gap, 0));
  }
  return new Map([...after].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function replace(
  name: string,
  before: Entry | undefined,
  { content, problems }: ReadPolicy,
  make: MergeOptions["make"],
): Entry {
  const old = before?.snapshot;
  if (content === undefined) {
    return { name, snapshot: old, state: old ? "stale" : "never", problems, missed: 0 };
  }
  const snapshot = old?.epoch === epochOf(content) ? old : make(content);
  return { name, snapshot, state: "current", problems, missed: 0 };
}

function held(
  { name, snapshot }: Pick<Entry, "name" | "snapshot">,
  problem: Problem,
  missed: number,
): Entry {
  return { name, snapshot, state: snapshot ? "stale" : "never", problems: [problem], missed };
}

const missing = (name: string): Problem => ({
  severity: "error",
  path: ".",
  message: `the policy ${name} is not there any more: it is forgotten at the next reading`,
});

/** What others see of an entry. */
export const toState = ({ name, state, problems }: Entry): PolicyState => ({
  name,
  state,
  problems,
});

/** Whether somebody outside could see a difference. */
export function isChanged(before: Entries, after: Entries): boolean {
  if (before.size !== after.size) return true;
  for (const [name, entry] of after) {
    const old = before.get(name);
    if (old?.snapshot !== entry.snapshot) return true;
    if (!isDeepStrictEqual(old && toState(old), toState(entry))) return true;
  }
  return false;
}
