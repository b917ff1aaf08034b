import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorCode } from "./lib/error-code.ts";

/** A directory of one process, which goes with it. */
export interface OwnDirectory extends Disposable {
  readonly path: string;
  /** Where revocation lists are kept, on the same mount: a process that comes after this one need not fetch them again. */
  readonly cache: string;
  /** Whether what is written goes to memory alone: otherwise each verification waits for a disk. */
  readonly isMemory: boolean;
}

/** Types of file systems that live in memory. @see statfs(2): TMPFS_MAGIC, RAMFS_MAGIC */
const MEMORY: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);

const NAME = /^provider-(?<pid>\d+)-/;

/** Whether a process is there; one that may not be signalled is. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === "EPERM";
  }
}

/**
 * Makes a private directory for this process, and removes those of processes that ended without removing theirs.
 * @param parent the runtime directory; made if it is not there
 * @throws with a sentence when it cannot be written
 */
export function createOwnDirectory(parent: string): OwnDirectory {
  try {
    mkdirSync(parent, { recursive: true, mode: 0o700 });
    removeLeft(parent);
    return own(mkdtempSync(join(parent, `provider-${process.pid}-`)), parent);
  } catch (error) {
    const code = errorCode(error) ?? "unknown";
    throw new Error(`runtimeDirectory cannot be written: ${parent} (${code})`, { cause: error });
  }
}

/** Makes a private directory of which nothing is kept: in memory, or where temporary files go if that cannot be written. */
export function createTemporaryDirectory(): OwnDirectory {
  for (const parent of ["/dev/shm", tmpdir()]) {
    try {
      return own(mkdtempSync(join(parent, "notation-provider-")));
    } catch {
      // The next one, or none.
    }
  }
  throw new Error(`no temporary directory can be made in ${tmpdir()}`);
}

const own = (path: string, cache = path): OwnDirectory => ({
  path,
  cache,
  isMemory: MEMORY.has(statfsSync(path).type),
  [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
});

function removeLeft(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = Number(NAME.exec(name)?.groups?.["pid"]);
    // A container gives its first process the same number every time: what bears our own number is not ours.
    if (pid === process.pid || (pid > 0 && !isRunning(pid))) {
      rmSync(join(parent, name), { recursive: true, force: true });
    }
  }
}
