import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { CHART_README, CHART_VALUES, valuesRows, writtenReadme } from "./chart-readme.ts";

const [page, values] = [readFileSync(CHART_README, "utf8"), readFileSync(CHART_VALUES, "utf8")];

test("the chart's page is as values.yaml is (node tools/chart-readme.ts)", () => {
  assert.equal(page, writtenReadme(page, values));
});

test("the chart's page names every way of installing it that is tested", () => {
  const files = readdirSync(new URL("ci/", CHART_README));
  assert.ok(files.length > 6);
  for (const file of files) assert.ok(page.includes(`[ci/${file}](ci/${file})`), file);
});

test("a row has the path, the default and the words above the key, the first of a map too", () => {
  const text = `# About the file.

# About a.
a:
  # About b,
  # in two lines.
  b: ""
  c: { kubernetes.io/os: linux }
# About d.
d: []
`;
  assert.deepEqual(valuesRows(text), [
    { path: "a", meaning: "About a." },
    { path: "a.b", fallback: '""', meaning: "About b, in two lines." },
    { path: "a.c", fallback: '{"kubernetes.io/os":"linux"}', meaning: "" },
    { path: "d", fallback: "[]", meaning: "About d." },
  ]);
});
