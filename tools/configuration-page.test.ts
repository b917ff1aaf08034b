import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { configurationRows, writtenPage } from "./configuration-page.ts";

test("the page about the configuration is as the schema is (node tools/configuration-page.ts)", () => {
  const page = readFileSync(new URL("../docs/configuration.md", import.meta.url), "utf8");
  assert.equal(page, writtenPage(page));
});

for (const { path, description } of configurationRows()) {
  test(`${path} is explained`, () => assert.match(description, /\w.*\.$/));
}
