import assert from "node:assert/strict";
import { test } from "node:test";
import { createAuthority } from "../../testing/signing/authority.ts";
import { pem } from "../../testing/signing/trust.ts";
import { certificatesOf } from "./pem.ts";

const one = pem((await createAuthority({ name: "one" })).root);
const other = pem((await createAuthority({ name: "other" })).root);

const cases = [
  { name: "nothing", text: "", want: 0 },
  { name: "text that is no PEM", text: "server: {}", want: 0 },
  { name: "one certificate", text: one, want: 1 },
  { name: "two with words between them", text: `# one\n${one}\n# other\n${other}`, want: 2 },
  { name: "a second one that is cut off", text: `${one}${other.slice(0, 200)}`, want: 0 },
  { name: "a second one that is broken", text: one + other.replace(/\nMII/, "\nAAA"), want: 0 },
];
for (const { name, text, want } of cases) {
  test(`${name}: ${want} certificates`, () => assert.equal(certificatesOf(text).length, want));
}
