import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { existsSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import * as fc from "fast-check";
import { parse } from "yaml";
import { digestOf } from "../provider/image/digest.ts";
import { nameOf, parseReference } from "../provider/image/reference.ts";
import { templateNames, writeForGator } from "./templates.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
// What is no Rego would be read as data; the provider of the samples would take the place of the built-in.
const REGO = ["templates", "--ignore", "*.yaml", "--ignore", "samples"] as const;

interface Run {
  readonly code: number;
  readonly output: string;
}

/**
 * Runs a tool of tools/bin.
 * @param stdin what it reads
 * @throws Error when the tool was not built
 */
async function run(tool: string, args: readonly string[], stdin = ""): Promise<Run> {
  const binary = join(ROOT, "tools/bin", tool);
  assert.ok(existsSync(binary), `${binary} is missing: make tools/bin/${tool}`);
  const options = { cwd: ROOT, maxBuffer: 64 * 1024 * 1024 };
  return new Promise((resolve, reject) => {
    const child = execFile(binary, args, options, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== "number") reject(error);
      else resolve({ code: Number(error?.code ?? 0), output: stdout + stderr });
    });
    child.stdin?.end(stdin);
  });
}

const folder = await mkdtemp(join(tmpdir(), "templates-"));
after(() => rm(folder, { recursive: true }));

/** A file with what the OPA of Gatekeeper knows, and `external_data`, which Gatekeeper adds. */
const capabilities = (async () => {
  const { output } = await run("opa", ["capabilities", "--current"]);
  const known = JSON.parse(output) as { builtins: unknown[] };
  const any = { type: "any" };
  known.builtins.push({
    name: "external_data",
    decl: { type: "function", args: [any], result: any },
  });
  const file = join(folder, "capabilities.json");
  await writeFile(file, JSON.stringify(known));
  return file;
})();
// Awaited in each test; a failure must not end the process before one of them names it.
capabilities.catch(() => undefined);

/** The value of a Rego expression over the libraries. */
async function evaluate(expression: string, input: unknown = {}): Promise<unknown> {
  const args = ["eval", "--data", "templates/lib", "--stdin-input", "--format", "json", expression];
  const { code, output } = await run("opa", args, JSON.stringify(input));
  assert.equal(code, 0, output);
  const { result } = JSON.parse(output) as { result: [{ expressions: [{ value: unknown }] }] };
  return result[0].expressions[0].value;
}

test("opa is of the version that Gatekeeper has inside", () => {
  const version = /open-policy-agent\/opa (?<version>\S+)/;
  const own = version.exec(readFileSync(join(ROOT, "tools/opa/go.mod"), "utf8"));
  const gator = version.exec(readFileSync(join(ROOT, "tools/gator/go.mod"), "utf8"));
  assert.notEqual(own, null);
  assert.equal(own?.groups?.["version"], gator?.groups?.["version"]);
});

test("opa fmt has nothing to change", async () => {
  assert.deepEqual(await run("opa", ["fmt", "--list", "templates"]), { code: 0, output: "" });
});

test("opa check --strict finds nothing, and knows external_data", async () => {
  const args = ["check", "--strict", "--capabilities", await capabilities, ...REGO];
  assert.deepEqual(await run("opa", args), { code: 0, output: "" });
});

interface RegoTest {
  readonly package: string;
  readonly name: string;
  readonly fail?: boolean;
  readonly error?: unknown;
  readonly sub_results?: Readonly<Record<string, { readonly fail?: boolean }>>;
}

test("Rego", async (t) => {
  const args = ["test", "--format=json", "--capabilities", await capabilities, ...REGO];
  const { code, output } = await run("opa", args);
  assert.ok(code === 0 || output.startsWith("["), output);
  const results = JSON.parse(output) as readonly RegoTest[];
  assert.notEqual(results.length, 0);
  for (const result of results) {
    const words = result.name.replace(/^test_/, "").replaceAll("_", " ");
    const title = `${result.package.replace(/^data\.(.*)_test$/, "$1")}: ${words}`;
    for (const [row, { fail }] of Object.entries(result.sub_results ?? {})) {
      await t.test(`${title}: ${row}`, () => assert.notEqual(fail, true));
    }
    await t.test(title, () => {
      assert.notEqual(result.fail, true);
      assert.equal(result.error, undefined);
    });
  }
});

test("the tests of Rego cover every line", async () => {
  const args = ["test", "--coverage", "--capabilities", await capabilities, ...REGO];
  const { code, output } = await run("opa", args);
  assert.equal(code, 0, output);
  const { files, coverage } = JSON.parse(output) as {
    readonly files: Readonly<Record<string, { readonly not_covered?: unknown }>>;
    readonly coverage: number;
  };
  const gaps = Object.entries(files).filter(([, { not_covered }]) => not_covered !== undefined);
  assert.deepEqual(gaps, []);
  assert.equal(coverage, 100);
});

test("gator decides about every sample as its suite says", async () => {
  const copies = join(folder, "gator");
  writeForGator(copies);
  assert.deepEqual((await readdir(copies)).toSorted(), templateNames().toSorted());
  const { code, output } = await run("gator", ["verify", "--verbose", `${copies}/...`]);
  const passed = [...output.matchAll(/^\s*--- PASS: .*$/gm)];
  assert.equal(code, 0, output);
  assert.notEqual(passed.length, 0);
  assert.doesNotMatch(output, /--- (?:FAIL|SKIP)/);
});

// Near misses: pieces of the grammar in any order, and names with a piece thrown in.
const pieces =
  "a 0 z A . _ __ - : / @ [ ] ? * % \n \u00e9 0x7f 65535 65536 127.0.0.1 [::1] [::ffff:102:304]"
    .concat(" docker.io/ index.docker.io/ localhost/ sha256:")
    .split(" ")
    .concat(" ", digestOf(""), digestOf("").slice("sha256:".length));
const piece = fc.constantFrom(...pieces);
const name = fc.constantFrom(
  "nginx",
  "docker.io/nginx:1",
  "ghcr.io/org/app:v1",
  `a/b@${digestOf("")}`,
  "localhost:5000/x",
  "[::1]:80/a/b:c",
  "[fd00::2]/x",
  "111122223333.dkr.ecr.eu-west-1.amazonaws.com/prod/app:v1",
);
const nearMiss = fc.oneof(
  fc.array(piece, { maxLength: 7 }).map((pieces) => pieces.join("")),
  fc.ipV6().map((address) => `[${address}]/x`),
  fc.tuple(name, fc.nat({ max: 50 }), fc.nat({ max: 2 }), piece).map(([text, at, cut, part]) => {
    return text.slice(0, at) + part + text.slice(at + cut);
  }),
);

test("Rego reads every name as the provider does, and refuses those that it refuses", async () => {
  const texts = [...new Set(fc.sample(nearMiss, 5_000))];
  const read = (await evaluate(
    "{text: reference | some text in input; reference := data.lib.images.parse(text)}",
    texts,
  )) as Readonly<Record<string, unknown>>;
  let names = 0;
  for (const text of texts) {
    const reference = parseReference(text);
    if (reference !== undefined) names += 1;
    const want = reference === undefined ? undefined : { ...reference, name: nameOf(reference) };
    assert.deepEqual(read[text], want, JSON.stringify(text));
  }
  assert.ok(names > texts.length / 10);
});

const schema = parse(readFileSync(join(ROOT, "templates/k8ssignedimages/skeleton.yaml"), "utf8"))
  .spec.crd.spec.validation.openAPIV3Schema;
const rule = schema.properties.rules.items;

test("the schema lets no parameter through that Rego does not know, and the other way round", async () => {
  assert.deepEqual(
    await evaluate("sort(data.lib.rules._members)"),
    Object.keys(schema.properties).toSorted(),
  );
});

const twice = [
  { name: "_date", pattern: rule.properties.exempt.properties.until.pattern },
  { name: "_policy_name", pattern: rule.properties.policy.pattern },
  { name: "_template", pattern: rule.properties.policyFromNamespace.pattern },
  { name: "_template", pattern: schema.properties.policyFromNamespace.pattern },
];
for (const { name, pattern } of twice) {
  test(`the schema and Rego have the same ${name}`, async () => {
    assert.equal(pattern, await evaluate(`data.lib.rules.${name}`));
  });
}

test("the schema refuses no pattern that Rego takes", async () => {
  const known = new RegExp(rule.properties.images.items.pattern);
  const star = fc
    .oneof(nearMiss, nearMiss)
    .chain((text) =>
      fc.nat({ max: text.length }).map((at) => `${text.slice(0, at)}*${text.slice(at + 1)}`),
    );
  const texts = [...new Set(fc.sample(fc.oneof(nearMiss, star), 5_000)), "*"];
  const taken = (await evaluate(
    "[text | some text in input; data.lib.images.is_pattern(text)]",
    texts,
  )) as string[];
  assert.ok(taken.length > texts.length / 50, `${taken.length}`);
  for (const text of taken) assert.match(text, known);
});

const refused = [
  "nginx",
  "library/nginx",
  "*/*",
  "**",
  "ghcr.io",
  "ghcr.io/",
  "ghcr.io/app:v1",
].concat(
  ["GHCR.io/*", "ghcr.io/App", "ecr*.example.com/x", "*ecr.example.com/x", "ghcr.io:*/x", ""],
  ["https://ghcr.io/a", "ghcr.io/a//b", "ghcr.io/(a|b)", "ghcr.io/a?"],
);
for (const text of refused) {
  test(`the schema refuses the pattern ${JSON.stringify(text)}`, () => {
    assert.doesNotMatch(text, new RegExp(rule.properties.images.items.pattern));
  });
}

test("the policy and the test that docs/policies.md shows are good Rego, and the test passes", async () => {
  const page = readFileSync(join(ROOT, "docs/policies.md"), "utf8");
  const [policy = "", check = ""] = page
    .matchAll(/^```rego\n(.*?)^```$/gms)
    .map(([, text = ""]) => text);
  const own = join(folder, "own");
  await mkdir(own);
  const head = "package k8scommitlabel_test\n\nimport data.k8scommitlabel.violation\n\n";
  await writeFile(join(own, "src.rego"), policy);
  await writeFile(join(own, "src_test.rego"), head + check);
  const known = ["--capabilities", await capabilities];
  const libraries = ["images", "verdicts"].map((name) => `templates/lib/${name}.rego`);
  assert.deepEqual(await run("opa", ["fmt", "--list", own]), { code: 0, output: "" });
  const checked = await run("opa", ["check", "--strict", ...known, ...libraries, own]);
  assert.deepEqual(checked, { code: 0, output: "" });
  const { code, output } = await run("opa", ["test", ...known, ...libraries, own]);
  assert.deepEqual({ code, output }, { code: 0, output: "PASS: 1/1\n" });
});
