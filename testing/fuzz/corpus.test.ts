import assert from "node:assert/strict";
import { test } from "node:test";
import { corpusOf, moduleOf, targetNames } from "./fuzz.ts";
import type { Target } from "./target.ts";

const targets = await Promise.all(
  (await targetNames()).map(async (name) => {
    const { target } = (await import(moduleOf(name))) as { readonly target: Target };
    return { name, target, corpus: await corpusOf(name) };
  }),
);

for (const { name, target, corpus } of targets) {
  test(`the corpus of ${name} has inputs of different outcomes, and each holds what the target asserts`, async () => {
    assert.equal(target.name, name);
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
