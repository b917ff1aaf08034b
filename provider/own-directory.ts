import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";

/** A directory of one process, below the runtime directory. */
export interface OwnDirectory extends Disposable {
  readonly path: string;
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
    return error instanceof Error && "code" in error && error.code === "EPERM";
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
    const path = mkdtempSync(join(parent, `provider-${process.pid}-`));
    return {
      path,
      isMemory: MEMORY.has(statfsSync(path).type),
      [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
    };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw new Error(`runtimeDirectory cannot be written: ${parent} (${code})`, { cause: error });
  }
}

function removeLeft(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = Number(NAME.exec(name)?.groups?.["pid"]);
    // A container gives its first process the same number every time: what bears our own number is not ours.
    if (pid === process.pid || (pid > 0 && !isRunning(pid))) {
      rmSync(join(parent, name), { recursive: true, force: true });
    }
  }
}
