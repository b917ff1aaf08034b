// Writes the page about the chart's values from values.yaml: `node tools/chart-readme.ts`.
import { readFileSync, writeFileSync } from "node:fs";
import { isMap, isScalar, parseDocument, type Node, type YAMLMap } from "yaml";

const CHART = new URL("../helm/notation-gatekeeper-provider/", import.meta.url);
export const CHART_README = new URL("README.md", CHART);
export const CHART_VALUES = new URL("values.yaml", CHART);

const BEGIN = "<!-- values: written by tools/chart-readme.ts -->";
const END = "<!-- end of values -->";

interface Row {
  /** `certificates.certManager.duration` */
  readonly path: string;
  /** JSON; none for what only holds others. */
  readonly fallback?: string;
  /** What the comment above the key says; a name that says it all has none. */
  readonly meaning: string;
}

/** The text of a comment, its lines joined; of the first of the file without what is said of the file itself. */
const sentence = (comment: string | null | undefined): string =>
  (comment ?? "")
    .replace(/^.*\n\n/s, "")
    .trim()
    .replaceAll(/\s*\n\s*/g, " ");

/** One row for each key in the order of the file; a map is followed by what it holds. */
function rowsOf(map: YAMLMap, prefix = ""): readonly Row[] {
  return map.items.flatMap(({ key, value }, index) => {
    const own = key as Node;
    if (!isScalar(own)) throw new Error("a key that is no text");
    const path = `${prefix}${String(own.value)}`;
    // What stands above the first key of a map the parser gives to the map.
    const meaning = sentence(own.commentBefore ?? (index === 0 ? map.commentBefore : null));
    if (isMap(value) && value.items.length > 0) {
      // Labels and the like: what is in them is the value.
      const isValue = value.items.every(({ key: inner }) => /[./]/.test(String(inner)));
      if (!isValue) return [{ path, meaning }, ...rowsOf(value, `${path}.`)];
    }
    const fallback = JSON.stringify((value as Node).toJSON());
    return [{ path, fallback, meaning }];
  });
}

/** @param values the text of values.yaml */
export function valuesRows(values: string): readonly Row[] {
  const { contents } = parseDocument(values);
  if (!isMap(contents)) throw new Error("values.yaml is no map");
  return rowsOf(contents);
}

/** A cell of a table; `<` begins a tag and `|` the next cell. */
const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("<", "&lt;");

/** The page with its table made anew. */
export function writtenReadme(page: string, values: string): string {
  const rows = valuesRows(values).map(({ path, fallback, meaning }) => {
    const shown = fallback === undefined ? "" : `\`${cell(fallback)}\``;
    return `| \`${path}\` | ${shown} | ${cell(meaning)} |`;
  });
  const table = ["| value | default | meaning |", "| --- | --- | --- |", ...rows];
  const [before = "", rest = ""] = page.split(BEGIN);
  const [, after = ""] = rest.split(END);
  return `${before}${BEGIN}\n\n${table.join("\n")}\n\n${END}${after}`;
}

if (import.meta.main) {
  const [page, values] = [readFileSync(CHART_README, "utf8"), readFileSync(CHART_VALUES, "utf8")];
  writeFileSync(CHART_README, writtenReadme(page, values));
}
