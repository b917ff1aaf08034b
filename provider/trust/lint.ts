import { join, resolve } from "node:path";
import { quoted } from "./policy-report.ts";
import { isStoreName, STORE_TYPES } from "./policy-trusted.ts";
import { DEFAULT_FILE, isPolicyFile, POLICY_FOLDER, readTrust, type Reading } from "./read.ts";
import { pathOfStore, readStore } from "./store.ts";
import type { Problem } from "./trust.ts";
import { createView, isUnreadable, machineFiles, type Files, type View } from "./view.ts";

/** What else Notation keeps in its configuration directory; none of it is of use to us. */
const OF_NOTATION = new Set(["config.json", "signingkeys.json", "localkeys", "plugins"]);

/**
 * Every problem of a trust directory, those of files that no policy uses included, in the order of their
 * paths. Rejects for nothing that is in the directory.
 * @param allowWeak policies that may be weaker than strict without a warning
 */
export async function lint(
  directory: string,
  allowWeak: readonly string[],
  files: Files = machineFiles,
): Promise<readonly Problem[]> {
  const view = createView(resolve(directory), files);
  const today = new Date();
  const reading = await readTrust(view, { allowWeak, today });
  const problems = [
    ...(reading.gap === undefined ? [] : [reading.gap]),
    ...[...reading.policies.values()].flatMap((policy) => policy.problems),
    ...(await lintEntries(view)),
    ...(await lintUnused(view, reading, today)),
  ];
  // A store that two policies name is one problem.
  const unique = new Map(
    problems.map((problem) => [JSON.stringify(Object.values(problem)), problem]),
  );
  return [...unique.values()].toSorted(byPath);
}

const byPath = (a: Problem, b: Problem): number =>
  a.path.localeCompare(b.path, "en", { numeric: true });

const unread = (path: string, message: string): Problem => ({ severity: "warning", path, message });

const safe = (name: string): string => (/^[A-Za-z0-9_.-]{1,255}$/.test(name) ? name : quoted(name));

/** Names in a directory; none when it cannot be read, which is reported where it matters. */
async function namesIn(view: View, path: string): Promise<readonly string[]> {
  const names = await view.list(path);
  return isUnreadable(names) ? [] : names;
}

/** Files and folders of which nothing is read: misspelt, mostly. */
async function lintEntries(view: View): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  const expect = async (path: string, isKnown: (name: string) => boolean, message: string) => {
    for (const name of await namesIn(view, path)) {
      if (!isKnown(name)) problems.push(unread(join(path, safe(name)), message));
    }
  };
  const top = new Set([DEFAULT_FILE, POLICY_FOLDER, "truststore"]);
  await expect(
    ".",
    (name) => top.has(name) || OF_NOTATION.has(name),
    `is not read: ${[...top].join(", ")} are`,
  );
  await expect(POLICY_FOLDER, isPolicyFile, "is not read: <name>.json is a policy");
  await expect("truststore", (name) => name === "x509", "is not read: truststore/x509 is");
  await expect(
    join("truststore", "x509"),
    (name) => STORE_TYPES.some((type) => type === name),
    `is not read: the types of stores are ${STORE_TYPES.join(", ")}`,
  );
  return problems;
}

/** Stores that no policy names, with what is wrong in them: unlike a named one's, that harms nobody yet. */
async function lintUnused(
  view: View,
  { policies }: Reading,
  today: Date,
): Promise<readonly Problem[]> {
  // A policy with an error does not say which stores it names.
  const isSure = [...policies.values()].every((policy) => policy.content !== undefined);
  const named = new Set<string>();
  for (const { content } of policies.values()) {
    for (const store of content?.stores.keys() ?? []) named.add(store);
  }
  const problems: Problem[] = [];
  for (const type of STORE_TYPES) {
    for (const name of await namesIn(view, join("truststore", "x509", type))) {
      if (named.has(`${type}:${name}`)) continue;
      const path = join("truststore", "x509", type, safe(name));
      if (!isStoreName(name)) {
        problems.push({ severity: "error", path, message: "is no name of a trust store" });
        continue;
      }
      const store = await readStore(view, { type, name }, today);
      problems.push(...store.problems);
      if (isSure) problems.push(unread(pathOfStore(type, name), "is named by no policy"));
    }
  }
  return problems;
}
