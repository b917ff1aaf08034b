// Writes a JSON Schema for each kind that the chart's objects may be of, for kubeconform: `make .cache/schemas`.
import { readFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parse } from "yaml";
import type { KubernetesObject } from "../cluster/api.ts";
import { moduleDirectory, readToolFiles } from "../cluster/modules.ts";
import { ROOT } from "../provider/start.ts";
import { readForeignCrds } from "./crds.ts";

/** What is looked at of a schema, be it of OpenAPI 2, of a CustomResourceDefinition or of JSON Schema. */
export interface Schema {
  readonly type?: string;
  readonly format?: string;
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly [member: string]: unknown;
}

/** A kind, as a path: the group or, of the core, its version; the kind in lower case; the version. */
const fileOf = (group: string, kind: string, version: string): string =>
  `${group || version}/${kind.toLowerCase()}_${version}.json`;

/** For kubeconform's `-schema-location`: what {@link fileOf} is, in its words, under a folder. */
export const LOCATION = "{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json";

export const SCHEMAS = join(ROOT, ".cache/schemas");

/** Where schemas of kinds are that Kubernetes itself does not have. */
export const CUSTOM = join(SCHEMAS, "custom");

const isText = (value: unknown): value is string => typeof value === "string";

/** The versions that tools/openapi names, oldest first: `1.30.14`. */
export function kubernetesVersions(): readonly string[] {
  const text = readFileSync(join(ROOT, "tools/openapi/go.mod"), "utf8");
  const found = [...text.matchAll(/=> k8s\.io\/kubernetes v(\S+)$/gm)];
  return found.map(([, version]) => version).filter(isText);
}

/**
 * A schema as strict as the API server is with `fieldValidation=Strict`: members that are not named are refused, unless
 * the schema keeps what it does not know. Texts and defaults are left out.
 */
export function strict(schema: Schema): Schema {
  const { description: _description, default: _default, properties, items, ...rest } = schema;
  const { additionalProperties, $ref } = schema;
  if ($ref !== undefined) return { $ref };
  if (schema["x-kubernetes-int-or-string"] === true || schema.format === "int-or-string") {
    return { type: ["integer", "string"] as unknown as string };
  }
  const keepsUnknown = schema["x-kubernetes-preserve-unknown-fields"] === true;
  return {
    ...rest,
    ...(items !== undefined && { items: strict(items) }),
    ...(typeof additionalProperties === "object" && {
      additionalProperties: strict(additionalProperties),
    }),
    ...(properties !== undefined && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, member]) => [name, strict(member)]),
      ),
      ...(additionalProperties === undefined && { additionalProperties: keepsUnknown }),
    }),
  };
}

interface Swagger {
  readonly definitions: Readonly<Record<string, Schema>>;
}

interface Gvk {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

const QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity";

/** Schemas of the kinds of one Kubernetes, by file: each with the definitions that it refers to. */
export function builtInSchemas({ definitions }: Swagger): ReadonlyMap<string, Schema> {
  const all = new Map(Object.entries(definitions).map(([name, one]) => [name, strict(one)]));
  // The API server reads a number as well.
  all.set(QUANTITY, { type: ["number", "string"] as unknown as string });
  const files = new Map<string, Schema>();
  for (const [name, definition] of Object.entries(definitions)) {
    const kinds = (definition["x-kubernetes-group-version-kind"] ?? []) as readonly Gvk[];
    // A type of several kinds, such as DeleteOptions, is nothing that is applied.
    const [only] = kinds.length === 1 ? kinds : [];
    if (only === undefined) continue;
    files.set(fileOf(only.group, only.kind, only.version), {
      ...all.get(name),
      definitions: Object.fromEntries([...reachable(name, all)].map((own) => [own, all.get(own)])),
    });
  }
  return files;
}

/** Names of the definitions that one refers to, directly or not. */
function reachable(name: string, all: ReadonlyMap<string, Schema>): ReadonlySet<string> {
  const found = new Set<string>();
  const queue = [name];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const text = JSON.stringify(all.get(next) ?? {});
    for (const [, reference = ""] of text.matchAll(/"\$ref":"#\/definitions\/([^"]+)"/g)) {
      if (!found.has(reference)) queue.push(reference);
      found.add(reference);
    }
  }
  return found;
}

interface Definition {
  readonly group: string;
  readonly names: { readonly kind: string };
  readonly versions: readonly {
    readonly name: string;
    readonly schema: { readonly openAPIV3Schema: Schema };
  }[];
}

/** Schemas of the kinds of CustomResourceDefinitions, by file. Metadata is the business of Kubernetes' own schemas. */
export function customSchemas(crds: readonly KubernetesObject[]): ReadonlyMap<string, Schema> {
  const files = new Map<string, Schema>();
  for (const crd of crds) {
    const { group, names, versions } = crd["spec"] as Definition;
    for (const { name, schema } of versions) {
      files.set(fileOf(group, names.kind, name), strict(schema.openAPIV3Schema));
    }
  }
  return files;
}

/** The schema of the constraint: its parameters as the template has them, and around them what every constraint has. */
function constraintSchemas(template: string): ReadonlyMap<string, Schema> {
  const { spec } = parse(template) as {
    readonly spec: {
      readonly crd: {
        readonly spec: {
          readonly names: { readonly kind: string };
          readonly validation: { readonly openAPIV3Schema: Schema };
        };
      };
    };
  };
  const { names, validation } = spec.crd.spec;
  const member: Schema = { type: "string" };
  const open: Schema = { type: "object" };
  const schema: Schema = {
    type: "object",
    required: ["spec"],
    properties: {
      apiVersion: member,
      kind: member,
      metadata: open,
      spec: {
        type: "object",
        properties: {
          enforcementAction: { type: "string", enum: ["deny", "warn", "dryrun", "scoped"] },
          scopedEnforcementActions: { type: "array", items: open },
          match: open,
          parameters: validation.openAPIV3Schema,
        },
      },
    },
  };
  return new Map([[fileOf("constraints.gatekeeper.sh", names.kind, "v1beta1"), strict(schema)]]);
}

async function write(folder: string, schemas: ReadonlyMap<string, Schema>): Promise<void> {
  for (const [file, schema] of schemas) {
    const path = join(folder, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, JSON.stringify(schema));
  }
}

if (import.meta.main) {
  await rm(SCHEMAS, { recursive: true, force: true });
  for (const version of kubernetesVersions()) {
    const [, minor] = version.split(".");
    const directory = await moduleDirectory("openapi", `kubernetes.example/minor-${minor}`);
    const text = await readFile(join(directory, "api/openapi-spec/swagger.json"), "utf8");
    await write(join(SCHEMAS, version), builtInSchemas(JSON.parse(text) as Swagger));
  }
  const { crds } = await readToolFiles();
  await write(CUSTOM, customSchemas([...crds, ...(await readForeignCrds())]));
  const template = join(ROOT, "templates/k8ssignedimages/template.yaml");
  await write(CUSTOM, constraintSchemas(await readFile(template, "utf8")));
}
