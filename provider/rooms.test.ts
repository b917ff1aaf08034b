import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import linter from "../oxlint.config.ts";

/** What the linter says when a room imports something else. */
const LINE = /provider\/(\w+) may import only: ([a-z, ]+?)"/g;

/** `| \`room\` | holds | may import |` */
const ROW = /^\| `(\w+)` +\|[^|]*\|([^|]*)\|$/gm;

const NONE = "nothing of another room";

const ROOT = new URL("../", import.meta.url);
const page = readFileSync(new URL("docs/architecture.md", ROOT), "utf8");

test("the page about the architecture says of each room what the linter lets it import", () => {
  const described = new Map(
    [...page.matchAll(ROW)].map(([, room, may = ""]) => [room, may.trim()]),
  );
  for (const room of ["commands", "doctor"]) {
    assert.equal(described.get(room), "all");
    described.delete(room);
  }
  const held = [...JSON.stringify(linter).matchAll(LINE)].map(
    ([, room, may = ""]) => [room, may === NONE ? "" : may] as const,
  );
  assert.deepEqual(described, new Map(held));
});

test("the page about the architecture names every folder of the checkout, and every file beside the rooms", () => {
  const cells = [...page.matchAll(/^\| (`.+?`) +\|/gm)].map(([, cell]) => cell).join();
  for (const entry of readdirSync(ROOT, { withFileTypes: true })) {
    const isOurs = entry.isDirectory() && !/^\.|^node_modules$|^provider$/.test(entry.name);
    if (isOurs) assert.ok(cells.includes(`\`${entry.name}/\``), entry.name);
  }
  for (const name of readdirSync(new URL("provider/", ROOT))) {
    const isSource = name.endsWith(".ts") && !name.endsWith(".test.ts");
    if (isSource) assert.ok(cells.includes(`\`${name}\``), name);
  }
});
