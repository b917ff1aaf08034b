import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FLAGS, ROOT, VARIABLES } from "./start.ts";

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const flagsIn = (text: string): readonly string[] =>
  text.match(/--[a-z][a-z0-9-]*(?:=[a-z0-9]+)?/g) ?? [];

const variablesIn = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    [...text.matchAll(/\b([A-Z_]+)=(\S+)/g)].map(([, name = "", value = ""]) => [name, value]),
  );

test("the image, the tests and the documentation start the service with the same flags and variables", () => {
  // The last stage is the image.
  const [image = ""] = read("Dockerfile")
    .split(/^FROM /m)
    .slice(-1);
  const entry = /^ENTRYPOINT (.*)$/m.exec(image)?.[1] ?? "";
  // How much memory there is to be had is the container's.
  const ofImage = flagsIn(entry).filter((flag) => !flag.startsWith("--max-old-space-size"));
  assert.deepEqual(ofImage, FLAGS);
  const [, command = ""] =
    /```sh\n(\S* ?node .*?) provider\/main\.ts/s.exec(read("docs/configuration.md")) ?? [];
  assert.deepEqual(flagsIn(command), FLAGS);
  const variables = [/^ENV (.*)$/m.exec(image)?.[1] ?? "", command].map(variablesIn);
  assert.deepEqual(variables, [VARIABLES, VARIABLES]);
});

// The override in package.json gives http-assert an http-errors without code made of text; its `ctx.assert` does not work with it.
test("nobody calls ctx.assert, which throws a TypeError under the override of http-errors", () => {
  for (const file of globSync("provider/**/*.ts", { cwd: ROOT })) {
    assert.doesNotMatch(read(file), /\bctx\.assert\b/, file);
  }
});
