import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { glob, readFile } from "node:fs/promises";
import { test } from "node:test";
import { createAuthority } from "../../testing/signing/authority.ts";
import { withEnd } from "../../testing/signing/ends.ts";
import { validityOf } from "./validity.ts";

const notAfter = new Date("2031-02-03T04:05:06Z");
const { root } = await createAuthority({ name: "one", notAfter });

test("a certificate is valid from when to when it says", () => {
  const validity = validityOf(new X509Certificate(root));
  assert.equal(validity?.ends, notAfter.getTime());
  assert.ok(validity.begins < Date.now());
});

for (const time of ["319903040506Z", "310203996006Z", "3102030405\0\0Z", "abcdefghijklm"]) {
  test(`a certificate that ends ${JSON.stringify(time)} is valid at no time`, () => {
    assert.equal(validityOf(new X509Certificate(withEnd(root, time))), undefined);
  });
}

test("nothing else of the provider reads when a certificate is valid", async () => {
  const folder = new URL("..", import.meta.url).pathname;
  const readers: string[] = [];
  for await (const file of glob("**/*.ts", { cwd: folder })) {
    if (file.endsWith(".test.ts")) continue;
    if (/\bvalid(?:From|To)(?:Date)?\b/.test(await readFile(`${folder}${file}`, "utf8"))) {
      readers.push(file);
    }
  }
  assert.deepEqual(readers, ["lib/validity.ts"]);
});
