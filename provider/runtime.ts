import { accessSync, constants, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

/** A directory of one process, below the runtime directory. */
export interface OwnDirectory extends Disposable {
  readonly path: string;
}

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
 * @throws when it cannot be written
 */
export function createOwnDirectory(parent: string): OwnDirectory {
  mkdirSync(parent, { recursive: true, mode: 0o700 });
  accessSync(parent, constants.W_OK | constants.X_OK);
  for (const name of readdirSync(parent)) {
    const pid = Number(NAME.exec(name)?.groups?.["pid"]);
    // A container gives its first process the same number every time: what bears our own number is not ours.
    if (pid === process.pid || (pid > 0 && !isRunning(pid))) {
      rmSync(join(parent, name), { recursive: true, force: true });
    }
  }
  const path = mkdtempSync(join(parent, `provider-${process.pid}-`));
  return {
    path,
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}
