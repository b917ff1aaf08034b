import assert from "node:assert/strict";
import { test } from "node:test";
import { rejected, undecided, type Verdict } from "../verdict/verdict.ts";
import type { Decision } from "../verify/decision.ts";
import { digestOf, isDigest } from "../image/digest.ts";
import type { LogLevel } from "../lib/log-level.ts";
import { createLog } from "./log.ts";

/** A log whose lines stay here. */
function collect(level: LogLevel = "info") {
  let text = "";
  const log = createLog({
    level,
    destination: {
      write: (lines) => {
        text += lines;
      },
    },
  });
  const lines = (): readonly Readonly<Record<string, unknown>>[] =>
    text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { log, lines, text: () => text };
}

const digest = `sha256:${"a".repeat(64)}`;
const signature = digestOf("signature");
assert.ok(isDigest(digest));
const verified: Verdict = {
  kind: "verified",
  facts: {
    outcome: "verified",
    image: `r/x@${digest}`,
    digest,
    policy: "default",
    statement: "s",
    level: "strict",
    signature,
  },
};
const decision: Decision = { key: "r/x", verdict: verified, cache: "hit", durationMs: 1.23456 };

/** The fields of a line without its time, which must be one. */
function timeless({ time, ...fields }: Readonly<Record<string, unknown>>) {
  assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  return fields;
}

test("T-71 a decision is one line of the fields that it has: what was judged, by which signature, under which policy and epoch", () => {
  const { log, lines } = collect();
  const whole: Decision = {
    ...decision,
    digest,
    policy: "prod",
    epoch: "e1",
    level: "audit",
    registry: "r",
  };
  const refused: Decision = {
    key: "r/y",
    verdict: rejected("UNSIGNED", "no signature found"),
    cache: "miss",
    durationMs: 20,
  };
  const open: Decision = { ...refused, key: "r/z", verdict: undecided("TIMEOUT", "late") };
  log.decisions([whole, refused, open], "abc-1");
  const common = { level: "info", request: "abc-1", msg: "decision" };
  assert.deepEqual(lines().map(timeless), [
    {
      ...common,
      key: "r/x",
      outcome: "verified",
      digest,
      signature,
      policy: "prod",
      epoch: "e1",
      // The level of the line stands before the level that the key asked for.
      askedLevel: "audit",
      registry: "r",
      cache: "hit",
      durationMs: 1.235,
    },
    {
      ...common,
      key: "r/y",
      outcome: "rejected",
      reason: "UNSIGNED",
      sentence: "no signature found",
      cache: "miss",
      durationMs: 20,
    },
    {
      ...common,
      key: "r/z",
      outcome: "undecided",
      reason: "TIMEOUT",
      sentence: "late",
      cache: "miss",
      durationMs: 20,
    },
  ]);
});

test("a pin is one line", () => {
  const { log, lines } = collect();
  log.pins(
    [
      { key: "r/x:1", result: { kind: "pinned", image: `r/x:1@${digest}` }, durationMs: 1 },
      { key: "r/y", result: rejected("IMAGE_NOT_FOUND", "no such tag"), durationMs: 2 },
    ],
    "abc-2",
  );
  const common = { level: "info", request: "abc-2", msg: "pin" };
  assert.deepEqual(lines().map(timeless), [
    { ...common, key: "r/x:1", outcome: "pinned", image: `r/x:1@${digest}`, durationMs: 1 },
    {
      ...common,
      key: "r/y",
      outcome: "rejected",
      reason: "IMAGE_NOT_FOUND",
      sentence: "no such tag",
      durationMs: 2,
    },
  ]);
});

const keys = [
  "a\nb",
  "\r\n{}",
  "\u001b[2J",
  "\u2028",
  "\ud800",
  `","outcome":"verified","x":"`,
  "\0",
  "a".repeat(100_000),
];
for (const key of keys) {
  test(`T-55 a key ${JSON.stringify(key.slice(0, 24))} is one line that reads as it was`, () => {
    const { log, lines, text } = collect();
    const verdict = rejected("INVALID_REFERENCE", key);
    log.decisions([{ ...decision, key, verdict, policy: key, registry: key }], "x");
    const [line, ...more] = lines();
    assert.deepEqual(more, []);
    assert.match(text(), /^[ -~]+\n$/);
    assert.equal(line?.["outcome"], "rejected");
    assert.equal(line["key"], key.length > 512 ? `${key.slice(0, 512)}…` : key);
  });
}

const levels: readonly { level: LogLevel; want: readonly string[] }[] = [
  { level: "debug", want: ["debug", "info", "warn", "error", "info", "info"] },
  { level: "info", want: ["info", "warn", "error", "info", "info"] },
  { level: "warn", want: ["warn", "error"] },
  { level: "error", want: ["error"] },
];
for (const { level, want } of levels) {
  test(`level ${level} writes ${want.length} of six lines`, () => {
    const { log, lines } = collect(level);
    log.debug("a");
    log.info("b");
    log.warn("c");
    log.error("d");
    log.decisions([decision], "x");
    log.pins([{ key: "k", result: { kind: "pinned", image: "i" }, durationMs: 0 }], "x");
    assert.deepEqual(
      lines().map((line) => line["level"]),
      want,
    );
  });
}

test("T-37 a field that is not on the list is not written, whatever the types were told", () => {
  const { log, text, lines } = collect("debug");
  const fields = {
    policy: "prod",
    headers: { authorization: "canary" },
    body: "canary",
    password: "canary",
    env: { AWS_SECRET_ACCESS_KEY: "canary" },
  };
  log.debug("a", fields);
  log.error("b", fields, new Error("c"));
  assert.equal(text().includes("canary"), false);
  assert.equal(lines()[0]?.["policy"], "prod");
});

test("T-37 of an error its name, its code and its places are written, never its message", () => {
  const { log, text, lines } = collect();
  const cause = new Error("canary one");
  const error = Object.assign(
    new TypeError("canary two\n    at canary three\ncanary four", { cause }),
    { code: "ECANARY".replace("CANARY", "PIPE"), path: "/run/secrets/canary" },
  );
  log.error("a request failed", { reason: "x" }, error);
  log.error("a request failed", {}, "canary five");
  assert.equal(text().includes("canary"), false);
  const [first, second] = lines();
  assert.equal(first?.["error"], "TypeError");
  assert.equal(first["code"], "EPIPE");
  assert.match(JSON.stringify(first["places"]), /log\.test\.ts/);
  assert.equal(second?.["error"], "string");
});

test("a duration that is no number is null and does not break the line", () => {
  const { log, lines } = collect();
  log.decisions([{ ...decision, durationMs: Number.NaN }], "x");
  assert.equal(lines()[0]?.["durationMs"], null);
});

test("nothing is written after the end", async () => {
  const { log, text } = collect();
  await log.close();
  log.info("late");
  log.decisions([decision], "x");
  assert.equal(text(), "");
});
