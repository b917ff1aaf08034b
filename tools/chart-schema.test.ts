import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { CHART_SCHEMA, configurationSchema, COPIES, writtenSchema } from "./chart-schema.ts";

test("the chart's schema is as the provider's is (node tools/chart-schema.ts)", () => {
  const text = readFileSync(CHART_SCHEMA, "utf8");
  assert.equal(text, writtenSchema(text));
});

for (const [source, copy] of COPIES) {
  const name = copy.pathname.replace(/.*\//, "");
  test(`the chart's copy ${name} is fresh (node tools/chart-schema.ts)`, () => {
    assert.equal(readFileSync(copy, "utf8"), readFileSync(source, "utf8"));
  });
}

test("what the chart decides is no member of its part of the configuration", () => {
  const text = JSON.stringify(configurationSchema());
  for (const member of ["address", "tls", "binary", "launcher", "runtimeDirectory", "directory"]) {
    assert.ok(!text.includes(`"${member}":`), member);
  }
});
