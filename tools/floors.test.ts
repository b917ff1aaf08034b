import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const ROOT = new URL("../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), "utf8");

interface Package {
  readonly version?: string;
  readonly license?: string;
  readonly hasInstallScript?: boolean;
}
const { packages } = JSON.parse(read("package-lock.json")) as {
  readonly packages: Readonly<Record<string, Package>>;
};

/** Numbers of a version, and whether one is at least another. What stands behind a hyphen is older than the same without. */
function isAtLeast(version: string, floor: string): boolean {
  const [one, other] = [version, floor].map(
    (text) => text.split("-")[0]?.split(".").map(Number) ?? [],
  );
  for (const [index, least] of (other ?? []).entries()) {
    const part = one?.[index] ?? 0;
    if (part !== least) return part > least;
  }
  return !version.includes("-") || floor.includes("-");
}

for (const [version, floor, want] of [
  ["8.12.2", "8.12.2", true],
  ["8.12.10", "8.12.2", true],
  ["8.11.9", "8.12.2", false],
  ["9.0.0", "8.12.2", true],
  ["8.12.2-rc.1", "8.12.2", false],
] as const) {
  test(`${version} is ${want ? "" : "not "}at least ${floor}`, () =>
    assert.equal(isAtLeast(version, floor), want));
}

/** Versions below which there are published flaws that concern us. */
const NPM_FLOORS = [
  [
    "node_modules/undici",
    "8.12.2",
    "CVE-2026-109383, CVE-2026-109829: hooks dropped, redirects with headers",
  ],
  [
    "node_modules/koa",
    "3.2.0",
    "CVE-2026-27959, CVE-2025-25200: headers that are trusted, patterns that are slow",
  ],
] as const;
for (const [name, floor, why] of NPM_FLOORS) {
  test(`H-1 ${name.slice("node_modules/".length)} is at least ${floor} (${why})`, () =>
    assert.ok(isAtLeast(packages[name]?.version ?? "0", floor), String(packages[name]?.version)));
}

test("H-1 every npm package has a licence, and none has a program that runs when it is installed", () => {
  for (const [name, { license, hasInstallScript }] of Object.entries(packages)) {
    assert.ok(license !== undefined, name);
    assert.notEqual(hasInstallScript, true, name);
  }
});

const GO_FLOORS = [
  ["github.com/notaryproject/notation", "1.3.2", "CVE-2024-56138, CVE-2024-51491"],
  ["github.com/notaryproject/notation-go", "1.3.2", "CVE-2024-51491"],
  ["oras.land/oras-go/v2", "2.6.2", "CVE-2026-48978, GHSA-298f-872v-2rcx"],
  ["golang.org/x/crypto", "0.45.0", "CVE-2025-47914, CVE-2025-58181"],
  ["golang.org/x/net", "0.38.0", "CVE-2025-22872"],
  ["github.com/golang-jwt/jwt/v4", "4.5.2", "CVE-2025-30204"],
] as const;
for (const [name, floor, why] of GO_FLOORS) {
  test(`H-1 the Notation that is built has ${name} at least ${floor} (${why})`, () => {
    const line = read("tools/notation/go.mod")
      .split("\n")
      .find((each) => each.trim().startsWith(`${name} v`));
    assert.ok(line !== undefined, name);
    assert.ok(isAtLeast(line.trim().split(" ")[1]?.slice(1) ?? "0", floor), line);
  });
}

test("H-1 the provider runs on the Node that is pinned, of a line that gets fixes", () => {
  const pinned = packages[`node_modules/node-linux-${process.arch}`]?.version ?? "0";
  assert.ok(isAtLeast(pinned, "26.10.0"), pinned);
  assert.equal(process.versions.node, pinned);
});
