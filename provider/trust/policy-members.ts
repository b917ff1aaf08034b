import { foldName, isObject } from "../lib/strict-json.ts";
import { quoted, type Report } from "./policy-report.ts";

/** What an object of a document has, by name. */
export type Members = ReadonlyMap<string, unknown>;

/** The members of an object by name; unknown ones are reported, because Notation would ignore them. */
export function membersOf(
  value: unknown,
  path: string,
  known: readonly string[],
  report: Report,
): Members | undefined {
  if (!isObject(value)) {
    report.error(path, "must be an object");
    return undefined;
  }
  const members = new Map(Object.entries(value));
  for (const name of members.keys()) {
    if (known.includes(name)) continue;
    const meant = known.find((other) => foldName(other) === foldName(name));
    const at = /^[A-Za-z0-9_-]{1,64}$/.test(name) ? name : quoted(name);
    report.error(
      path === "" ? at : `${path}.${at}`,
      meant === undefined ? "is not a member that Notation knows" : `must be written ${meant}`,
    );
  }
  return members;
}

/** The texts of a list with their places; undefined when it is no list or empty, other entries are reported. */
export function readTexts(
  value: unknown,
  path: string,
  report: Report,
): ReadonlyMap<number, string> | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const texts = new Map<number, string>();
  for (const [index, item] of value.entries()) {
    if (typeof item === "string") texts.set(index, item);
    else report.error(`${path}[${index}]`, "must be a text");
  }
  return texts;
}
