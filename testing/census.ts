import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** What a process holds at one moment. */
export interface Census {
  /** Open file descriptors that are no sockets. */
  readonly files: number;
  readonly sockets: number;
  /** Processes below it, in whatever generation. */
  readonly processes: readonly number[];
  /** Everything in its directories, sorted. */
  readonly paths: readonly string[];
}

/**
 * Counts what a process holds. Connections that are kept for the next request count too: ask for something before the first
 * census, so that they are there.
 * @param directories where it writes
 * @see proc(5)
 */
export function census(pid: number, directories: readonly string[] = []): Census {
  const links = descriptorsOf(pid);
  return {
    files: links.filter((link) => !isSocket(link)).length,
    sockets: links.filter(isSocket).length,
    processes: descendantsOf(pid),
    paths: directories.flatMap(pathsIn).toSorted(),
  };
}

/** Whether a process holds nothing that it did not hold before; fewer connections are no loss. */
export const isBack = (now: Census, before: Census): boolean =>
  now.files <= before.files &&
  now.sockets <= before.sockets &&
  now.processes.every((pid) => before.processes.includes(pid)) &&
  now.paths.every((path) => before.paths.includes(path));

/** What the descriptors of a process lead to: `socket:[123]`, `pipe:[123]`, a path. */
export function descriptorsOf(pid: number): readonly string[] {
  return list(`/proc/${pid}/fd`).flatMap((name) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${name}`)];
    } catch {
      return [];
    }
  });
}

/** Processes below one. */
export function descendantsOf(ancestor: number): readonly number[] {
  const children = new Map<number, number[]>();
  for (const pid of list("/proc").map(Number).filter(Number.isInteger)) {
    const parent = parentOf(pid);
    if (parent === undefined) continue;
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [pid]);
    else siblings.push(pid);
  }
  const found: number[] = [ancestor];
  // Grows while it is gone through.
  for (const pid of found) found.push(...(children.get(pid) ?? []));
  return found.slice(1);
}

/** Parent of a process; undefined when it has ended. @see proc_pid_stat(5) */
function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}

/** Memory of a process that is resident, in bytes. */
export function residentBytes(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kibibytes) * 1024;
}

const isSocket = (link: string): boolean => link.startsWith("socket:");

function pathsIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory, { recursive: true, encoding: "utf8" }).map((name) =>
      join(directory, name),
    );
  } catch {
    // Something in it went away meanwhile.
    return [];
  }
}

function list(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
