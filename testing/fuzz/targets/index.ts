import assert from "node:assert/strict";
import { digestOf, isDigest } from "../../../provider/image/digest.ts";
import { NOTATION_SIGNATURE, OCI_INDEX } from "../../../provider/image/media-type.ts";
import type { Reply } from "../../../provider/registry/http.ts";
import { createReferrers } from "../../../provider/registry/referrers.ts";
import type { Session } from "../../../provider/registry/session.ts";
import { isRefusal } from "../../../provider/verdict/verdict.ts";
import { assertRefusal, outcomeOf } from "../assertions.ts";
import { json } from "../form.ts";
import type { Target } from "../target.ts";

const ENDPOINT = new URL("https://registry.example.com");
const SUBJECT = digestOf("subject");
const API = `/v2/app/referrers/${SUBJECT}`;
const TAG = `/v2/app/manifests/${SUBJECT.replace(":", "-")}`;

interface Page {
  readonly status?: unknown;
  readonly type?: unknown;
  readonly link?: unknown;
  readonly body?: unknown;
}

const isPage = (page: unknown): page is Page => typeof page === "object" && page !== null;

/** The answers of a registry, in the order in which it is asked; the last of them for ever. */
function pagesOf(input: Uint8Array): readonly Page[] | undefined {
  try {
    const pages: unknown = JSON.parse(Buffer.from(input).toString());
    return Array.isArray(pages) && pages.length > 0 && pages.every(isPage) ? pages : undefined;
  } catch {
    return undefined;
  }
}

function replyOf({ status, type, link, body }: Page): Reply {
  const headers = new Map<string, string>([
    ["content-type", typeof type === "string" ? type : OCI_INDEX],
    ...(typeof link === "string" ? ([["link", link]] as const) : []),
  ]);
  return {
    status: typeof status === "number" ? status : 200,
    header: (name) => headers.get(name),
    body: Buffer.from(typeof body === "string" ? body : JSON.stringify(body ?? null)),
  };
}

/**
 * Lists of signatures, on as many pages as a registry likes to name. It is asked a bounded number of times, only for this list and
 * only itself; what is listed is well-formed and distinct.
 */
export const target: Target = {
  name: "index",
  title:
    "T-11 F-08 a list of signatures costs its own registry a bounded number of requests, and is well-formed and distinct",
  maxBytes: 1_048_576,
  form: json,
  words: [
    "status",
    "type",
    "link",
    "body",
    "schemaVersion",
    "mediaType",
    "manifests",
    "digest",
    "size",
    "artifactType",
    "annotations",
    "errors",
    "code",
    "NAME_UNKNOWN",
    OCI_INDEX,
    NOTATION_SIGNATURE,
    digestOf("signature"),
    `<${API}?last=a>; rel="next"`,
    '<?last=b>; rel="next"',
    `<https://registry.example.com${API}>; rel=next`,
    '<//elsewhere.example.com/>; rel="next"',
    '<http://registry.example.com/>; rel="next"',
    "#",
    "..",
    "text/html",
  ],
  async check(input) {
    const pages = pagesOf(input);
    if (pages === undefined) return "no pages";
    const asked: URL[] = [];
    const session: Session = {
      endpoint: ENDPOINT,
      ask: async ({ url }) => {
        asked.push(new URL(url));
        return replyOf(pages[Math.min(asked.length, pages.length) - 1] ?? {});
      },
      close: async () => undefined,
    };
    const list = createReferrers({ session, now: () => 0 });
    const listed = await list("app", SUBJECT, new AbortController().signal);

    assert.ok(asked.length <= 11, "too many requests");
    assert.equal(new Set(asked.map(({ href }) => href)).size, asked.length, "asked twice");
    for (const { origin, pathname, hash } of asked) {
      assert.equal(origin, ENDPOINT.origin);
      assert.ok(pathname === API || pathname === TAG, pathname);
      assert.equal(hash, "");
    }
    if (isRefusal(listed)) {
      assertRefusal(listed);
      assert.equal(listed.kind, "undecided");
      return `${outcomeOf(listed)} ${asked.length > 1}`;
    }
    assert.ok(listed.length <= 1000);
    assert.equal(new Set(listed.map(({ digest }) => digest)).size, listed.length);
    for (const { mediaType, digest, size, artifactType, annotations = {} } of listed) {
      assert.ok(mediaType.length <= 255);
      assert.ok(isDigest(digest));
      assert.ok(Number.isSafeInteger(size) && size >= 0);
      assert.equal(artifactType, NOTATION_SIGNATURE);
      assert.ok(Object.entries(annotations).flat().join("").length <= 4096);
    }
    return `${Math.min(listed.length, 3)} listed by ${asked.length} requests`;
  },
};
