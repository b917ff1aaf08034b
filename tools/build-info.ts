import { readFile } from "node:fs/promises";

/** What a Go program says that it is built of. */
export interface BuildInfo {
  /** `1.26.8` */
  readonly go: string;
  /** The lines of `go version -m`, each a list of its fields: `["dep", "golang.org/x/sys", "v0.49.0", "h1:…"]`. */
  readonly lines: readonly (readonly string[])[];
}

const MAGIC = Buffer.from("\xff Go buildinf:", "latin1");
/** The header's size; after it stand two strings, each behind its length. */
const HEADER = 32;
/** Of the byte of flags: the strings stand in the header itself, as since Go 1.18. */
const INLINE = 2;
/** Bytes before and after the second string, by which it is found elsewhere. */
const SENTINEL = 16;

/**
 * Reads what the Go linker wrote into a program, so that whoever has the program need not have Go.
 * @throws Error when it is no Go program, or of before Go 1.18
 * @see Go's debug/buildinfo
 */
export async function readBuildInfo(path: string): Promise<BuildInfo> {
  const bytes = await readFile(path);
  const start = bytes.indexOf(MAGIC);
  if (start < 0 || ((bytes[start + MAGIC.length + 1] ?? 0) & INLINE) === 0) {
    throw new Error(`${path} does not say what it is built of`);
  }
  const version = textAt(bytes, start + HEADER);
  const modules = textAt(bytes, version.end);
  return {
    go: version.text.replace(/^go/, ""),
    lines: modules.text
      .slice(SENTINEL, -SENTINEL)
      .split("\n")
      .map((line) => line.split("\t")),
  };
}

/** A text behind its length, seven bits in each byte and the lowest first. */
function textAt(bytes: Buffer, start: number): { readonly text: string; readonly end: number } {
  let at = start;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes.readUInt8(at);
    at += 1;
    length += (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return { text: bytes.toString("latin1", at, at + length), end: at + length };
}
