import { isDeepStrictEqual } from "node:util";
import { resolve } from "node:path";
import { now as monotonic } from "../lib/clock.ts";
import { DEFAULT_POLICY, readTrust, type Reading, type ReadPolicy } from "./read.ts";
import { createReloader } from "./reloader.ts";
import { createRuntime } from "./runtime.ts";
import { createSnapshot, epochOf, type OwnedSnapshot, type SnapshotContent } from "./snapshot.ts";
import type { PolicyState, Problem, Trust } from "./trust.ts";
import { createView, machineFiles, type Files, type View } from "./view.ts";
import { createWatcher, type CreateWatcher } from "./watch.ts";

export interface TrustOptions {
  /** `trustpolicy.json`, `trustpolicies/`, `truststore/`; need not be there yet. */
  readonly directory: string;
  /** Where runs see the trust policies: on a memory file system, and of this process alone. */
  readonly runtimeDirectory: string;
  /** Milliseconds between two readings, however quiet the watch is. */
  readonly rereadEveryMs: number;
  /** Policies that may be weaker than strict without a warning. */
  readonly allowWeak: readonly string[];
  /** Called when a state or what is in force has changed, and once at the start. Must not throw. */
  readonly onChange?: (states: readonly PolicyState[]) => void;
  /** For the warnings about certificates that have expired. Default: the wall clock. */
  readonly today?: () => Date;
  /** Monotonic milliseconds, for the ages. Default: the machine's clock. */
  readonly now?: () => number;
  readonly files?: Files;
  readonly watch?: CreateWatcher;
}

/** Times that a reading is begun again because something changed meanwhile. */
const ATTEMPTS = 5;

/** Readings, the regular ones or asked for, in which a file must be missing before its policy goes. */
const MISSES = 2;

interface Entry extends PolicyState {
  readonly snapshot: OwnedSnapshot | undefined;
  /** Readings in a row in which its file was missing. */
  readonly missed: number;
  /** Monotonic milliseconds of the last reading that found it good; undefined when none did. */
  readonly goodAt: number | undefined;
}

type Entries = ReadonlyMap<string, Entry>;

/**
 * Reads the trust directory, keeps what is good in force and follows its changes. Resolves when the first
 * reading is done, whatever it found.
 * @throws when the runtime directory cannot be written
 */
export async function createTrust(options: TrustOptions): Promise<Trust> {
  const { onChange, files = machineFiles, watch = createWatcher, now = monotonic } = options;
  const directory = resolve(options.directory);
  const today = options.today ?? (() => new Date());
  const runtime = createRuntime(resolve(options.runtimeDirectory));
  let entries: Entries = new Map();
  let isClosed = false;

  const make = (content: SnapshotContent) => createSnapshot(content, runtime);
  const states = () => [...entries.values()].map(toState);

  const reload = async (asked: boolean) => {
    const reading = await readStill(directory, files, async (view) => {
      const { allowWeak } = options;
      const result = await readTrust(view, { allowWeak, today: today() });
      const followed = await view.directories();
      if (!isClosed) watcher.follow(followed);
      return result;
    });
    if (isClosed) return;
    const before = entries;
    entries = merge(before, reading, { make, asked, readAt: now() });
    for (const [name, { snapshot }] of before) {
      if (snapshot !== entries.get(name)?.snapshot) snapshot?.retire();
    }
    if (isChanged(before, entries)) onChange?.(states());
  };

  const reloader = createReloader(reload);
  const watcher = watch(() => reloader.nudge());
  await reloader.run();
  const timer = setInterval(() => void reloader.run(), options.rereadEveryMs).unref();

  return {
    policy(name) {
      const entry = entries.get(name);
      return entry === undefined ? undefined : (entry.snapshot ?? "never");
    },
    states,
    ages() {
      const known = [...entries].filter(([, { goodAt }]) => goodAt !== undefined);
      return new Map(known.map(([name, { goodAt = 0 }]) => [name, now() - goodAt]));
    },
    reload: async () => await reloader.run(),
    async close() {
      isClosed = true;
      clearInterval(timer);
      watcher.close();
      await reloader.close();
      runtime.close();
    },
  };
}

/** Reads until nothing changed meanwhile; of a directory that never rests nothing is believed. */
async function readStill(
  directory: string,
  files: Files,
  read: (view: View) => Promise<Reading>,
): Promise<Reading> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const view = createView(directory, files);
    const reading = await read(view);
    if (await view.isUnchanged()) return reading;
  }
  // A policy of one moment with a store of another was never anybody's wish.
  const message = "changes faster than it can be read";
  return { policies: new Map(), gap: { severity: "error", path: ".", message } };
}

interface MergeOptions {
  readonly make: (content: SnapshotContent) => OwnedSnapshot;
  /** Whether this reading counts for a file that is missing: one that a change set off may be in the midst of it. */
  readonly asked: boolean;
  /** Monotonic milliseconds. */
  readonly readAt: number;
}

/** What is in force after a reading: the new where it is good, the last good where it is not. */
function merge(before: Entries, reading: Reading, options: MergeOptions): Entries {
  const after = new Map<string, Entry>();
  for (const [name, policy] of reading.policies) {
    after.set(name, replace(before.get(name), name, policy, options));
  }
  for (const [name, entry] of before) {
    if (after.has(name)) continue;
    const missed = reading.gap === undefined && options.asked ? entry.missed + 1 : entry.missed;
    if (missed >= MISSES) continue;
    const problem = reading.gap ?? {
      severity: "error",
      path: ".",
      message: `the file of policy ${name} is gone`,
    };
    after.set(name, kept(entry, name, [problem], missed));
  }
  if (after.size === 0 && reading.gap !== undefined) {
    after.set(DEFAULT_POLICY, kept(undefined, DEFAULT_POLICY, [reading.gap], 0));
  }
  return after;
}

/** A policy that was read: in force if it is good, and the same snapshot as before if it says the same. */
function replace(
  before: Entry | undefined,
  name: string,
  { content, problems }: ReadPolicy,
  { make, readAt }: MergeOptions,
): Entry {
  const old = before?.snapshot;
  if (content === undefined) return kept(before, name, problems, 0);
  const snapshot = old?.epoch === epochOf(content) ? old : make(content);
  return { name, state: "current", problems, snapshot, missed: 0, goodAt: readAt };
}

/** The last good snapshot, if there ever was one, and why it is not replaced. */
const kept = (
  before: Entry | undefined,
  name: string,
  problems: readonly Problem[],
  missed: number,
): Entry => ({
  name,
  state: before?.snapshot === undefined ? "never" : "stale",
  problems,
  snapshot: before?.snapshot,
  missed,
  goodAt: before?.goodAt,
});

const toState = ({ name, state, problems }: Entry): PolicyState => ({ name, state, problems });

/** Whether somebody should be told: another state, other problems, or another snapshot in force. */
function isChanged(before: Entries, after: Entries): boolean {
  if (before.size !== after.size) return true;
  return [...after].some(([name, entry]) => {
    const old = before.get(name);
    if (old === undefined || old.snapshot !== entry.snapshot) return true;
    return !isDeepStrictEqual(toState(old), toState(entry));
  });
}
