import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { FAILURE_REASONS, REJECT_REASONS } from "./reasons.ts";

/** Rows of the page's table of codes: what stands between the bars, an escaped bar left as it is. */
const rows = readFileSync(new URL("../../docs/reasons.md", import.meta.url), "utf8")
  .split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

const codes = [
  ...REJECT_REASONS.map((code) => ({ code, kind: "rejected" })),
  ...FAILURE_REASONS.map((code) => ({ code, kind: "undecided" })),
];

test("the page has exactly the codes there are, in their order", () => {
  assert.deepEqual(
    rows.map(([code]) => code),
    codes.map(({ code }) => `\`${code}\``),
  );
});

test("no code is of both kinds", () => {
  assert.equal(new Set(codes.map(({ code }) => code)).size, codes.length);
});

for (const { code, kind } of codes) {
  test(`${code} is documented as ${kind}, with what it means and what to do`, () => {
    const [, documented, meaning = "", action = "", ...rest] =
      rows.find(([name]) => name === `\`${code}\``) ?? [];
    assert.equal(documented, kind);
    assert.match(meaning, /^[A-Z].*\.$/);
    assert.match(action, /^[A-Z].*\.$/);
    assert.deepEqual(rest, []);
  });

  test(`${code} is a word that Rego and metrics can use`, () =>
    assert.match(code, /^[A-Z]+(?:_[A-Z]+)*$/));
}
