import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { realTime, type Schedule } from "../lib/deadline.ts";
import { error, ok, warning } from "./finding.ts";
import { formatFindings } from "./format.ts";
import { tryAll, type Trial } from "./trial.ts";

const FINDINGS = [
  ok("server.tls", "the pair fits"),
  warning("trust a.json", "is weak"),
  error("aws", "there are no credentials", "give the Pod a role"),
];
/** A stream that is no terminal. */
const plain = new PassThrough();
const NEVER = new AbortController().signal;

test("findings are a line each, in columns, with what to do at the end", () =>
  assert.equal(
    formatFindings(FINDINGS, "table", plain),
    [
      "ok       server.tls    the pair fits",
      "warning  trust a.json  is weak",
      "error    aws           there are no credentials; fix: give the Pod a role",
      "",
    ].join("\n"),
  ));

test("findings in JSON are the findings", () =>
  assert.deepEqual(JSON.parse(formatFindings(FINDINGS, "json", plain)), FINDINGS));

test("T-55 what somebody answered cannot break out of its line", () => {
  const text = formatFindings([error("a\nok", "b\u001b[2J\u2028c", "\r")], "table", plain);
  assert.equal(text.split("\n").length, 2);
  // oxlint-disable-next-line no-control-regex -- that there is none is the point
  assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u2028]/);
});

const trial = (subject: string, run: Trial["run"]): Trial => ({ subject, run });
const hangs: Trial["run"] = () => new Promise(() => {});

test("trials run at once, and their findings stand in the order of the trials", async () => {
  const gate = Promise.withResolvers<void>();
  const found = await tryAll(
    [
      trial("first", async () => {
        await gate.promise;
        return [ok("first", "waited for the second")];
      }),
      trial("second", async () => {
        gate.resolve();
        return [ok("second", "went ahead"), warning("second", "twice")];
      }),
    ],
    { timeoutMs: 1000, schedule: realTime, signal: NEVER },
  );
  assert.deepEqual(
    found.map(({ subject }) => subject),
    ["first", "second", "second"],
  );
});

test("a trial that is late is an error of its own, and its signal has aborted", async () => {
  const due: (() => void)[] = [];
  const schedule: Schedule = (_ms, callback) => {
    due.push(callback);
    return { cancel() {} };
  };
  let seen: AbortSignal | undefined;
  const found = tryAll(
    [
      trial("late", (signal) => {
        seen = signal;
        return hangs(signal);
      }),
      trial("other", async () => [ok("other", "works")]),
    ],
    { timeoutMs: 10_000, schedule, signal: NEVER },
  );
  for (const end of due) end();
  assert.deepEqual(await found, [error("late", "took longer than 10 s"), ok("other", "works")]);
  assert.equal(seen?.aborted, true);
});

test("whoever interrupts gets what was found by then", async () => {
  const interrupt = new AbortController();
  const found = tryAll([trial("late", hangs)], {
    timeoutMs: 10_000,
    schedule: realTime,
    signal: interrupt.signal,
  });
  interrupt.abort();
  assert.deepEqual(await found, [error("late", "was interrupted")]);
});

test("of a throw only the name and the code are told: its message may quote anything", async () => {
  const thrown = Object.assign(new TypeError("password"), { code: "EACCES" });
  const found = await tryAll([trial("a", () => Promise.reject(thrown))], {
    timeoutMs: 1000,
    schedule: realTime,
    signal: NEVER,
  });
  assert.deepEqual(found, [error("a", "could not be tried: TypeError EACCES")]);
});
