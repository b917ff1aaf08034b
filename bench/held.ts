import { appendFileSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { getHeapSpaceStatistics } from "node:v8";

/** What a process holds right after garbage was collected. */
export interface Held {
  /** Milliseconds on the clock by which what is kept grows old. */
  readonly agedMs: number;
  /** Milliseconds that the collection took. */
  readonly tookMs: number;
  /** Of the system, MiB. */
  readonly residentMiB: number;
  /** Objects that are reachable. */
  readonly heapMiB: number;
  /** Code of JavaScript, compiled or not, and what V8 notes beside it. */
  readonly codeMiB: number;
  /** Pages of V8 beyond both. */
  readonly looseMiB: number;
  /** Bytes of buffers, which are outside of V8's pages. */
  readonly buffersMiB: number;
  /** Pages of files, which the system may take away: Node's program and its libraries, as much of them as was used. */
  readonly filesMiB: number;
}

const MIB = 2 ** 20;
const FILE = "held.jsonl";
/** Spaces of V8's heap that hold code; the large ones as well. */
const CODE_SPACE = /^(?:code|trusted)_/;

/**
 * Collects garbage until nothing more goes, has V8 give free pages back to the system, and notes what is left in a file of the working
 * directory. An ordinary collection keeps some 20 MiB of free pages, now more and now less, in which a slope of one would not be
 * seen. Needs `--expose-gc`.
 */
export function noteHeld(agedMs: number): void {
  const from = performance.now();
  globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
  const tookMs = performance.now() - from;
  const { rss, heapTotal, heapUsed, arrayBuffers } = process.memoryUsage();
  const code = getHeapSpaceStatistics()
    .filter(({ space_name: name }) => CODE_SPACE.test(name))
    .reduce((total, { space_used_size: used }) => total + used, 0);
  const held: Held = {
    agedMs,
    tookMs,
    residentMiB: rss / MIB,
    heapMiB: (heapUsed - code) / MIB,
    codeMiB: code / MIB,
    looseMiB: (heapTotal - heapUsed) / MIB,
    buffersMiB: arrayBuffers / MIB,
    filesMiB: residentFilesMiB(),
  };
  appendFileSync(FILE, `${JSON.stringify(held)}\n`);
}

/** Pages of files that are resident now, in MiB. @see proc_pid_status(5), RssFile */
function residentFilesMiB(): number {
  const status = readFileSync("/proc/self/status", "utf8");
  return Number(/^RssFile:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

/** What was noted, the oldest first. @param directory where the process works */
export async function readHeld(directory: string): Promise<readonly Held[]> {
  const text = await readFile(join(directory, FILE), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Held);
}
