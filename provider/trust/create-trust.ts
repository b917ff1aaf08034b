import { resolve } from "node:path";
import { isChanged, merge, toState, type Entries } from "./entries.ts";
import { readTrust, type Reading } from "./read.ts";
import { createReloader } from "./reloader.ts";
import { createRuntime } from "./runtime.ts";
import { createSnapshot, type SnapshotContent } from "./snapshot.ts";
import type { PolicyState, Trust } from "./trust.ts";
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
  /** Default: the file system of this machine. */
  readonly files?: Files;
  /** Default: the system's own watch. */
  readonly watch?: CreateWatcher;
}

/** Times that a reading is begun because something changed during the one before. */
const ATTEMPTS = 5;

/**
 * Reads the trust directory, keeps what is good in force and follows its changes. Resolves when the first
 * reading is done, whatever it found.
 * @throws when the runtime directory cannot be written
 */
export async function createTrust(options: TrustOptions): Promise<Trust> {
  const { onChange, allowWeak, files = machineFiles, today = () => new Date() } = options;
  const directory = resolve(options.directory);
  const runtime = createRuntime(resolve(options.runtimeDirectory));
  let entries: Entries = new Map();
  let isClosed = false;

  const make = (content: SnapshotContent) => createSnapshot(content, runtime);
  const states = () => [...entries.values()].map(toState);
  const read = async (view: View) => {
    const reading = await readTrust(view, { allowWeak, today: today() });
    const directories = await view.directories();
    // Followed before the view is compared: what changes from here on is seen by one of the two.
    if (!isClosed) watcher.follow(directories);
    return reading;
  };
  const reload = async (counts: boolean) => {
    const reading = await readStill(() => createView(directory, files), read);
    if (isClosed) return;
    const before = entries;
    entries = merge(before, reading, { make, counts });
    for (const [name, { snapshot }] of before) {
      if (snapshot !== entries.get(name)?.snapshot) snapshot?.retire();
    }
    if (isChanged(before, entries)) onChange?.(states());
  };

  const reloader = createReloader(reload);
  const watcher = (options.watch ?? createWatcher)(reloader.nudge);
  await reloader.run();
  const timer = setInterval(() => void reloader.run(), options.rereadEveryMs).unref();

  return {
    policy(name) {
      const entry = entries.get(name);
      return entry === undefined ? undefined : (entry.snapshot ?? "never");
    },
    states,
    reload: reloader.run,
    async close() {
      isClosed = true;
      clearInterval(timer);
      watcher.close();
      await reloader.close();
      runtime.close();
    },
  };
}

/** Reads until nothing changed between the first file and the last; gives up on a directory that never rests. */
async function readStill(
  look: () => View,
  read: (view: View) => Promise<Reading>,
): Promise<Reading> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const view = look();
    const reading = await read(view);
    if (await view.isUnchanged()) return reading;
  }
  return {
    policies: new Map(),
    gap: { severity: "error", path: ".", message: "changes faster than it can be read" },
  };
}
