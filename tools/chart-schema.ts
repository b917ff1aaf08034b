// Writes what of the chart comes from elsewhere in this repository: `node tools/chart-schema.ts`.
import { readFileSync, writeFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";
import { schema } from "../provider/config/schema.ts";

/** What is looked at of a JSON Schema. */
interface Node {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly items?: Node;
  readonly [member: string]: unknown;
}

const CHART = "../helm/notation-gatekeeper-provider";
const at = (path: string): URL => new URL(path, import.meta.url);
const SCHEMA = at(`${CHART}/values.schema.json`);
const TEMPLATE = at("../templates/k8ssignedimages/template.yaml");
const TEMPLATE_COPY = at(`${CHART}/files/k8ssignedimages.yaml`);

/** Members of the configuration that the chart decides, because they say what its own templates mount and open. */
const DECIDED: ReadonlySet<string> = new Set([
  "server.address",
  "server.tls",
  "certificates",
  "admin",
  "trust.directory",
  "notation.binary",
  "signer.launcher",
  "runtimeDirectory",
]);

/** A text with a unit, as provider/config/units.ts reads it; whether it is in range only the provider says. */
const UNITS: readonly (readonly [RegExp, string])[] = [
  [/ A duration from \S+ to \S+\.$/, "^[0-9]{1,9}(\\.[0-9]{1,3})?(ms|s|m|h)$"],
  [/ A size from \S+ to \S+\.$/, "^[0-9]{1,9}(\\.[0-9]{1,3})?(B|KiB|MiB|GiB)$"],
];

/**
 * A schema without the members that the chart decides. Defaults are left out: a default here would have no effect, and
 * some depend on the machine that this runs on.
 */
function chartNode(node: Node, path = ""): Node {
  const { default: _default, defaultText: _defaultText, ...rest } = node;
  const pattern = UNITS.find(([ending]) => ending.test(node.description ?? ""))?.[1];
  if (pattern !== undefined) return { ...rest, pattern };
  if (node.items !== undefined) return { ...rest, items: chartNode(node.items, `${path}[]`) };
  if (node.properties === undefined) return rest;
  const members = Object.entries(node.properties)
    .map(([name, member]) => ({ name, member, path: path === "" ? name : `${path}.${name}` }))
    .filter((row) => !DECIDED.has(row.path));
  const required = node.required?.filter((name) => members.some((row) => row.name === name)) ?? [];
  // What is required only for what was taken out of it, is not any more.
  const needed = required.filter((name) => name !== "server" && name !== "trust");
  const { required: _required, ...others } = rest;
  return {
    ...others,
    properties: Object.fromEntries(
      members.map(({ name, member, path: own }) => [name, chartNode(member, own)]),
    ),
    ...(needed.length > 0 && { required: needed }),
  };
}

/** The part `config` of the chart's values: the provider's own schema, so that chart and provider cannot disagree. */
export function configurationSchema(): object {
  const root = z.toJSONSchema(schema, { io: "input", unrepresentable: "any", target: "draft-7" });
  const { $schema: _version, ...members } = chartNode(root as Node);
  return {
    description:
      "The provider's configuration, docs/configuration.md, but for what the chart decides.",
    ...members,
  };
}

/** A schema of the template's parameters that knows no more than it names: the API server drops the rest without a word. */
function parametersNode(node: Node): Node {
  const members = Object.entries(node).filter(
    ([name]) => name !== "default" && !name.startsWith("x-kubernetes-"),
  );
  const { items, properties, ...rest } = Object.fromEntries(members) as Node;
  return {
    ...rest,
    ...(items !== undefined && { items: parametersNode(items) }),
    ...(properties !== undefined && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, member]) => [name, parametersNode(member)]),
      ),
      additionalProperties: false,
    }),
  };
}

/** The part `policy.constraint.parameters` of the chart's values: a misspelt `policy` would ask for the one named default. */
function parametersSchema(): object {
  const { spec } = parse(readFileSync(TEMPLATE, "utf8")) as {
    readonly spec: {
      readonly crd: {
        readonly spec: { readonly validation: { readonly openAPIV3Schema: Node } };
      };
    };
  };
  return {
    description: "Parameters of the template, docs/policies.md.",
    ...parametersNode(spec.crd.spec.validation.openAPIV3Schema),
  };
}

/** What is written here of values.schema.json. */
interface ValuesSchema {
  readonly properties: {
    config: object;
    readonly policy: {
      readonly properties: {
        readonly constraint: { readonly properties: { parameters: object } };
      };
    };
  };
}

/** values.schema.json with its parts `config` and `policy.constraint.parameters` made anew. */
export function writtenSchema(text: string): string {
  const values = JSON.parse(text) as ValuesSchema;
  values.properties.config = configurationSchema();
  values.properties.policy.properties.constraint.properties.parameters = parametersSchema();
  return `${JSON.stringify(values, null, 2)}\n`;
}

/** Copies of the chart, a chart being able to read no file outside itself: where each comes from. */
export const COPIES: readonly (readonly [source: URL, copy: URL])[] = [[TEMPLATE, TEMPLATE_COPY]];

export const CHART_SCHEMA = SCHEMA;

if (import.meta.main) {
  writeFileSync(SCHEMA, writtenSchema(readFileSync(SCHEMA, "utf8")));
  for (const [source, copy] of COPIES) writeFileSync(copy, readFileSync(source));
}
