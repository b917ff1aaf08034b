import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";

const ROOT = new URL("../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), "utf8");

interface Package {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly link?: boolean;
}
type Versions = Readonly<Record<string, string>>;
interface Manifest {
  readonly dependencies: Versions;
  readonly devDependencies: Versions;
  readonly optionalDependencies: Versions;
  readonly overrides: Readonly<Record<string, Versions>>;
}

const { "": own, ...packages } = (
  JSON.parse(read("package-lock.json")) as { readonly packages: Readonly<Record<string, Package>> }
).packages;
const manifest = JSON.parse(read("package.json")) as Manifest;
const overrides = Object.entries(manifest.overrides).flatMap(([name, inner]) =>
  Object.entries(inner).map(([other, version]) => [`${name} > ${other}`, version] as const),
);

/** Licences that may be shipped with a program of Apache-2.0: each is content with its text being handed on. */
const LICENCES = new Set([
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "ISC",
  "MIT",
  "PSF-2.0",
  "Unlicense",
]);

/** An exact version, of a package under its own name or another. */
const EXACT = /^(?:npm:(?:@[a-z0-9-]+\/)?[a-z0-9-]+@)?\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/;
const SHA512 = /^sha512-[A-Za-z0-9+/]{86}==$/;

test("H-1 the lock file is of this package.json, and has packages", () => {
  assert.ok(own !== undefined);
  assert.ok(Object.keys(packages).length > 100);
});

test("H-1 every npm package is pinned by its hash and comes from whatever registry is asked", () => {
  for (const [name, { version = "", integrity = "", resolved, link }] of Object.entries(packages)) {
    assert.match(integrity, SHA512, name);
    assert.match(version, EXACT, name);
    assert.equal(resolved, undefined, name);
    assert.equal(link, undefined, name);
  }
});

test("H-1 every npm package has a licence of the list", () => {
  for (const [name, { license = "" }] of Object.entries(packages)) {
    assert.ok(LICENCES.has(license), `${name}: ${license}`);
  }
});

test("H-1 package.json names exact versions alone", () => {
  const { dependencies, devDependencies, optionalDependencies } = manifest;
  const direct = [dependencies, devDependencies, optionalDependencies].flatMap(Object.entries);
  for (const [name, version] of [...direct, ...overrides])
    assert.match(String(version), EXACT, name);
});

test("H-1 an override leaves no other version of what it overrides", () => {
  for (const [path, version] of overrides) {
    const name = path.split(" > ").at(-1) ?? "";
    const found = Object.entries(packages).filter(([at]) => at.endsWith(`node_modules/${name}`));
    assert.deepEqual(
      found.map(([, each]) => each.version),
      [version],
    );
  }
});

test("H-1 npm runs no program of a package, and takes none from git or of the last days", () => {
  const settings = read(".npmrc").split("\n");
  const wanted = [
    "ignore-scripts=true",
    "save-exact=true",
    "omit-lockfile-registry-resolved=true",
    "min-release-age=3",
    "allow-git=none",
  ];
  for (const setting of wanted) assert.ok(settings.includes(setting), setting);
});

/** Names in the first column of the tables of a section. */
function rowsOf(page: string, heading: string): readonly string[] {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
  return [...section.matchAll(/^\| (`[^|]+?`) +\| \S.*\|$/gm)].map(([, name = ""]) =>
    name.replaceAll("`", ""),
  );
}

const page = read("docs/dependencies.md");
const modules = globSync("tools/*/go.mod", { cwd: ROOT.pathname }).toSorted();
const sections = [
  {
    heading: "npm packages that run in production",
    want: Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies }),
  },
  { heading: "npm packages for development", want: Object.keys(manifest.devDependencies) },
  { heading: "Overrides", want: overrides.map(([path]) => path) },
  { heading: "Go modules", want: modules.map((file) => file.replace(/\/go\.mod$/, "")) },
];
for (const { heading, want } of sections) {
  test(`H-1 docs/dependencies.md has a reason for each of "${heading}", and for nothing else`, () =>
    assert.deepEqual(rowsOf(page, heading).toSorted(), want.toSorted()));
}

for (const file of modules) {
  const text = read(file);
  test(`H-1 ${file} has a hash for every module, and replaces none by a folder`, () => {
    const required = [...text.matchAll(/^(?:require )?\s*([\w./~-]+\.[\w./~-]+) (v\S+)/gm)];
    const sums = required.length > 0 ? read(file.replace(/mod$/, "sum")).trim().split("\n") : [];
    for (const line of sums) assert.match(line, /^\S+ v\S+ h1:[A-Za-z0-9+/]{43}=$/);
    const replaced = [...text.matchAll(/^\s*(?:replace )?(\S+)(?: v\S+)? => (\S+)(?: (v\S+))?$/gm)];
    const replacements = new Map(
      replaced.map(([, from = "", to = "", version]) => [from, { to, version }] as const),
    );
    for (const { to, version } of replacements.values()) {
      assert.doesNotMatch(to, /^\.{0,2}\//);
      assert.ok(version !== undefined, to);
    }
    const named = new Set(sums.map((line) => line.split(" ").slice(0, 2).join(" ")));
    for (const [, name = "", version = ""] of required) {
      const other = replacements.get(name);
      const at = other === undefined ? `${name} ${version}` : `${other.to} ${other.version}`;
      assert.ok(named.has(at) || named.has(`${at}/go.mod`), at);
    }
  });
}

test("H-1 every image that builds ours can be given by digest, and docs/install.md says how", () => {
  const dockerfile = read("Dockerfile");
  const install = read("docs/install.md");
  const args = new Set([...dockerfile.matchAll(/^ARG (\w+)=\S+$/gm)].map(([, name]) => name));
  const bases = [...dockerfile.matchAll(/^FROM (?:--platform=\S+ )?(\S+)/gm)].map(
    ([, base = ""]) => base,
  );
  assert.ok(bases.length > 3);
  assert.equal(bases.pop(), "scratch");
  for (const base of bases) {
    const [, name = ""] = /^\$\{(\w+)\}$/.exec(base) ?? [];
    assert.ok(args.has(name), base);
    assert.ok(install.includes(`--build-arg ${name}=`), name);
  }
});
