import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";

const ROOT = new URL("../", import.meta.url);

/**
 * What a sentence may be completed with: words of closed lists, numbers, names that the caller gave, and texts that another test
 * bounds. A sentence with anything else in it is a place where the inside could come out.
 */
const MAY_BE_SAID = new Map([
  ["result.code", "an exit code"],
  ["result.spawnError", "a code of the system, such as ENOENT"],
  ["result.signal", "the name of a signal"],
  ["reply.status", "a status of HTTP"],
  ["state.problem", "a sentence of notation/version.ts, which holds no path"],
  ["why", "a sentence of ours"],
  ["what", "a sentence of ours"],
  ["status.profile", "the signing profile of the image's registry, which the image's author chose"],
  ["status.sentence", "a sentence of Amazon ECR about the image, cut"],
  ["refusals.length", "a number"],
  ["listed", "a number"],
  ["status.count", "a number"],
]);

/** Texts of all refusals: the second argument of what makes one. */
const CALL =
  /(?:undecided|rejected)\(\s*(?:"[A-Z_]+"|[a-z]\w*),\s*(?<text>"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`)/g;

/** An address, a path, a host, an ARN, or what a credential looks like. */
const INSIDE =
  /:\/\/|(?:^|\s)\.{0,2}\/\w|\b\d{1,3}(?:\.\d{1,3}){3}\b|\barn:|\.(?:svc|local|internal|com|ts|json)\b|\b(?:Bearer|Basic|AKIA)\b/;

const files = globSync("**/*.ts", { cwd: ROOT.pathname }).filter(
  (file) => !file.includes(".test."),
);
const texts = files.flatMap((file) =>
  Array.from(readFileSync(new URL(file, ROOT), "utf8").matchAll(CALL), ({ groups = {} }) => ({
    file,
    text: groups["text"] ?? "",
  })),
);

test("T-72 the sentences of refusals are found where they are made", () => {
  assert.ok(texts.length > 50, String(texts.length));
});

for (const { file, text } of texts) {
  test(`T-72 ${file} says nothing of the inside: ${text.slice(1, 60)}`, () => {
    assert.doesNotMatch(text.replaceAll(/\$\{[^}]*\}/g, "x"), INSIDE);
    for (const [, expression = ""] of text.startsWith("`") ? text.matchAll(/\$\{([^}]*)\}/g) : []) {
      assert.ok(MAY_BE_SAID.has(expression), `${expression} is not on the list`);
    }
  });
}

test("T-72 nothing is on the list that no sentence says", () => {
  const said = new Set(
    texts.flatMap(({ text }) => Array.from(text.matchAll(/\$\{([^}]*)\}/g), ([, each]) => each)),
  );
  assert.deepEqual(
    MAY_BE_SAID.keys()
      .filter((each) => !said.has(each))
      .toArray(),
    [],
  );
});
