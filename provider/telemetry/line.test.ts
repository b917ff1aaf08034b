import assert from "node:assert/strict";
import { test } from "node:test";
import { assert as check, property, string } from "fast-check";
import { quote, quoteKey } from "./line.ts";

const cases = [
  { name: "a plain image", text: "nginx:1", want: `"nginx:1"` },
  { name: "quotes and backslashes", text: `"\\`, want: `"\\"\\\\"` },
  { name: "line breaks", text: "a\r\nb", want: `"a\\r\\nb"` },
  { name: "ANSI escapes", text: "\u001b[31m", want: `"\\u001b[31m"` },
  { name: "DEL and C1 controls", text: "\u007f\u009b", want: `"\\u007f\\u009b"` },
  { name: "line separators", text: "\u2028\u2029", want: `"\\u2028\\u2029"` },
  { name: "bidirectional overrides", text: "\u202e", want: `"\\u202e"` },
  { name: "lone surrogates", text: "\ud800", want: `"\\ud800"` },
  { name: "letters beyond ASCII", text: "é😀", want: `"\\u00e9\\ud83d\\ude00"` },
];
for (const { name, text, want } of cases) {
  test(`T-55 ${name} are one line of ASCII`, () => {
    assert.equal(quote(text), want);
    assert.equal(JSON.parse(quote(text)), text);
  });
}

test("T-55 whatever the text, its quote is one line of ASCII and says the same", () => {
  check(
    property(string({ unit: "binary" }), (text) => {
      assert.match(quote(text), /^[ -~]*$/);
      assert.equal(JSON.parse(quote(text)), text);
    }),
  );
});

const cuts = [
  { name: "512 bytes are kept", key: "a".repeat(512), want: "a".repeat(512) },
  { name: "513 bytes are cut", key: "a".repeat(513), want: `${"a".repeat(512)}…` },
  {
    name: "a character is not cut in two",
    key: `${"a".repeat(511)}é`,
    want: `${"a".repeat(511)}…`,
  },
  { name: "a pair is not cut in two", key: `a${"😀".repeat(128)}`, want: `a${"😀".repeat(127)}…` },
  { name: "256 characters of two bytes are kept", key: "é".repeat(256), want: "é".repeat(256) },
  { name: "a megabyte is cut", key: "a".repeat(1_000_000), want: `${"a".repeat(512)}…` },
];
for (const { name, key, want } of cuts) {
  test(`T-55 ${name}`, () => assert.equal(JSON.parse(quoteKey(key)), want));
}
