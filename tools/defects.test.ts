import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { readDefects } from "./defects.ts";

const ROOT = new URL("../", import.meta.url);
const ROW =
  /^\| \[(?<name>[^\]]+)\]\(\.\.\/defects\/(?<file>[^)]+)\.patch\) \| (?<why>.+?) \| (?<red>.+) \|$/gm;

const page = readFileSync(new URL("docs/defects.md", ROOT), "utf8");
const rows = Array.from(page.matchAll(ROW), ({ groups = {} }) => ({
  name: groups["name"] ?? "",
  file: groups["file"] ?? "",
  why: groups["why"] ?? "",
  // A vertical bar is written with a backslash in a table of Markdown.
  red: groups["red"]?.replaceAll("\\|", "|") ?? "",
}));
const defects = readDefects();

test("docs/defects.md has a row for each deliberate defect, in their order, with what the defect says of itself, and no other", () => {
  assert.equal(page.match(/^\| \[/gm)?.length, rows.length, "every row is read");
  assert.deepEqual(
    rows.map(({ name, file, why }) => ({ name, file, why })),
    defects.map(({ name, why }) => ({ name, file: name, why })),
  );
});

for (const { name, tests, red } of defects) {
  test(`the test that docs/defects.md names for the defect ${name} is one that must turn red, in a file that there is`, () => {
    const title = rows.find((row) => row.name === name)?.red ?? "";
    assert.match(title, red);
    const files = tests.map((file) => ({ file, isThere: existsSync(new URL(file, ROOT)) }));
    assert.deepEqual(
      files.filter(({ isThere }) => !isThere),
      [],
    );
  });
}
