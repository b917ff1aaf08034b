import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { suite, test } from "node:test";

const ROOT = new URL("../", import.meta.url);
const ID = /\b[TFLH]-[0-9]+\b/g;
const LINK = /\[(?<title>(?:[^\]\\]|\\.)+)\]\((?<path>[^)]+)\)/g;

const idsIn = (text: string): readonly string[] => text.match(ID) ?? [];
const read = (path: string): string => readFileSync(new URL(path, ROOT), "utf8");

/** `T-01` to `T-08` of `span("T", 1, 8)`. */
const span = (letter: string, from: number, to: number): readonly string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => {
    const number = String(from + index);
    return `${letter}-${letter === "T" || letter === "F" ? number.padStart(2, "0") : number}`;
  });

/** Every attack, fault and load that there is a row for; a number that was never given stays free. */
const CATALOGUE = new Map([
  [
    "docs/threat-model.md",
    [
      ...span("T", 1, 8),
      ...span("T", 10, 27),
      ...span("T", 30, 38),
      ...span("T", 40, 48),
      ...span("T", 50, 56),
      ...span("T", 60, 68),
      ...span("T", 70, 74),
      "H-1",
    ],
  ],
  [
    "docs/reliability.md",
    [...span("F", 1, 16), ...span("F", 20, 28), ...span("F", 30, 48), ...span("L", 1, 8)],
  ],
]);

interface Row {
  readonly id: string;
  readonly text: string;
  readonly tests: readonly { readonly title: string; readonly file: string }[];
}

/** Rows of the tables that begin with an ID, with the tests that their last column names. */
function rowsOf(page: string): readonly Row[] {
  const found = read(page).matchAll(/^\| +(?<id>[TFLH]-[0-9]+) +\|(?<text>.*)\|$/gm);
  return Array.from(found, ({ groups: { id = "", text = "" } = {} }) => ({
    id,
    text,
    tests: Array.from(cellsOf(text).at(-1)?.matchAll(LINK) ?? [], ({ groups = {} }) => ({
      title: (groups["title"] ?? "").replaceAll("\\", ""),
      file: new URL(groups["path"] ?? "", new URL(page, ROOT)).pathname,
    })),
  }));
}

/** Cells of a row of Markdown; a vertical bar in one is written with a backslash. */
const cellsOf = (row: string): readonly string[] => row.split(/(?<!\\)\|/);

/** Lines of every file that may name an ID, by its path. This one names them all. */
const named = new Map(
  globSync("{provider,testing,bench,e2e,templates,tools}/**/*.{ts,rego}", { cwd: ROOT.pathname })
    .filter((file) => !import.meta.url.endsWith(file))
    .map((file) => [new URL(file, ROOT).pathname, read(file).split("\n")]),
);

/** Of a comment the ID is a reference and no title. */
const isTitle = (line: string): boolean => !/^\s*(?:\/\/|\/?\*|#)/.test(line);

for (const [page, ids] of CATALOGUE) {
  suite(page, () => {
    const rows = rowsOf(page);

    test("has one row for each ID of the catalogue, and no other", () => {
      assert.deepEqual(rows.map(({ id }) => id).toSorted(), ids.toSorted());
    });

    test("names tests that there are: by these words, with this ID, in this file", () => {
      for (const { id, tests } of rows) {
        for (const { title, file } of tests) {
          assert.ok(existsSync(file), `${id}: ${file}`);
          const lines = named.get(file) ?? [];
          const isThere = lines.some(
            (line) => isTitle(line) && line.includes(title) && idsIn(line).includes(id),
          );
          assert.ok(isThere, `${id}: no test "${title}" in ${file}`);
        }
      }
    });

    test("has tests in a row, or a sentence that says why there are none", () => {
      for (const { id, text, tests } of rows) {
        const says = /(?:Not covered|Does not apply)[^|]*\./.test(text);
        assert.notEqual(says, tests.length > 0, `${id}:${text}`);
      }
    });
  });
}

test("every ID that is named has a row, and no row without tests is in a title", () => {
  const rows = [...CATALOGUE.keys()].flatMap(rowsOf);
  const known = new Map(rows.map((row) => [row.id, row]));
  for (const [file, lines] of named) {
    for (const line of lines) {
      for (const id of idsIn(line)) {
        const row = known.get(id);
        assert.ok(row !== undefined, `${file}: ${id} has no row`);
        if (isTitle(line))
          assert.ok(row.tests.length > 0, `${file}: ${id} has a test and its row names none`);
      }
    }
  }
});
