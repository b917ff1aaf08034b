import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import type { Decision } from "../verify/decision.ts";
import { rejected, undecided } from "../verdict/verdict.ts";
import { formatDecisions } from "./format.ts";
import { formatProblems } from "./problems.ts";
import { createProgress } from "./progress.ts";
import { keyOf } from "./verify.ts";

const decision = (key: string, verdict: Decision["verdict"], durationMs = 12.4): Decision => ({
  key,
  verdict,
  cache: "none",
  durationMs,
});
const DECISIONS = [
  decision("a:1", rejected("UNSIGNED", "the image has no signature")),
  decision("registry.example.com/b:2", undecided("TIMEOUT", "the time is up"), 1800),
];
/** A stream that is no terminal. */
const plain = new PassThrough();

test("a table has aligned columns, and no colours where there is no terminal", () =>
  assert.equal(
    formatDecisions(DECISIONS, "table", plain),
    [
      "a:1                       rejected      12 ms  UNSIGNED: the image has no signature",
      "registry.example.com/b:2  undecided   1800 ms  TIMEOUT: the time is up",
      "",
    ].join("\n"),
  ));

test("T-55 a key cannot break out of its line", () => {
  const text = formatDecisions(
    [decision("a\n\u001b[2Jb\u2028verified", rejected("INVALID_REFERENCE", "is no image"))],
    "table",
    plain,
  );
  assert.equal(text.split("\n").length, 2);
  // oxlint-disable-next-line no-control-regex -- that there is none is the point
  assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u2028]/);
});

test("JSON says what the table says, under the words of the log", () =>
  assert.deepEqual(JSON.parse(formatDecisions(DECISIONS, "json", plain)), [
    {
      key: "a:1",
      outcome: "rejected",
      durationMs: 12,
      reason: "UNSIGNED",
      sentence: "the image has no signature",
    },
    {
      key: "registry.example.com/b:2",
      outcome: "undecided",
      durationMs: 1800,
      reason: "TIMEOUT",
      sentence: "the time is up",
    },
  ]));

test("a problem is one line: severity, path, message, and the line of the file where there is one", () =>
  assert.equal(
    formatProblems([
      { path: "server.deadline", message: "is no duration", line: 3 },
      { path: "trustpolicy.json", message: "is weak", severity: "warning" },
    ]),
    "error: server.deadline: is no duration (line 3)\nwarning: trustpolicy.json: is weak\n",
  ));

for (const { isTTY, want } of [
  {
    isTTY: true,
    want: ["\r\u001b[Kverifying 0 of 1", "\r\u001b[Kverifying 1 of 1", "\r\u001b[K"],
  },
  { isTTY: false, want: [] },
]) {
  test(`progress is shown on ${isTTY ? "a terminal, and taken away" : "nothing else"}`, () => {
    const written: string[] = [];
    const progress = createProgress(1, { isTTY, write: (text) => written.push(text) });
    progress.step();
    progress.end();
    assert.deepEqual(written, want);
  });
}

for (const { options, want } of [
  { options: {}, want: "a:1" },
  { options: { policy: "prod" }, want: "a:1?policy=prod" },
  { options: { level: "audit" }, want: "a:1?level=audit" },
  { options: { policy: "prod", level: "audit" }, want: "a:1?policy=prod&level=audit" },
]) {
  test(`${JSON.stringify(options)} ask for ${want}`, () =>
    assert.equal(keyOf("a:1", options), want));
}
