import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

/** What a directory is made of: paths relative to it. */
export interface DirectoryContent {
  readonly files: ReadonlyMap<string, string>;
  readonly links: ReadonlyMap<string, string>;
}

/** A directory that grows by whole directories and is removed as one. */
export interface RuntimeDirectory {
  /**
   * Makes a directory in it that is there completely or not at all, and that nobody may write to.
   * @returns its absolute path
   * @throws what the file system says: no space, read-only
   */
  add(name: string, content: DirectoryContent): string;
  /** Removes everything. A second call does nothing. */
  remove(): void;
}

/** Where the directories of all snapshots are. Everything is synchronous: on a memory file system that is the quickest. */
export interface Runtime {
  /**
   * @param label first part of the directory's name
   * @param files paths relative to it, beside the directories that are added
   * @throws what the file system says, and after {@link Runtime.close}
   */
  make(label: string, files: ReadonlyMap<string, string>): RuntimeDirectory;
  /** Removes every directory that was made, and makes no more. */
  close(): void;
}

/** @param parent a directory of this process alone; made if it is absent */
export function createRuntime(parent: string): Runtime {
  mkdirSync(parent, { recursive: true, mode: 0o700 });
  const root = mkdtempSync(join(parent, "trust-"));
  let made = 0;
  let isClosed = false;
  return {
    make(label, files) {
      if (isClosed) throw new Error("the trust directories are closed");
      made += 1;
      const path = join(root, `${label}-${made}`);
      write(path, { files, links: new Map() }, { sealed: false });
      return {
        add(name, content) {
          const directory = join(path, name);
          write(directory, content, { sealed: true });
          return directory;
        },
        remove: () => removeTree(path),
      };
    },
    close() {
      isClosed = true;
      removeTree(root);
    },
  };
}

/** Writes beside the place and renames, so that a half-written directory never has the name. */
function write(path: string, content: DirectoryContent, { sealed }: { sealed: boolean }): void {
  const temporary = `${path}.new`;
  try {
    mkdirSync(temporary, { mode: 0o700 });
    const folders = new Set<string>();
    for (const [name, text] of content.files) {
      const file = join(temporary, name);
      for (let folder = dirname(file); folder !== temporary; folder = dirname(folder)) {
        folders.add(folder);
      }
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      writeFileSync(file, text, { mode: 0o400, flag: "wx" });
    }
    for (const [name, target] of content.links) symlinkSync(target, join(temporary, name));
    for (const folder of folders) chmodSync(folder, 0o500);
    if (sealed) chmodSync(temporary, 0o500);
    renameSync(temporary, path);
  } catch (error) {
    removeTree(temporary);
    throw error;
  }
}

/** Removes a tree of ours; its directories are made writable first, because only root could empty them. */
function removeTree(path: string): void {
  const folders = [path];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    try {
      chmodSync(folder, 0o700);
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        if (entry.isDirectory()) folders.push(join(folder, entry.name));
      }
    } catch {
      // It is gone, or never was: rmSync says what matters.
    }
  }
  rmSync(path, { recursive: true, force: true });
}
