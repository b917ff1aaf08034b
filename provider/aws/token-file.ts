import { readFile } from "node:fs/promises";

/** Attempts to read a file that is just being replaced, and milliseconds between them. */
const ATTEMPTS = 3;
const PAUSE_MS = 50;

/**
 * The token of a mounted file that is rotated: while it is missing or empty, which it is for a moment, it is read again.
 * @param pause waits so many milliseconds
 * @returns undefined when it stays so, or holds what no token holds
 * @see docs/reliability.md, F-16
 */
export async function readTokenFile(
  path: string,
  pause: (ms: number) => Promise<void>,
): Promise<string | undefined> {
  for (let left = ATTEMPTS; left > 0; left -= 1) {
    const text = await readFile(path, "utf8").then(
      (read) => read.trim(),
      () => "",
    );
    // No blank and no control character, so that it stands in one header.
    if (text !== "") return /^[\u0021-\u007e]{1,16384}$/.test(text) ? text : undefined;
    if (left > 1) await pause(PAUSE_MS);
  }
  return undefined;
}
