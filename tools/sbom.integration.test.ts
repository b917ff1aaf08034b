import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const ROOT = new URL("../", import.meta.url).pathname;
const write = (): string =>
  execFileSync(process.execPath, ["tools/sbom.ts"], { cwd: ROOT, maxBuffer: 2 ** 26 }).toString();

interface Bom {
  readonly specVersion: string;
  readonly metadata: { readonly component: { readonly name: string; readonly "bom-ref": string } };
  readonly components: readonly {
    readonly name: string;
    readonly purl?: string;
    readonly "bom-ref": string;
  }[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

const text = write();
const bom = JSON.parse(text) as Bom;
const purls = new Set(bom.components.map(({ purl }) => purl));

test("the bill of materials has every package that runs in production and none that does not", () => {
  const { packages } = JSON.parse(readFileSync(`${ROOT}package-lock.json`, "utf8")) as {
    readonly packages: Readonly<
      Record<string, { readonly version: string; readonly dev?: boolean }>
    >;
  };
  for (const [path, { version, dev = false }] of Object.entries(packages)) {
    const name = path.split("node_modules/").at(-1) ?? "";
    // An alias goes by the name that its package has.
    if (path === "" || dev || name === "koa-router") continue;
    const has = purls.has(`pkg:npm/${name.replace("@", "%40")}@${version}`);
    assert.ok(has, `${name} ${version}`);
  }
  assert.ok([...purls].some((purl) => purl?.startsWith("pkg:npm/%40koa/router@")));
  for (const name of ["typescript", "oxlint", "fast-check"]) {
    assert.ok(!bom.components.some((component) => component.name === name), name);
  }
});

test("the bill of materials has the modules that the shipped programs are built of", () => {
  const required = readFileSync(`${ROOT}tools/notation/go.mod`, "utf8");
  for (const module of [
    "github.com/notaryproject/notation",
    "oras.land/oras-go/v2",
    "golang.org/x/crypto",
  ]) {
    const [, version = ""] = new RegExp(`${module} (v\\S+)`).exec(required) ?? [];
    assert.ok(purls.has(`pkg:golang/${module}@${version}`), `${module} ${version}`);
  }
  const names = new Set(bom.components.map(({ name }) => name));
  for (const name of ["reaper", "signer-launcher", "stdlib"]) assert.ok(names.has(name), name);
});

test("every part of the bill of materials is reached from the provider", () => {
  const edges = new Map(bom.dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]));
  const reached = new Set<string>();
  const open = [bom.metadata.component["bom-ref"]];
  for (let ref = open.pop(); ref !== undefined; ref = open.pop()) {
    if (reached.has(ref)) continue;
    reached.add(ref);
    open.push(...(edges.get(ref) ?? []));
  }
  const lost = bom.components
    .map((component) => component["bom-ref"])
    .filter((ref) => !reached.has(ref));
  assert.deepEqual(lost, []);
});

test("the bill of materials is the same bytes each time, and says nothing of the machine", () => {
  assert.equal(bom.metadata.component.name, "notation-gatekeeper-provider");
  assert.equal(bom.specVersion, "1.5");
  assert.equal(write(), text);
  assert.ok(!text.includes(ROOT.slice(0, -1)));
});
