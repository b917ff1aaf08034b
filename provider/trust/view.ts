import { constants } from "node:fs";
import { open, readdir, realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errorCode } from "../lib/error-code.ts";

/** Why something could not be read, in words for the operator; `absent` when it is not there at all. */
export interface Unreadable {
  readonly unreadable: string;
  readonly absent: boolean;
}

/** What a view needs of a file system; paths are absolute. Tests put faults in its place. */
export interface Files {
  /** Follows symbolic links. Reads one byte more than `limit` at most. */
  readFile(path: string, limit: number): Promise<Uint8Array>;
  /** Names in a directory. */
  list(path: string): Promise<readonly string[]>;
  /** Changes whenever what the path leads to changes, or leads to something else. */
  stamp(path: string): Promise<string>;
}

/**
 * Reads a directory as it was at one moment: everything that was asked for is remembered, and
 * {@link View.isUnchanged} says whether it still is what it was when it was read.
 */
export interface View {
  /** @param path relative to the directory */
  readFile(path: string, limit: number): Promise<Uint8Array | Unreadable>;
  /** Names, sorted, without those by which the kubelet swaps volumes (`..data`, `..2026_11_21…`). */
  list(path: string): Promise<readonly string[] | Unreadable>;
  isUnchanged(): Promise<boolean>;
  /** Directories in which a change would matter, their symbolic links followed: a name that no other directory ever had, to its path. */
  directories(): Promise<ReadonlyMap<string, string>>;
}

/** Names in one directory. More is no trust directory, and is not held in memory. */
const MAX_NAMES = 1000;

/** Bytes of all files of one view. */
const MAX_BYTES = 32 * 1024 * 1024;

export const isUnreadable = (value: object): value is Unreadable => "unreadable" in value;

/** @param directory absolute */
export function createView(directory: string, files: Files): View {
  const stamps = new Map<string, string>();
  const visited = new Set([directory]);
  const read = new Set<string>();
  const visit = (path: string) => {
    for (let folder = path; folder.length > directory.length; folder = dirname(folder)) {
      visited.add(folder);
    }
  };
  let bytesLeft = MAX_BYTES;

  /** A second look at the same path must find what the first one found. */
  const look = async <T>(path: string, how: (path: string) => Promise<T>) => {
    const absolute = join(directory, path);
    const stamp = await stampOf(files, absolute);
    const before = stamps.get(absolute);
    // Something else than at the first look: stays recorded as a change.
    stamps.set(absolute, before === undefined || before === stamp ? stamp : "changed");
    try {
      return await how(absolute);
    } catch (error) {
      return unreadable(error);
    }
  };

  return {
    readFile(path, limit) {
      visit(dirname(join(directory, path)));
      read.add(join(directory, path));
      return look(path, async (absolute) => {
        const bytes = await files.readFile(absolute, limit);
        if (bytes.length > limit) throw new Refused(`is larger than ${limit} bytes`);
        bytesLeft -= bytes.length;
        if (bytesLeft < 0) throw new Refused(`is beyond the ${MAX_BYTES} bytes of all files`);
        return bytes;
      });
    },
    list(path) {
      visit(join(directory, path));
      return look(path, async (absolute) => {
        const names = await files.list(absolute);
        const own = names.filter((name) => !name.startsWith(".."));
        if (own.length > MAX_NAMES) throw new Refused(`has more than ${MAX_NAMES} entries`);
        return own.toSorted();
      });
    },
    async isUnchanged() {
      for (const [path, stamp] of stamps) {
        if ((await stampOf(files, path)) !== stamp) return false;
      }
      return true;
    },
    async directories() {
      const found = new Map<string, string>();
      for (const path of visited) await addDirectory(found, path);
      // Where a link leads, a file may be written in place.
      for (const path of read) await addDirectory(found, path, dirname);
      return found;
    },
  };
}

async function addDirectory(
  found: Map<string, string>,
  path: string,
  part: (path: string) => string = (whole) => whole,
): Promise<void> {
  try {
    const directory = part(await realpath(path));
    // One that was removed and made again has the same path, and another number.
    const { dev, ino } = await stat(directory);
    found.set(`${dev}:${ino}:${directory}`, directory);
  } catch {
    // What is not there cannot be watched; the directory above it is.
  }
}

async function stampOf(files: Files, path: string): Promise<string> {
  try {
    return await files.stamp(path);
  } catch (error) {
    return unreadable(error).unreadable;
  }
}

/** A reason of ours, as opposed to one of the system. */
class Refused extends Error {}

const REASONS = new Map([
  ["ENOENT", "is absent"],
  ["ENOTDIR", "is not a directory"],
  ["EISDIR", "is a directory, not a file"],
  ["EACCES", "may not be read: its permissions do not allow it"],
  ["EPERM", "may not be read: its permissions do not allow it"],
  ["ELOOP", "is a symbolic link that leads to itself"],
]);

function unreadable(error: unknown): Unreadable {
  if (error instanceof Refused) return { unreadable: error.message, absent: false };
  const code = errorCode(error) ?? "unknown fault";
  const reason = REASONS.get(code) ?? `cannot be read (${code})`;
  return { unreadable: reason, absent: code === "ENOENT" };
}

/** The file system of this machine. */
export const machineFiles: Files = {
  async readFile(path, limit) {
    // Without O_NONBLOCK, opening a pipe would wait for a writer for ever.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const facts = await file.stat();
      if (facts.isDirectory()) throw new Refused("is a directory, not a file");
      if (!facts.isFile()) throw new Refused("is not a regular file");
      const bytes = Buffer.alloc(Math.min(facts.size, limit) + 1);
      let length = 0;
      while (length < bytes.length) {
        const { bytesRead } = await file.read(bytes, length, bytes.length - length);
        if (bytesRead === 0) break;
        length += bytesRead;
      }
      return bytes.subarray(0, length);
    } finally {
      await file.close();
    }
  },
  list: (path) => readdir(path),
  async stamp(path) {
    const { dev, ino, mode, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, mode, size, mtimeNs, ctimeNs].join(" ");
  },
};
