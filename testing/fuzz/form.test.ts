import assert from "node:assert/strict";
import { test } from "node:test";
import { cose, json, jws } from "./form.ts";
import { corpusOf } from "./fuzz.ts";
import { mutate } from "./mutate.ts";
import { createRandom } from "./random.ts";
import type { Target } from "./target.ts";
import { Embedded, Members } from "./tree.ts";

const forms = { jws, cose };
for (const [kind, form] of Object.entries(forms)) {
  for (const [name, input] of await corpusOf(kind)) {
    // What Notation's signers write; the others are broken on purpose.
    if (!["plain", "aws-signer", "plugin", "expiry-and-metadata"].includes(name)) continue;
    test(`the ${kind} ${name} is the same bytes when it is taken apart and put together`, () => {
      const tree = form.read(input);
      assert.ok(tree !== undefined);
      assert.deepEqual(Buffer.from(form.write(tree)), input);
    });
  }
}

test("a member may be written twice, and a document into a string of another", () => {
  const inner = new Embedded(new Members([["a", 1]]), "json");
  const tree = new Members([
    ["x", inner],
    ["x", [null, 1.5, Buffer.of(255)]],
  ]);
  assert.equal(
    Buffer.from(json.write(tree)).toString(),
    '{"x":"eyJhIjoxfQ","x":[null,1.5,"/w=="]}',
  );
});

test("a change is one of the seed, within the target's length, and leaves the input as it was", () => {
  const target: Target = {
    name: "any",
    title: "any text",
    maxBytes: 64,
    words: ["word"],
    form: json,
    check: () => "",
  };
  const input = Buffer.from('{"a":["b",{"c":1}]}');
  const changes = (seed: number): readonly string[] => {
    const random = createRandom(seed);
    return Array.from({ length: 500 }, () =>
      Buffer.from(mutate(input, target, [input], random)).toString("latin1"),
    );
  };
  const made = changes(1);
  assert.deepEqual(changes(1), made);
  assert.notDeepEqual(changes(2), made);
  assert.ok(made.every((text) => text.length <= 64));
  assert.ok(new Set(made).size > 300);
  assert.equal(input.toString(), '{"a":["b",{"c":1}]}');
});
