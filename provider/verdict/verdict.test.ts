import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { isRefusal, oneLine, rejected, SENTENCE_BYTES, undecided } from "./verdict.ts";

const lines = [
  {
    name: "leaves a sentence as it is",
    text: "no signature: é, \u{1f600}.",
    want: "no signature: é, \u{1f600}.",
  },
  { name: "leaves no text as it is", text: "", want: "" },
  { name: "T-55 takes line breaks out", text: "a\nb\r\nc", want: "a b  c" },
  {
    name: "T-55 takes a terminal's sequences out",
    text: "\u001b[31mred\u009b0m",
    want: " [31mred 0m",
  },
  { name: "T-55 takes zero bytes, tabs and DEL out", text: "a\0b\tc\u007fd", want: "a b c d" },
  {
    name: "T-55 takes the separators of lines and paragraphs out",
    text: "a\u2028b\u2029c",
    want: "a b c",
  },
  {
    name: "T-55 takes what turns the direction of writing out",
    text: "a\u202eb\u2066c",
    want: "a b c",
  },
  { name: "T-55 takes lone surrogates out", text: "a\ud800b\udc00c\udc00\ud800", want: "a b c  " },
  { name: "keeps pairs of surrogates", text: "\u{1f600}\u{1f600}", want: "\u{1f600}\u{1f600}" },
  { name: "keeps 200 bytes", text: "a".repeat(200), want: "a".repeat(200) },
  { name: "cuts 201 bytes and says so", text: "a".repeat(201), want: `${"a".repeat(197)}…` },
  { name: "counts bytes, not characters", text: "é".repeat(101), want: `${"é".repeat(98)}…` },
  {
    name: "cuts between characters",
    text: "\u{1f600}".repeat(51),
    want: `${"\u{1f600}".repeat(49)}…`,
  },
  {
    name: "takes a pair that the cut would split out whole",
    text: `${"a".repeat(200)}\u{1f600}`,
    want: `${"a".repeat(197)}…`,
  },
  { name: "keeps what fits once it is clean", text: "\u2028".repeat(200), want: " ".repeat(200) },
];
for (const { name, text, want } of lines) test(name, () => assert.equal(oneLine(text), want));

const UNCLEAN = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

test("any text becomes one printable line of at most as many bytes as asked, and stays so", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", maxLength: 300 }),
      fc.integer({ min: 3, max: 220 }),
      (text, bytes) => {
        const line = oneLine(text, bytes);
        assert.ok(Buffer.byteLength(line) <= bytes);
        assert.ok(line.isWellFormed());
        assert.doesNotMatch(line, UNCLEAN);
        assert.equal(oneLine(line, bytes), line);
      },
    ),
    { numRuns: 2_000 },
  );
});

test("a clean text that fits is not touched", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 100 }), (text) => {
      // Some graphemes are separators of lines.
      fc.pre(Buffer.byteLength(text) <= SENTENCE_BYTES && !UNCLEAN.test(text));
      assert.equal(oneLine(text), text);
    }),
  );
});

test("T-55 refusals clean their sentences", () => {
  assert.deepEqual(rejected("UNSIGNED", "a\nb"), {
    kind: "rejected",
    reason: "UNSIGNED",
    sentence: "a b",
  });
  assert.deepEqual(undecided("TIMEOUT", "a\nb"), {
    kind: "undecided",
    reason: "TIMEOUT",
    sentence: "a b",
  });
});

const values = [
  { name: "a rejection", value: rejected("UNSIGNED", "x"), want: true },
  { name: "a failure", value: undecided("TIMEOUT", "x"), want: true },
  { name: "a skipped verdict", value: { kind: "skipped" }, want: false },
  { name: "a digest", value: "sha256:00", want: false },
  { name: "a descriptor", value: { mediaType: "a/b", size: 1 }, want: false },
  { name: "a list", value: [rejected("UNSIGNED", "x")], want: false },
  { name: "null", value: null, want: false },
  { name: "undefined", value: undefined, want: false },
];
for (const { name, value, want } of values) {
  test(`${name} is ${want ? "" : "not "}a refusal`, () => assert.equal(isRefusal(value), want));
}
