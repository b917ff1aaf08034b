import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { isHost } from "./host.ts";

test("a canonical host and its neighbours are told apart by length", () => {
  const label = "a".repeat(63);
  const longest = [label, label, label, "a".repeat(61)].join(".");
  assert.equal(longest.length, 253);
  assert.equal(isHost(`${longest}:65535`), true);
  assert.equal(isHost(`${longest}aaaaaaa`), false);
});

test("of the spellings of an IPv6 address exactly the one that the URL parser prints is accepted", () => {
  fc.assert(
    fc.property(fc.ipV6(), (address) => {
      const spelled = `[${address}]`;
      const canonical = new URL(`http://${spelled}/`).hostname;
      assert.equal(isHost(canonical), true);
      assert.equal(isHost(spelled), spelled === canonical);
    }),
  );
});

test("no host that is accepted is read as another one by the URL parser", () => {
  const part = fc.constantFrom(
    "a",
    "0",
    "7f",
    "0x7f",
    "1",
    "255",
    "256",
    "-",
    ".",
    ":",
    "::",
    "[",
    "]",
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const text = parts.join("");
      fc.pre(isHost(text));
      const { hostname, port } = new URL(`registry://${text}/`);
      const http = new URL(`http://${text}/`);
      assert.equal(http.hostname, hostname);
      assert.equal(text, port === "" ? hostname : `${hostname}:${port}`);
    }),
    { numRuns: 2_000, maxSkipsPerRun: 200 },
  );
});
