import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parse, stringify } from "yaml";
import { parseConfig } from "./load.ts";
import { schema } from "./schema.ts";

const DOCS = new URL("../../docs/", import.meta.url);

/** Pages of which every block is a configuration; on others those are that have a member of one. */
const ABOUT_CONFIGURATION = new Set(["configuration.md", "registries.md"]);

/** Pages whose blocks are values of the chart, which has a schema of its own. */
const ABOUT_CHART = new Set(["install.md"]);

/** What must be given, for blocks that show a part. */
const LEAST = {
  server: { tls: { certificate: "tls.crt", key: "tls.key", clientCA: "ca.crt" } },
  trust: { directory: "trust" },
  notation: { binary: "notation" },
  registries: [{ host: "registry.example.com" }],
};

/** Each block of YAML of a page, and the line that it begins on. */
const blocksOf = (page: string) =>
  [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map((match) => ({
    text: match[1] ?? "",
    line: page.slice(0, match.index).split("\n").length,
  }));

const pages = readdirSync(DOCS).filter((file) => file.endsWith(".md") && !ABOUT_CHART.has(file));
for (const name of pages) {
  for (const { text, line } of blocksOf(readFileSync(new URL(name, DOCS), "utf8"))) {
    // Several documents are Kubernetes objects.
    if (/^---$/m.test(text)) continue;
    const block: Record<string, unknown> = parse(text);
    const hasMember = Object.keys(block).some((member) => Object.hasOwn(schema.shape, member));
    if (!hasMember && !ABOUT_CONFIGURATION.has(name)) continue;
    test(`${name}: the example on line ${line} is a configuration without problems`, () => {
      const part = "host" in block ? { registries: [block] } : block;
      // Files and certificates of the provider's own exclude each other.
      const least = "certificates" in block ? { ...LEAST, server: {} } : LEAST;
      const loaded = parseConfig(stringify({ ...least, ...part }));
      assert.deepEqual("problems" in loaded ? loaded.problems : [], []);
    });
  }
}
