import { appendFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

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
  /** Pages of V8 beyond those objects. */
  readonly looseMiB: number;
  /** Bytes of buffers, which are outside of V8's pages. */
  readonly buffersMiB: number;
}

const MIB = 2 ** 20;
const FILE = "held.jsonl";

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
  const held: Held = {
    agedMs,
    tookMs,
    residentMiB: rss / MIB,
    heapMiB: heapUsed / MIB,
    looseMiB: (heapTotal - heapUsed) / MIB,
    buffersMiB: arrayBuffers / MIB,
  };
  appendFileSync(FILE, `${JSON.stringify(held)}\n`);
}

/** What was noted, the oldest first. @param directory where the process works */
export async function readHeld(directory: string): Promise<readonly Held[]> {
  const text = await readFile(join(directory, FILE), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Held);
}
