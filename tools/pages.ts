import { readFileSync } from "node:fs";

/** A link of a page to something of the repository. */
export interface Link {
  /** As it is written. */
  readonly text: string;
  /** Of the file or folder; the page itself where only an anchor is given. */
  readonly target: URL;
  /** Of a heading; empty where the whole page is meant. */
  readonly anchor: string;
}

/** What a page of Markdown leads to, and what may lead to it. */
export interface Page {
  readonly links: readonly Link[];
  /** Of its headings, as GitHub makes them. */
  readonly anchors: ReadonlySet<string>;
  /** What it names as code: pieces in back quotes, and blocks line by line. */
  readonly codes: readonly string[];
}

const FENCE = /^(?<fence>`{3,}|~{3,})(?<block>.*?)^\k<fence>$/gms;
const HEADING = /^#{1,6} +(?<title>.+?)[ #]*$/gm;
/** `](target)`, or `[name]: target` at the beginning of a line. */
const LINK = /\]\((?<inline>[^)\s]+)(?: "[^"]*")?\)|^\[[^\]]+\]: (?<defined>\S+)/gm;
const CODE = /`(?<code>[^`\n]+)`/g;
const SCHEME = /^[a-z][a-z0-9+.-]*:/i;

export function readPage(file: URL): Page {
  return parsePage(readFileSync(file, "utf8"), file);
}

/** @param file where it stands; links are relative to it */
export function parsePage(markdown: string, file: URL): Page {
  const text = markdown.replaceAll(FENCE, "");
  const links = Array.from(text.matchAll(LINK), ({ groups = {} }) => {
    return groups["inline"] ?? groups["defined"] ?? "";
  });
  return {
    links: links.filter((link) => !SCHEME.test(link)).map((link) => toLink(link, file)),
    anchors: anchorsOf(Array.from(text.matchAll(HEADING), ({ groups }) => groups?.["title"] ?? "")),
    codes: [
      ...Array.from(text.matchAll(CODE), ({ groups }) => groups?.["code"] ?? ""),
      ...markdown.matchAll(FENCE).flatMap(({ groups }) => groups?.["block"]?.split("\n") ?? []),
    ],
  };
}

function toLink(text: string, file: URL): Link {
  const target = new URL(text, file);
  const anchor = decodeURIComponent(target.hash.slice(1));
  target.hash = "";
  return { text, target, anchor };
}

/** Letters, digits, hyphens and low lines are kept, spaces become hyphens, and a title that occurs again is counted. */
function anchorsOf(titles: readonly string[]): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const title of titles) {
    const plain = title
      .replaceAll(/\[(?<words>[^\]]*)\]\([^)]*\)/g, "$<words>")
      .replaceAll(/(?<!\w)_(?<words>[^_]+)_(?!\w)/g, "$<words>")
      .replaceAll(/[^\p{L}\p{M}\p{N}_\- ]/gu, "")
      .replaceAll(" ", "-")
      .toLowerCase();
    let anchor = plain;
    for (let again = 1; anchors.has(anchor); again += 1) anchor = `${plain}-${again}`;
    anchors.add(anchor);
  }
  return anchors;
}
