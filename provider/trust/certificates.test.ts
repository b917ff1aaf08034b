import assert from "node:assert/strict";
import { test } from "node:test";
import { createAuthority } from "../../testing/signing/authority.ts";
import { withEnd } from "../../testing/signing/ends.ts";
import { lintCertificate } from "./certificates.ts";

const { root } = await createAuthority({
  name: "root",
  notAfter: new Date("2031-02-03T04:05:06Z"),
});

const cases = [
  { name: "that is valid", der: root, today: "2030-01-01", want: [] },
  {
    name: "that has ended",
    der: root,
    today: "2032-01-01",
    want: [{ severity: "warning", message: "has expired on 2031-02-03" }],
  },
  {
    name: "whose end is no time",
    der: withEnd(root, "310299040506Z"),
    today: "2030-01-01",
    want: [{ severity: "error", message: "does not say from when to when it is valid" }],
  },
];
for (const { name, der, today, want } of cases) {
  test(`a certificate of a trust store ${name}: ${want[0]?.message ?? "no problem"}`, () => {
    assert.deepEqual(lintCertificate(der, "ca", new Date(today)), want);
  });
}
