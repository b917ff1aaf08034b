import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { digestOf } from "../image/digest.ts";
import { parseReference } from "../image/reference.ts";
import { isRefusal } from "../verdict/verdict.ts";
import { isKeyText, parseKey } from "./key.ts";

const digest = digestOf("");
const nginx = { registry: "docker.io", repository: "library/nginx", tag: "latest" };

const accepted = [
  { text: "nginx", want: { policy: "default" } },
  { text: "nginx?policy=prod", want: { policy: "prod" } },
  { text: "nginx?policy=default", want: { policy: "default" } },
  { text: "nginx?level=strict", want: { policy: "default", level: "strict" } },
  { text: "nginx?level=permissive", want: { policy: "default", level: "permissive" } },
  { text: "nginx?level=audit", want: { policy: "default", level: "audit" } },
  { text: "nginx?policy=prod&level=audit", want: { policy: "prod", level: "audit" } },
  { text: "nginx?level=audit&policy=prod", want: { policy: "prod", level: "audit" } },
  { text: "nginx?policy=_A.z-9", want: { policy: "_A.z-9" } },
  { text: "nginx?policy=level", want: { policy: "level" } },
  { text: "nginx?policy=__proto__", want: { policy: "__proto__" } },
  { text: `nginx?policy=${"p".repeat(64)}`, want: { policy: "p".repeat(64) } },
];
for (const { text, want } of accepted) {
  test(`${text} is a key`, () => {
    assert.deepEqual(parseKey(text), { text, reference: nginx, ...want });
  });
}

test("a key keeps the text that was sent beside the normalised reference", () => {
  const text = `index.docker.io/app:1@${digest}?level=strict`;
  assert.deepEqual(parseKey(text), {
    text,
    reference: { registry: "docker.io", repository: "library/app", tag: "1", digest },
    policy: "default",
    level: "strict",
  });
});

const badOptions = [
  // T-47: a second question mark, a repetition.
  "nginx?level=audit?level=strict",
  "nginx??level=audit",
  "nginx?level=audit?",
  "nginx?level=audit&level=audit",
  "nginx?policy=a&policy=b",
  "nginx?policy=a&level=audit&policy=a",
  // Nothing, or too much, between the separators.
  "nginx?",
  "nginx?&",
  "nginx?level=audit&",
  "nginx?&level=audit",
  "nginx?level=audit&&policy=a",
  "nginx?level=audit;policy=a",
  // Names.
  "nginx?=audit",
  "nginx?level",
  "nginx?Level=audit",
  "nginx?levels=audit",
  "nginx?__proto__=a",
  "nginx?constructor=a",
  "nginx?polic%79=a",
  "nginx?xlevel=audit",
  // Levels.
  "nginx?level=",
  "nginx?level=skip",
  "nginx?level=Strict",
  "nginx?level=strict=audit",
  "nginx?level=toString",
  // Policies: names of files.
  "nginx?policy=",
  "nginx?policy=.hidden",
  "nginx?policy=..",
  "nginx?policy=-p",
  "nginx?policy=a/b",
  "nginx?policy=a\\b",
  "nginx?policy=a%2fb",
  "nginx?policy=a=b",
  "nginx?policy=a+b",
  "nginx?policy=[tenant]",
  `nginx?policy=${"p".repeat(65)}`,
];
for (const text of badOptions) {
  test(`T-47 ${text} has an invalid option`, () => {
    const refusal = parseKey(text);
    assert.ok(isRefusal(refusal));
    assert.equal(refusal.reason, "INVALID_OPTION");
  });
}

const badReferences = [
  { name: "T-35 an empty text", text: "" },
  { name: "T-35 a blank", text: " " },
  { name: "T-35 a flag", text: "--help" },
  { name: "T-35 a flag with a value", text: "--plugin-config=a=b" },
  { name: "T-35 a short flag", text: "-u" },
  { name: "T-35 a file of arguments", text: "@file" },
  { name: "T-47 options without an image", text: "?level=audit" },
  { name: "T-47 a tenant", text: "[tenant]nginx" },
  { name: "T-47 JSON", text: `{"image":"nginx"}` },
  { name: "T-47 a bad image with a bad option", text: "Nginx?level=skip" },
  { name: "T-24 __proto__", text: "__proto__" },
  { name: "T-55 a line break", text: "nginx\nredis" },
  { name: "T-55 a line break at the end", text: "nginx\n" },
  { name: "T-55 a line break in an option", text: "nginx?policy=a\n" },
  { name: "T-55 a terminal sequence", text: "nginx\u001b[31m" },
  { name: "T-55 a line separator", text: "nginx\u2028" },
  { name: "T-55 a zero byte", text: "nginx\0" },
  { name: "T-55 a lone high surrogate", text: "nginx\ud800" },
  { name: "T-55 a lone low surrogate in an option", text: "nginx?policy=\udc00" },
  { name: "a letter beyond ASCII", text: "n\u00efginx" },
  { name: "F-39 1,025 bytes", text: `nginx?${"a".repeat(1019)}` },
  { name: "F-39 400 characters of 1,200 bytes", text: "\u20ac".repeat(400) },
  { name: "F-39 64 KiB", text: "a".repeat(65_536) },
  { name: "F-39 1 MiB", text: "a-".repeat(524_288) },
];
for (const { name, text } of badReferences) {
  test(`${name} is an invalid reference`, () => {
    const refusal = parseKey(text);
    assert.ok(isRefusal(refusal));
    assert.equal(refusal.reason, "INVALID_REFERENCE");
  });
}

// Members of Object.prototype are names like any other: constructor and toString have capitals or not.
for (const text of ["constructor", "hasownproperty", "prototype"]) {
  test(`T-24 ${text} is an ordinary image`, () => {
    const reference = { registry: "docker.io", repository: `library/${text}`, tag: "latest" };
    assert.deepEqual(parseKey(text), { text, reference, policy: "default" });
  });
}

test("F-39 a text of 1,024 bytes is looked at, one of 1,025 is not", () => {
  assert.equal(isKeyText("a".repeat(1024)), true);
  assert.equal(isKeyText("a".repeat(1025)), false);
});

test("T-50 no pattern is shown a text of more than 1,024 bytes", (t) => {
  // RegExp.prototype.test calls exec as well.
  const exec = t.mock.method(RegExp.prototype, "exec");
  parseKey("nginx");
  assert.notEqual(exec.mock.callCount(), 0);
  exec.mock.resetCalls();
  for (const text of ["a".repeat(1025), "\u20ac".repeat(1_048_576)]) parseKey(text);
  assert.equal(exec.mock.callCount(), 0);
});

test("T-73 refusals are the same objects each time, so that a flood of bad keys keeps nothing", () => {
  assert.equal(parseKey("A"), parseKey("B"));
  assert.equal(parseKey("\n"), parseKey("\t"));
  assert.equal(parseKey("a?b"), parseKey("a?c"));
});

test("any text is a key or is rejected, and a key without a ? is its image", () => {
  const piece = fc.constantFrom(
    "nginx",
    "?",
    "&",
    "=",
    "policy",
    "level",
    "audit",
    "a.b/c",
    ":1",
    "\n",
  );
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(piece, { maxLength: 9 }).map((pieces) => pieces.join("")),
  );
  fc.assert(
    fc.property(text, (text) => {
      const key = parseKey(text);
      if (isRefusal(key)) return;
      assert.equal(key.text, text);
      assert.ok(isKeyText(text));
      assert.deepEqual(key.reference, parseReference(text.split("?")[0] ?? ""));
      if (!text.includes("?")) assert.deepEqual(key, { ...key, policy: "default" });
    }),
    { numRuns: 3_000 },
  );
});
