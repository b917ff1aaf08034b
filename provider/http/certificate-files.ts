import { type FSWatcher, watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { MaterialSource } from "../lib/material-source.ts";

/** Where the server's certificates are: absolute paths of PEM files. */
export interface TlsFiles {
  /** Serving certificate, with its intermediates behind it. */
  readonly certificate: string;
  readonly key: string;
  /** Roots of the callers' certificates, one or more. */
  readonly clientCA: string;
}

/** Between a change and the telling, so that files which are written one after the other are read together. */
const SETTLE_MS = 100;

const text = async (path: string): Promise<string> => await readFile(path, "latin1");

/**
 * Certificates from files. Their directories are watched, because a mounted Secret is replaced by swapping links; not every
 * file system tells of it.
 */
export function certificateFiles(files: TlsFiles): MaterialSource {
  return {
    async read() {
      const [certificate, key, clientCA] = await Promise.all([
        text(files.certificate),
        text(files.key),
        text(files.clientCA),
      ]);
      return { certificate, key, clientCA };
    },
    watch(onChange) {
      const directories = new Set(Object.values(files).map((path: string) => dirname(path)));
      let timer: NodeJS.Timeout | undefined;
      const settle = (): void => {
        clearTimeout(timer);
        timer = setTimeout(onChange, SETTLE_MS).unref();
      };
      const watchers = [...directories].map((directory) => startWatch(directory, settle));
      return {
        [Symbol.dispose]() {
          clearTimeout(timer);
          for (const watcher of watchers) watcher?.close();
        },
      };
    },
  };
}

/** @returns undefined where the directory cannot be watched: the interval remains */
function startWatch(directory: string, onChange: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(directory, { persistent: false }, onChange);
    watcher.on("error", () => {
      watcher.close();
    });
    return watcher;
  } catch {
    return undefined;
  }
}
