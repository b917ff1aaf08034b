import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { gatorTemplate, staleTemplates, templateNames, writtenTemplate } from "./templates.ts";

const FOLDER = new URL("../templates/", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, FOLDER), "utf8");
const files = readdirSync(FOLDER, { recursive: true, encoding: "utf8" });

/** What is looked at of a ConstraintTemplate. */
interface Template {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly crd: {
      readonly spec: {
        readonly names: { readonly kind: string };
        readonly validation: { readonly openAPIV3Schema: Node };
      };
    };
    readonly targets: readonly [
      {
        readonly code: readonly [
          {
            readonly engine: string;
            readonly source: {
              readonly version: string;
              readonly rego: string;
              readonly libs: readonly string[];
            };
          },
        ];
      },
    ];
  };
}

/** What is looked at of a schema. */
interface Node {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
}

test("every template is as its sources make it (node tools/templates.ts)", () => {
  assert.deepEqual(staleTemplates(), []);
});

test("every module of Rego has a test of its own", () => {
  const modules = files.filter((path) => path.endsWith(".rego") && !path.includes("samples/"));
  const untested = modules.filter(
    (path) =>
      !path.endsWith("_test.rego") && !modules.includes(path.replace(".rego", "_test.rego")),
  );
  assert.deepEqual(untested, []);
});

for (const path of files.filter((path) => path.endsWith(".rego"))) {
  test(`${path} has no line of more than 120 characters`, () => {
    const long = read(path)
      .split("\n")
      .filter((line) => line.length > 120);
    assert.deepEqual(long, []);
  });
}

for (const path of files.filter((path) => /^(?:lib\/\w+|\w+\/src)(?<!_test)\.rego$/.test(path))) {
  test(`${path} says what it is for, and so does each of its rules that others use`, () => {
    const source = read(path);
    assert.match(source, /^# METADATA\n# title: .+\n# description: /);
    const lines = source.split("\n");
    const seen = new Set<string>();
    for (const [index, line] of lines.entries()) {
      const name = /^(?<name>[a-z]\w*)(?:\(| := | contains )/.exec(line)?.groups?.["name"];
      if (name === undefined || seen.has(name)) continue;
      seen.add(name);
      assert.match(lines[index - 1] ?? "", /^#/, name);
    }
    assert.notEqual(seen.size, 0);
  });
}

for (const name of templateNames()) {
  const template = parse(read(`${name}/template.yaml`)) as Template;
  const [{ code }] = template.spec.targets;
  const { source } = code[0];

  test(`${name} is named as Gatekeeper wants it: the kind in lower case`, () => {
    assert.equal(template.metadata.name, template.spec.crd.spec.names.kind.toLowerCase());
    assert.equal(template.metadata.name, name);
  });

  test(`${name} carries the Rego that is tested, byte for byte`, () => {
    assert.equal(source.version, "v1");
    assert.equal(source.rego, read(`${name}/src.rego`));
    for (const library of source.libs) {
      const path = `lib/${/^package lib\.(?<name>\w+)$/m.exec(library)?.groups?.["name"]}.rego`;
      assert.equal(library, read(path));
    }
  });

  test(`${name} brings every library that one of its modules imports`, () => {
    const modules = [source.rego, ...source.libs];
    const imported = modules.flatMap((module) =>
      [...module.matchAll(/^import data\.(lib\.\w+)$/gm)].map(([, library]) => library),
    );
    const brought = source.libs.map((library) => /^package (?<name>.*)$/m.exec(library)?.[1]);
    assert.deepEqual(new Set(brought), new Set(imported));
  });

  test(`${name} leaves external_data to Gatekeeper, and its copy for gator does not`, () => {
    assert.doesNotMatch(writtenTemplate(name), /^\s*external_data\(.*\) :=/m);
    assert.match(gatorTemplate(name), /^\s*external_data\(.*\) :=/m);
  });

  const schema = template.spec.crd.spec.validation.openAPIV3Schema;
  for (const { path, node } of members(schema)) {
    test(`${name} explains ${path}`, () => assert.match(node.description ?? "", /^.+\.$/s));
  }

  test(`${name} has every sample in its suite, once`, () => {
    const { tests } = parse(read(`${name}/suite.yaml`)) as {
      readonly tests: readonly {
        readonly constraint: string;
        readonly cases?: readonly { readonly object: string }[];
      }[];
    };
    const named = tests.flatMap(({ constraint, cases = [] }) =>
      [constraint].concat(cases.map(({ object }) => object)),
    );
    const samples = files.filter(
      (path) => path.startsWith(`${name}/samples/`) && path.endsWith(".yaml"),
    );
    assert.deepEqual(named.map((path) => `${name}/${path}`).toSorted(), samples.toSorted());
  });

  test(`${name} has something allowed and something disallowed for each constraint`, () => {
    const constraints = files.filter(
      (path) => path.startsWith(`${name}/samples/`) && path.endsWith("/constraint.yaml"),
    );
    assert.notEqual(constraints.length, 0);
    for (const path of constraints) {
      for (const word of ["allowed", "disallowed"]) {
        const example = path.replace(/constraint\.yaml$/, `example_${word}`);
        assert.ok(
          files.some((file) => file.startsWith(example)),
          `${example}.yaml`,
        );
      }
    }
  });
}

/** Every member of a schema, those of lists' items included. */
function members(node: Node, prefix = ""): readonly { path: string; node: Node }[] {
  const inside = node.items === undefined ? [] : members(node.items, `${prefix}[]`);
  const named = Object.entries(node.properties ?? {}).flatMap(([name, member]) => {
    const path = prefix === "" ? name : `${prefix}.${name}`;
    return [[{ path, node: member }], members(member, path)].flat();
  });
  return inside.concat(named);
}
