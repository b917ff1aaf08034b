import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, hexOf, isDigest } from "./digest.ts";

const hex = "0123456789abcdef".repeat(4);
const cases = [
  { name: "accepts 64 lower-case hexadecimal digits", text: `sha256:${hex}`, want: true },
  { name: "refuses capitals", text: `sha256:${hex.toUpperCase()}`, want: false },
  { name: "refuses a digit less", text: `sha256:${hex.slice(1)}`, want: false },
  { name: "refuses a digit more", text: `sha256:${hex}0`, want: false },
  { name: "refuses a line break at the end", text: `sha256:${hex}\n`, want: false },
  { name: "refuses something before it", text: ` sha256:${hex}`, want: false },
  { name: "refuses another algorithm", text: `sha512:${hex}${hex}`, want: false },
  { name: "refuses hexadecimal digits alone", text: hex, want: false },
];
for (const { name, text, want } of cases) test(name, () => assert.equal(isDigest(text), want));

// FIPS 180-4, the digest of no bytes.
const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

test("a digest is computed over the bytes as they are", () => {
  assert.equal(digestOf(new Uint8Array()), `sha256:${empty}`);
  assert.equal(digestOf("é"), digestOf(Uint8Array.of(0xc3, 0xa9)));
});

test("the hexadecimal digits of a digest are what follows the algorithm", () => {
  assert.equal(hexOf(digestOf("")), empty);
});
