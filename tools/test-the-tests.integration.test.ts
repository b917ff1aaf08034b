import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

for (const name of readdirSync(join(ROOT, "defects"))) {
  test(`the defect ${name} fits the code as it is`, async () => {
    const args = ["apply", "--check", "--recount", join("defects", name)];
    const output = await new Promise<string>((resolve) => {
      execFile("git", args, { cwd: ROOT }, (error, _stdout, stderr) => {
        resolve(error === null ? "" : stderr);
      });
    });
    assert.equal(output, "");
  });
}
