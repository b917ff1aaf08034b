import { isDeepStrictEqual } from "node:util";
import { resolve } from "node:path";
import { DEFAULT_POLICY, readTrust, type Reading, type ReadPolicy } from "./read.ts";
import { createReloader } from "./reloader.ts";
import { createRuntime } from "./runtime.ts";
import { createSnapshot, epochOf, type OwnedSnapshot, type SnapshotContent } from "./snapshot.ts";
import type { PolicyState, Problem, Trust } from "./trust.ts";
import { createView, machineFiles, type Files } from "./view.ts";
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
}

type Entries = ReadonlyMap<string, Entry>;

/**
 * Reads the trust directory, keeps what is good in force and follows its changes. Resolves when the first
 * reading is done, whatever it found.
 * @throws when the runtime directory cannot be written
 */
export async function createTrust(options: TrustOptions): Promise<Trust> {
  const { onChange, files = machineFiles, watch = createWatcher } = options;
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
      if (!isClosed) watcher.follow(await view.directories());
      return result;
    });
    if (isClosed) return;
    const before = entries;
    entries = merge(before, reading, { make, asked });
    for (const [name, { snapshot }] of before) {
      if (snapshot !== entries.get(name)?.snapshot) snapshot?.retire();
    }
    if (isChanged(before, entries)) onChange?.(states());
  };

  const reloader = createReloader(reload);
  const watcher = watch(reloader.nudge);
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
      watcher.close();
      runtime.close();
    },
  };
}
