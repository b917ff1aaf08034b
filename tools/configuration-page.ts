// Writes the table of docs/configuration.md from the schema: `node tools/configuration-page.ts`.
import { readFileSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { schema } from "../provider/config/schema.ts";

/** What is looked at of a JSON Schema. */
interface Node {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly defaultText?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
}

interface Row {
  readonly path: string;
  readonly form: string;
  readonly fallback: string;
  readonly description: string;
}

const PAGE = new URL("../docs/configuration.md", import.meta.url);
const BEGIN = "<!-- members: written by tools/configuration-page.ts -->";
const END = "<!-- end of members -->";

/** How a value is written. */
function formOf(node: Node): string {
  if (node.enum !== undefined) return node.enum.join(", ");
  if (node.anyOf !== undefined) return "one of several forms";
  const { type = "", minimum, maximum } = node;
  if (type === "integer") return `${minimum} to ${maximum}`;
  if (type === "array") return "list";
  return type;
}

function fallbackOf(node: Node, isRequired: boolean): string {
  if (node.defaultText !== undefined) return node.defaultText;
  if (node.default !== undefined) return `\`${JSON.stringify(node.default)}\``;
  return isRequired ? "**required**" : "none";
}

/** One row for each member that holds a value, in the order of the file. */
function rowsOf(node: Node, prefix = ""): readonly Row[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, member]) => {
    const path = prefix === "" ? name : `${prefix}.${name}`;
    if (member.properties !== undefined) return rowsOf(member, path);
    if (member.items?.properties !== undefined) return rowsOf(member.items, `${path}[]`);
    const isRequired = node.required?.includes(name) ?? false;
    return [
      {
        path: `\`${path}\``,
        form: formOf(member),
        fallback: fallbackOf(member, isRequired),
        description: member.description ?? "",
      },
    ];
  });
}

/** The rows of the page; a member without a sentence has an empty last cell. */
export function configurationRows(): readonly Row[] {
  const root = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Node;
  return rowsOf(root);
}

/** The page with its table made anew. */
export function writtenPage(page: string): string {
  const rows = configurationRows().map(
    ({ path, form, fallback, description }) =>
      `| ${path} | ${form} | ${fallback} | ${description} |`,
  );
  const table = ["| member | form | default | meaning |", "| --- | --- | --- | --- |", ...rows];
  const [before = "", rest = ""] = page.split(BEGIN);
  const [, after = ""] = rest.split(END);
  return `${before}${BEGIN}\n\n${table.join("\n")}\n\n${END}${after}`;
}

if (import.meta.main) writeFileSync(PAGE, writtenPage(readFileSync(PAGE, "utf8")));
