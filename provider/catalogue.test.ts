import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";

const ROOT = new URL("../", import.meta.url);
const ID = /\b[TFL]-[0-9]+\b/g;

const idsIn = (text: string): readonly string[] => text.match(ID) ?? [];
const read = (path: string): string => readFileSync(new URL(path, ROOT), "utf8");

test("docs/catalogue.md has a row for each ID that is named, and no other", () => {
  const files = globSync("{provider,testing,bench,e2e,templates,tools}/**/*.{ts,rego}", {
    cwd: ROOT.pathname,
  });
  const named = new Set(files.flatMap((file) => idsIn(read(file))));
  const rows = [...read("docs/catalogue.md").matchAll(/^\| ([TFL]-[0-9]+) +\|/gm)];
  assert.deepEqual(rows.map(([, id = ""]) => id).toSorted(), [...named].toSorted());
});
