import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createMount } from "../../testing/gatekeeper/mount.ts";
import { readTokenFile } from "./token-file.ts";

async function place(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "token-"));
  t.after(async () => await rm(directory, { recursive: true }));
  return join(directory, "token");
}

for (const before of ["", undefined]) {
  test(`F-16 a token file that is ${before === undefined ? "missing" : "empty"} for a moment is read again`, async (t) => {
    const path = await place(t);
    if (before !== undefined) await writeFile(path, before);
    const pauses: number[] = [];
    const token = await readTokenFile(path, async (ms) => {
      pauses.push(ms);
      if (pauses.length === 2) await writeFile(path, "rotated\n");
    });
    assert.deepEqual([token, pauses], ["rotated", [50, 50]]);
  });
}

test("F-16 a token file that stays missing is given up after a moment", async (t) => {
  const pauses: number[] = [];
  const token = await readTokenFile(await place(t), async (ms) => void pauses.push(ms));
  assert.deepEqual([token, pauses.length], [undefined, 2]);
});

for (const text of ["two\r\nheaders: here", "a blank", "no\u0000", "x".repeat(16_385)]) {
  test(`F-16 a file that holds no token is not sent: ${JSON.stringify(text.slice(0, 24))}`, async (t) => {
    const path = await place(t);
    await writeFile(path, text);
    assert.equal(await readTokenFile(path, async () => {}), undefined);
  });
}

test("F-16 a token file that is rotated again and again is always one token or the other", async () => {
  await using mount = await createMount({ token: "first" });
  const path = join(mount.directory, "token");
  const seen = new Set<string | undefined>();
  const over = new AbortController();
  const rotate = async (): Promise<void> => {
    for (let turn = 0; turn < 200; turn += 1) {
      await mount.write({ token: turn % 2 === 0 ? "second" : "first" });
    }
    over.abort();
  };
  const read = async (): Promise<void> => {
    while (!over.signal.aborted) seen.add(await readTokenFile(path, async () => {}));
  };
  await Promise.all([rotate(), read(), read()]);
  assert.deepEqual(seen, new Set(["first", "second"]));
});
