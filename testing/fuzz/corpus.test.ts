import assert from "node:assert/strict";
import { test } from "node:test";
import { corpusOf, loadTargets, targetNames } from "./fuzz.ts";

const loaded = await loadTargets();
const names = await targetNames();
const targets = await Promise.all(
  loaded.map(async (target) => ({ target, corpus: await corpusOf(target.name) })),
);

test("each target has the name of its file", () => {
  assert.deepEqual(
    loaded.map(({ name }) => name),
    names,
  );
});

for (const { target, corpus } of targets) {
  const { name, title } = target;
  test(`${title}: inputs of the corpus ${name}, which have different outcomes`, async () => {
    const outcomes = new Set<string>();
    for (const [file, input] of corpus) {
      assert.ok(input.length <= target.maxBytes, file);
      try {
        outcomes.add(await target.check(input));
      } catch (error) {
        throw new Error(`${name}/${file}`, { cause: error });
      }
    }
    assert.ok(outcomes.size > 2, [...outcomes].join("\n"));
  });
}
