import assert from "node:assert/strict";
import { test } from "node:test";
import { JsonProblem, parseStrictJson } from "./strict-json.ts";

const refused = [
  {
    name: "refuses members that are equal to Go, which folds ſ to s",
    text: `{"layers":1,"layer\u017f":2}`,
    problem: "a member occurs twice",
  },
  { name: "refuses a repeated member", text: `{"a":1,"a":2}`, problem: `member "a" occurs twice` },
  {
    name: "refuses a repeated member, and does not repeat a long name",
    text: `{"${"a".repeat(65)}":1,"${"A".repeat(65)}":2}`,
    problem: "a member occurs twice",
  },
  {
    name: "refuses a repeated member, and does not repeat a name that turns the line around",
    text: `{"a\u202e":1,"a\u202e":2}`,
    problem: "a member occurs twice",
  },
  {
    name: "refuses members that differ only in case",
    text: `{"a":1,"A":2}`,
    problem: `member "A" occurs twice`,
  },
  {
    name: "sees through escapes",
    text: `{"a":1,"\\u0061":2}`,
    problem: `member "\\u0061" occurs twice`,
  },
  {
    name: "looks into nested objects",
    text: `[{"x":[{"b":{},"b":[]}]}]`,
    problem: `member "b" occurs twice`,
  },
  {
    name: "looks past a nested value",
    text: `{"a":{"b":[1,{"c":2}]},"a":1}`,
    problem: `member "a" occurs twice`,
  },
  { name: "refuses trailing text", text: `{} {}`, problem: "not JSON" },
  { name: "refuses a byte order mark", text: Buffer.from("\ufeff{}"), problem: "not JSON" },
  {
    name: "refuses bytes that are not UTF-8",
    text: Buffer.from([0x22, 0xff, 0x22]),
    problem: "not UTF-8",
  },
  {
    name: "refuses half a million levels without overflowing",
    text: "[".repeat(500_000) + "]".repeat(500_000),
    problem: "nested deeper than 64 levels",
  },
];
for (const { name, text, problem } of refused) {
  test(name, () => {
    const got = parseStrictJson(text);
    assert.ok(got instanceof JsonProblem);
    assert.equal(got.problem, problem);
  });
}

const accepted = [
  { name: "accepts equal names in different objects", text: `[{"a":1},{"a":{"a":"a"}}]` },
  { name: "accepts strings that look like members", text: `{"a":"a","b":["b","b","{\\"a\\":1,"]}` },
  { name: "accepts __proto__ as a plain member", text: `{"__proto__":1,"constructor":2}` },
];
for (const { name, text } of accepted) {
  test(name, () => assert.deepEqual(parseStrictJson(text), JSON.parse(text)));
}

test("a document cannot pretend to be a problem", () => {
  assert.equal(parseStrictJson(`{"problem":"x"}`) instanceof JsonProblem, false);
});
