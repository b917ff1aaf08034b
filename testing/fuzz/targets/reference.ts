import assert from "node:assert/strict";
import { isDigest } from "../../../provider/image/digest.ts";
import { isHost } from "../../../provider/image/host.ts";
import { formatReference, nameOf, parseReference } from "../../../provider/image/reference.ts";
import { parseKey } from "../../../provider/protocol/key.ts";
import { isRefusal } from "../../../provider/verdict/verdict.ts";
import { assertRefusal, outcomeOf } from "../assertions.ts";
import type { Target } from "../target.ts";

/**
 * Keys and the images in them. What is accepted is printable, means the same when it is written out and read again, and names a
 * host that a reader of URLs takes for the same host; what is refused says so by one of two codes.
 */
export const target: Target = {
  name: "reference",
  title:
    "T-31 T-35 T-47 T-55 a key that is accepted is printable, means the same when it is written out anew, and names one host",
  maxBytes: 4096,
  words: [
    "nginx",
    "docker.io/",
    "index.docker.io/",
    "localhost",
    "localhost:5000/",
    "[::1]:80/",
    "[fd00::2]",
    "registry.example.com",
    "127.0.0.1",
    "0x7f.1",
    "2130706433",
    "library/",
    ":latest",
    ":65535",
    "@sha256:",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha512:",
    "?",
    "?policy=",
    "?level=strict",
    "&level=audit",
    "&",
    "=",
    "skip",
    "default",
    ".",
    "_",
    "__",
    "-",
    "/",
    ":",
    "@",
    "[",
    "]",
  ],
  check(input) {
    const text = Buffer.from(input).toString();
    const key = parseKey(text);
    if (isRefusal(key)) {
      assertRefusal(key);
      assert.ok(["INVALID_REFERENCE", "INVALID_OPTION"].includes(key.reason));
      return outcomeOf(key);
    }
    assert.match(text, /^[!-~]{1,1024}$/);
    assert.doesNotMatch(text, /^-/);
    assert.equal(key.text, text);
    assert.match(key.policy, /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/);
    assert.ok(key.level === undefined || ["strict", "permissive", "audit"].includes(key.level));

    const { reference } = key;
    const image = text.split("?", 1)[0] ?? "";
    assert.deepEqual(parseReference(image), reference);
    const canonical = formatReference(reference);
    assert.deepEqual(parseReference(canonical), reference);
    assert.equal(formatReference(reference), canonical);

    const { registry, repository, tag, digest } = reference;
    assert.ok(nameOf(reference).length <= 255);
    assert.ok(isHost(registry));
    // The default port of the scheme alone is left out by URLs, and by nobody here.
    const asUrl = `ftps://${registry}/v2/${repository}/x`;
    assert.equal(new URL(asUrl).host, registry);
    assert.equal(new URL(asUrl.replace("ftps", "https")).hostname, new URL(asUrl).hostname);
    assert.equal(new URL(asUrl).pathname, `/v2/${repository}/x`);
    assert.ok(tag !== undefined || digest !== undefined);
    assert.ok(tag === undefined || /^[\w][\w.-]{0,127}$/.test(tag));
    assert.ok(digest === undefined || (isDigest(digest) && text.includes(digest)));
    return `${registry === "docker.io"} ${registry.includes("[")} ${registry.includes(":")} ${tag !== undefined} ${digest !== undefined} ${key.level ?? ""} ${key.policy === "default"}`;
  },
};
