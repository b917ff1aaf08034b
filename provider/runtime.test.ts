import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createOwnDirectory } from "./runtime.ts";

test("a process gets a private directory, and what ended processes left is removed", (t) => {
  const parent = mkdtempSync(join(tmpdir(), "runtime-"));
  t.after(() => rmSync(parent, { recursive: true }));
  // No process has a number beyond the system's largest.
  const left = join(parent, "provider-99999999-abc");
  const others = join(parent, "provider-1-abc");
  for (const path of [left, others]) mkdirSync(path);
  const own = createOwnDirectory(parent);
  assert.equal(statSync(own.path).mode & 0o777, 0o700);
  assert.deepEqual([existsSync(left), existsSync(others)], [false, true]);
  own[Symbol.dispose]();
  assert.equal(existsSync(own.path), false);
});
