import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Search } from "./engine.ts";
import type { Target } from "./target.ts";
import { SHARED_HEAD, type WorkerData } from "./worker.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const CORPUS = join(HERE, "corpus");
/** Inputs that longer searches kept, for the next one to begin with; not committed. */
const FOUND = join(HERE, "../../.cache/fuzz");

/** Longest input that can be named when its reader does not end. */
const MAX_INPUT = 2 * 1024 * 1024;

/** Milliseconds after which one input counts as endless: thousands of times what any may take. */
const PATIENCE_MS = 30_000;

/** MiB: a reader that wants more ends its own thread and no other. */
const HEAP_MB = 1024;

export interface FuzzOptions {
  /** URL of a module that exports `target`. */
  readonly module: string;
  readonly corpus: readonly Uint8Array[];
  /** 32 bits. */
  readonly seed: number;
  readonly seconds: number;
  readonly patienceMs?: number;
  readonly heapMb?: number;
}

/** Searches in a thread of its own. Without a search's counts when its reader did not end or used up the memory. */
export async function fuzz({
  patienceMs = PATIENCE_MS,
  heapMb = HEAP_MB,
  ...options
}: FuzzOptions): Promise<Search | Required<Pick<Search, "finding">>> {
  const shared = new SharedArrayBuffer(SHARED_HEAD + MAX_INPUT);
  const numbers = new Int32Array(shared, 0, 2);
  const current = (problem: string) => ({
    finding: {
      input: Uint8Array.from(new Uint8Array(shared, SHARED_HEAD, Atomics.load(numbers, 1))),
      problem,
    },
  });
  const worker = new Worker(new URL("worker.ts", import.meta.url), {
    workerData: { ...options, shared } satisfies WorkerData,
    resourceLimits: { maxOldGenerationSizeMb: heapMb },
  });
  const { promise: endless, resolve } = Promise.withResolvers<ReturnType<typeof current>>();
  let seen = -1;
  const watch = setInterval(() => {
    const begun = Atomics.load(numbers, 0);
    // Nothing is read yet while modules are loaded.
    if (begun > 0 && begun === seen) resolve(current("its reader does not end"));
    seen = begun;
  }, patienceMs);
  try {
    const searched = once(worker, "message").then(([result]) => result as Search);
    return await Promise.race([searched, endless]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_WORKER_OUT_OF_MEMORY") throw error;
    return current("its reader uses up the memory");
  } finally {
    clearInterval(watch);
    await worker.terminate();
  }
}

/** Names of all targets, each a file of `targets/`. */
export async function targetNames(): Promise<readonly string[]> {
  const files = await readdir(join(HERE, "targets"));
  return files.map((file) => file.replace(/\.ts$/, "")).toSorted();
}

/** Every target, by its name's order. */
export async function loadTargets(): Promise<readonly Target[]> {
  const names = await targetNames();
  const modules = await Promise.all(names.map(async (name) => await import(moduleOf(name))));
  return modules.map(({ target }: { readonly target: Target }) => target);
}

/** URL of a target's module. */
export const moduleOf = (name: string): string =>
  new URL(`targets/${name}.ts`, import.meta.url).href;

/** Committed inputs of a target, by file name. */
export const corpusOf = async (name: string): Promise<ReadonlyMap<string, Uint8Array>> =>
  await readFolder(join(CORPUS, name));

/** Inputs that earlier searches at this desk kept. */
export const foundBefore = async (name: string): Promise<ReadonlyMap<string, Uint8Array>> =>
  await readFolder(join(FOUND, name)).catch(() => new Map<string, Uint8Array>());

async function readFolder(folder: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = (await readdir(folder)).toSorted();
  const read = async (file: string) => [file, await readFile(join(folder, file))] as const;
  return new Map(await Promise.all(files.map(read)));
}

/** Keeps inputs for the next search at this desk. */
export async function remember(name: string, inputs: readonly Uint8Array[]): Promise<void> {
  await write(join(FOUND, name), "", inputs);
}

/**
 * Writes a finding among the committed inputs, so that the unit tests are red from now on until it is fixed.
 * @returns its path
 */
export async function record(name: string, input: Uint8Array): Promise<string> {
  const [path = ""] = await write(join(CORPUS, name), "found-", [input]);
  return path;
}

/** Files named by what is in them. */
async function write(
  folder: string,
  prefix: string,
  inputs: readonly Uint8Array[],
): Promise<readonly string[]> {
  await mkdir(folder, { recursive: true });
  return await Promise.all(
    inputs.map(async (input) => {
      const hash = createHash("sha256").update(input).digest("hex").slice(0, 12);
      const path = join(folder, `${prefix}${hash}`);
      await writeFile(path, input);
      return path;
    }),
  );
}
