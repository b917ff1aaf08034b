import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createOwnDirectory, createTemporaryDirectory } from "./own-directory.ts";

test("F-28 a process gets a private directory, and what ended processes left is removed", (t) => {
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

test("what bears this process's own number was left by another one of it, as a container's first process has, and is removed", (t) => {
  const parent = mkdtempSync(join(tmpdir(), "runtime-"));
  t.after(() => rmSync(parent, { recursive: true }));
  mkdirSync(join(parent, `provider-${process.pid}-left`));
  using own = createOwnDirectory(parent);
  assert.deepEqual(readdirSync(parent), [own.path.slice(parent.length + 1)]);
});

test("what bears another name in the runtime directory is left alone", (t) => {
  const parent = mkdtempSync(join(tmpdir(), "runtime-"));
  t.after(() => rmSync(parent, { recursive: true }));
  const others = ["crl", "provider", "provider-x-1", "xprovider-99999999-a", "data"];
  for (const name of others) mkdirSync(join(parent, name));
  using own = createOwnDirectory(parent);
  assert.ok(existsSync(own.path));
  for (const name of others) assert.ok(existsSync(join(parent, name)), name);
});

test("a runtime directory that cannot be one is refused in a sentence that names the member", (t) => {
  const parent = mkdtempSync(join(tmpdir(), "runtime-"));
  t.after(() => rmSync(parent, { recursive: true }));
  const file = join(parent, "file");
  writeFileSync(file, "");
  assert.throws(() => createOwnDirectory(join(file, "below")), {
    message: /^runtimeDirectory cannot be written: .* \(ENOTDIR\)$/,
  });
});

test("a directory in memory is known as one", (t) => {
  const parent = mkdtempSync(join("/dev/shm", "runtime-"));
  t.after(() => rmSync(parent, { recursive: true }));
  using own = createOwnDirectory(parent);
  assert.ok(own.isMemory);
});

test("a temporary directory is private, keeps nothing, and is gone afterwards", () => {
  const own = createTemporaryDirectory();
  assert.equal(statSync(own.path).mode & 0o777, 0o700);
  assert.equal(own.cache, own.path);
  own[Symbol.dispose]();
  assert.equal(existsSync(own.path), false);
});
