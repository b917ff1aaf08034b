import assert from "node:assert/strict";
import { test } from "node:test";
import { isName } from "./name.ts";

const cases = [
  { text: "prod", want: true },
  { text: "com.amazonaws.signer.notation.plugin", want: true },
  { text: "_A.z-9", want: true },
  { text: "p".repeat(64), want: true },
  { text: "p".repeat(65), want: false },
  { text: "", want: false },
  { text: ".hidden", want: false },
  { text: "..", want: false },
  { text: "-option", want: false },
  { text: "a/b", want: false },
  { text: "a\n", want: false },
];
for (const { text, want } of cases) {
  test(`${JSON.stringify(text)} is ${want ? "a" : "no"} name`, () =>
    assert.equal(isName(text), want));
}
