import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parsePage, readPage } from "./pages.ts";

const ROOT = new URL("../", import.meta.url);
const NOT_OURS = ["**/node_modules", ".cache", "tools/bin", "testing/fuzz/corpus"];

const pages = new Map(
  globSync("**/*.md", { cwd: ROOT.pathname, exclude: NOT_OURS })
    .map((path) => new URL(path, ROOT))
    .map((file) => [file.href, readPage(file)]),
);

const nameOf = (page: string): string => page.slice(ROOT.href.length);

test("every link of a page leads to a file of the repository, and to a heading where it names one", () => {
  assert.ok(pages.size > 30);
  for (const [page, { links }] of pages) {
    for (const { text, target, anchor } of links) {
      const where = `${nameOf(page)}: ${text}`;
      assert.ok(target.href.startsWith(ROOT.href) && existsSync(target), where);
      assert.ok(anchor === "" || pages.get(target.href)?.anchors.has(anchor) === true, where);
    }
  }
});

test("every page can be reached from README.md; a link to a folder leads to the pages in it", () => {
  const reached = new Set<string>();
  const follow = (href: string): void => {
    if (reached.has(href)) return;
    reached.add(href);
    for (const page of pages.keys()) {
      if (href.endsWith("/") && new URL(".", page).href === href) follow(page);
    }
    for (const { target } of pages.get(href)?.links ?? []) follow(target.href);
  };
  follow(new URL("README.md", ROOT).href);
  assert.deepEqual(
    [...pages.keys()].filter((page) => !reached.has(page)),
    [],
  );
});

/** Programs by their paths: from the root, from the folder that most pages speak of, or beside the page. */
const PROGRAM = /(?<![\w./*<-])[\w-]+(?:[/.][\w-]+)*\.(?:ts|go|rego|patch)\b/g;
const TARGET = /^(?:\$ )?make (?<target>[a-z0-9-]+)/;

test("every program that a page names is there, and so is every target of make", () => {
  const makefile = readFileSync(new URL("Makefile", ROOT), "utf8");
  for (const [page, { codes }] of pages) {
    const folders = [ROOT, new URL("provider/", ROOT), new URL("templates/", ROOT), page];
    for (const code of codes) {
      for (const [path] of code.matchAll(PROGRAM)) {
        const isThere = folders.some((folder) => existsSync(new URL(path, folder)));
        assert.ok(isThere, `${nameOf(page)}: ${path}`);
      }
      const target = TARGET.exec(code)?.groups?.["target"];
      if (target !== undefined) {
        assert.ok(makefile.includes(`\n${target}:`), `${nameOf(page)}: make ${target}`);
      }
    }
  }
});

test("links, anchors and code are read as GitHub reads them", () => {
  const here = new URL("file:///docs/here.md");
  const page = parsePage(
    `# A \`title\`, _twice_
## A title, _twice_
[one](there.md#a-place "said") and [\`two\`](#a-title-twice), [three][3], [far](https://example.com/here.md)

\`\`\`sh
# no heading
make it # [no](link.md)
\`\`\`

[3]: ../up/
`,
    here,
  );
  assert.deepEqual([...page.anchors], ["a-title-twice", "a-title-twice-1"]);
  assert.deepEqual(
    page.links.map(({ target, anchor }) => [target.pathname, anchor]),
    [
      ["/docs/there.md", "a-place"],
      ["/docs/here.md", "a-title-twice"],
      ["/up/", ""],
    ],
  );
  assert.ok(page.codes.includes("title") && page.codes.includes("make it # [no](link.md)"));
});
