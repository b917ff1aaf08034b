// Writes each templates/<name>/template.yaml from its skeleton.yaml and its Rego.
//   node tools/templates.ts                  writes them
//   node tools/templates.ts --check          only says which are stale, and fails if there are any
//   node tools/templates.ts --gator <folder> copies of templates and samples that gator can run
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const FOLDER = new URL("../templates/", import.meta.url);

const read = (path: string): string => readFileSync(new URL(path, FOLDER), "utf8");

/** Names of the folders that hold a template. */
export const templateNames = (): readonly string[] =>
  readdirSync(FOLDER).filter((name) => existsSync(new URL(`${name}/skeleton.yaml`, FOLDER)));

/** The libraries that a source imports, and those that they import; sorted, each once. */
function librariesOf(source: string, found = new Set<string>()): readonly string[] {
  for (const [, name = ""] of source.matchAll(/^import data\.lib\.(\w+)$/gm)) {
    if (found.has(name)) continue;
    found.add(name);
    librariesOf(read(`lib/${name}.rego`), found);
  }
  return [...found].toSorted();
}

/** A literal block of YAML: every line indented, but for empty ones. */
const block = (text: string, indent: string): string =>
  `|\n${text.trimEnd().replace(/^(?=.)/gm, indent)}\n`;

/**
 * The skeleton ends with its only target, to which the code is added as text, so that all else stays as it was written.
 * @param rego the template's own module; its libraries are found by its imports
 */
function assemble(name: string, rego: string): string {
  const skeleton = read(`${name}/skeleton.yaml`).replace(/^#.*\n/, "");
  const libs = librariesOf(rego).map(
    (library) => `              - ${block(read(`lib/${library}.rego`), "                ")}`,
  );
  return `# Written by tools/templates.ts from skeleton.yaml, src.rego and ../lib.
${skeleton}      code:
        - engine: Rego
          source:
            version: v1
            rego: ${block(rego, "              ")}            libs:
${libs.join("")}`;
}

/** What template.yaml has to be. */
export const writtenTemplate = (name: string): string => assemble(name, read(`${name}/src.rego`));

/**
 * The template with a provider of its own, which gator needs because it has no `external_data`. Never to be applied to a
 * cluster: the rule would take the place of the built-in.
 */
export function gatorTemplate(name: string): string {
  const provider = read(`${name}/samples/provider.rego`).replace(/^package .*$/m, "");
  return assemble(name, `${read(`${name}/src.rego`)}\n${provider}`);
}

/** Copies what `gator verify <folder>/...` runs. */
export function writeForGator(folder: string): void {
  for (const name of templateNames()) {
    const target = join(folder, name);
    mkdirSync(target, { recursive: true });
    cpSync(new URL(`${name}/samples`, FOLDER), join(target, "samples"), { recursive: true });
    cpSync(new URL(`${name}/suite.yaml`, FOLDER), join(target, "suite.yaml"));
    writeFileSync(join(target, "template.yaml"), gatorTemplate(name));
  }
}

/** Names of the templates whose template.yaml is not what their sources make. */
export const staleTemplates = (): readonly string[] =>
  templateNames().filter((name) => {
    const path = `${name}/template.yaml`;
    return !existsSync(new URL(path, FOLDER)) || read(path) !== writtenTemplate(name);
  });

if (import.meta.main) {
  const [option, folder] = process.argv.slice(2);
  if (option === "--gator" && folder !== undefined) {
    writeForGator(folder);
  } else if (option === "--check") {
    for (const name of staleTemplates()) {
      process.stderr.write(`templates/${name}/template.yaml is stale: node tools/templates.ts\n`);
      process.exitCode = 1;
    }
  } else {
    for (const name of templateNames()) {
      writeFileSync(new URL(`${name}/template.yaml`, FOLDER), writtenTemplate(name));
    }
  }
}
