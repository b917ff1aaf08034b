import { readdir, readFile, readlink } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import type { RunningProvider } from "../testing/provider/start.ts";

/** What a run cost processes and their children. */
export interface Cost {
  readonly cpuSeconds: number;
  readonly peakMiB: number;
}

interface Stat {
  readonly pid: number;
  readonly parent: number;
  /** Of itself and of children that have ended, seconds. */
  readonly cpuSeconds: number;
  readonly residentMiB: number;
}

/** Clock ticks a second and bytes of a page, as Linux has them on amd64 and arm64. @see proc_pid_stat(5) */
const TICKS = 100;
const PAGE = 4_096;
const MIB = 2 ** 20;

async function statOf(pid: number): Promise<Stat | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, "utf8");
    const fields = text
      .slice(text.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number);
    const [parent = 0] = fields.slice(1);
    const ticks = fields.slice(11, 15).reduce((sum, each) => sum + each, 0);
    const [pages = 0] = fields.slice(21);
    return { pid, parent, cpuSeconds: ticks / TICKS, residentMiB: (pages * PAGE) / MIB };
  } catch {
    return undefined;
  }
}

/** Processes and everything below them. */
async function family(roots: readonly number[]): Promise<readonly Stat[]> {
  const names = (await readdir("/proc")).map(Number).filter((pid) => pid > 0);
  const stats = (await Promise.all(names.map(statOf))).filter((stat) => stat !== undefined);
  const members = new Set(roots);
  // A child may have a smaller number than its parent.
  for (let size = 0; size !== members.size;) {
    size = members.size;
    for (const { pid, parent } of stats) if (members.has(parent)) members.add(pid);
  }
  return stats.filter(({ pid }) => members.has(pid));
}

/** Processes below this one, those that start others included. */
const childrenOf = async (pid: number): Promise<number> => (await family([pid])).length - 1;

/** Looks at processes while something runs. */
export async function watchCost<T>(
  pids: readonly number[],
  work: () => Promise<T>,
): Promise<[T, Cost]> {
  const cpu = async (): Promise<number> =>
    (await family(pids)).reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  const before = await cpu();
  let peakMiB = 0;
  const ended = new AbortController();
  const looking = (async () => {
    while (!ended.signal.aborted) {
      const resident = (await family(pids)).reduce((sum, stat) => sum + stat.residentMiB, 0);
      peakMiB = Math.max(peakMiB, resident);
      await setTimeout(100);
    }
  })();
  try {
    const result = await work();
    return [result, { cpuSeconds: (await cpu()) - before, peakMiB }];
  } finally {
    ended.abort();
    await looking;
  }
}

/** MiB that the heap may have in the chart's container: 40 % of a GiB. On a large machine V8 would let it grow for long. */
export const HEAP_MIB = 410;

/** Resident memory of a process now, in MiB. @see proc_pid_status(5), VmRSS */
export async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

/** What a provider says of itself, and Linux of it. */
export interface Vitals {
  /** Monotonic milliseconds. */
  readonly at: number;
  readonly residentMiB: number;
  readonly heapMiB: number;
  readonly descriptors: number;
  /** TCP connections of the process, either way. */
  readonly connections: number;
  readonly children: number;
  /** Seconds that garbage was collected for, since the start. */
  readonly collectedSeconds: number;
  /** Milliseconds that the event loop was late since it was last asked, beyond its timer's own grain. */
  readonly lagP99Ms: number;
  readonly lagMaxMs: number;
  /** The text of `/metrics`. */
  readonly metrics: string;
}

/** Milliseconds between two looks of prom-client at the event loop; its figures hold them. */
const LAG_GRAIN_MS = 10;

/** Sum of a metric over its labels. @param labels text that stands between the braces, a pattern */
export function sumOf(metrics: string, name: string, labels = ".*"): number {
  const line = new RegExp(String.raw`^${name}(?:\{${labels}\})? (\S+)$`, "gm");
  return metrics.matchAll(line).reduce((total, [, value]) => total + Number(value), 0);
}

export async function vitalsOf({
  pid,
  admin,
}: Pick<RunningProvider, "pid" | "admin">): Promise<Vitals> {
  const metrics = await (await fetch(`${admin}/metrics`)).text();
  const sockets = await openSockets(pid);
  const lag = (name: string): number =>
    Math.max(0, sumOf(metrics, `nodejs_eventloop_lag_${name}_seconds`) * 1000 - LAG_GRAIN_MS);
  return {
    at: performance.now(),
    residentMiB: await residentMiB(pid),
    heapMiB: sumOf(metrics, "nodejs_heap_size_used_bytes") / MIB,
    descriptors: sockets.descriptors,
    connections: sockets.connections,
    children: await childrenOf(pid),
    collectedSeconds: sumOf(metrics, "nodejs_gc_duration_seconds_sum"),
    lagP99Ms: lag("p99"),
    lagMaxMs: lag("max"),
    metrics,
  };
}

/** Descriptors of a process, and those of them that are TCP connections: sockets that the kernel lists as established. */
async function openSockets(
  pid: number,
): Promise<{ readonly descriptors: number; readonly connections: number }> {
  const names = await readdir(`/proc/${pid}/fd`);
  const links = await Promise.all(
    names.map(async (name) => await readlink(`/proc/${pid}/fd/${name}`).catch(() => "")),
  );
  const own = new Set(links.map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1]));
  const table = await readFile(`/proc/${pid}/net/tcp`, "utf8");
  const established = table
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode]) => state === "01" && own.has(inode));
  return { descriptors: names.length, connections: established.length };
}

/** Share of the time between two looks that garbage was collected for, 0 to 1. */
export const collectedShare = (from: Vitals, to: Vitals): number =>
  ((to.collectedSeconds - from.collectedSeconds) * 1000) / (to.at - from.at);

/** The first boundary of the provider's histogram beyond its deadline of 1.8 s, in seconds. */
export const LATE_SECONDS = 2;

/**
 * Answers of `/validate` by the provider's own clock, which begins when a request has come: all of them, and those that took longer
 * than {@link LATE_SECONDS}. A caller's clock begins before it has a connection.
 */
export function answersOf(metrics: string): { readonly all: number; readonly late: number } {
  const name = "notation_provider_request_duration_seconds";
  const all = sumOf(metrics, `${name}_count`, '.*route="validate".*');
  const soon = sumOf(metrics, `${name}_bucket`, `.*le="${LATE_SECONDS}".*route="validate".*`);
  return { all, late: all - soon };
}
