import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import linter from "../oxlint.config.ts";

/** What the linter says when a room imports something else. */
const LINE = /provider\/(\w+) may import only: ([a-z, ]+?)"/g;

/** `| \`room\` | holds | may import |` */
const ROW = /^\| `(\w+)` +\|[^|]*\|([^|]*)\|$/gm;

const NONE = "nothing of another room";

test("the page about the architecture says of each room what the linter lets it import", () => {
  const page = readFileSync(new URL("../docs/architecture.md", import.meta.url), "utf8");
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
