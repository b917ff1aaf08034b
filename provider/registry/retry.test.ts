import assert from "node:assert/strict";
import test from "node:test";
import { jitterMs, MAX_WAIT_MS, parseRetryAfter, wait } from "./retry.ts";

const DATE = "Sat, 21 Nov 2026 10:00:00 GMT";

const CASES: readonly (readonly [
  text: string | undefined,
  date: string | undefined,
  want: number | undefined,
])[] = [
  ["0", undefined, 0],
  ["1", undefined, 1000],
  ["3600", undefined, 3_600_000],
  ["Sat, 21 Nov 2026 10:00:30 GMT", DATE, 30_000],
  ["Sat, 21 Nov 2026 09:00:00 GMT", DATE, 0],
  ["Sat, 21 Nov 2026 10:00:30 GMT", undefined, undefined],
  ["Sat, 21 Nov 2026 10:00:30 GMT", "yesterday", undefined],
  ["2026-11-21T10:00:30Z", DATE, undefined],
  [undefined, DATE, undefined],
  ["", DATE, undefined],
  ["-1", DATE, undefined],
  ["1.5", DATE, undefined],
  ["1, 2", DATE, undefined],
  ["soon", DATE, undefined],
  ["9".repeat(41), DATE, undefined],
  ["Xxx, 99 Zzz 2026 99:99:99 GMT", DATE, undefined],
];

for (const [text, date, want] of CASES) {
  test(`F-03 Retry-After ${JSON.stringify(text)} at ${date} is ${want} ms`, () =>
    assert.equal(parseRetryAfter(text, date), want));
}

test("a wait that nobody asked for is short", () => {
  for (let count = 0; count < 100; count += 1) {
    const ms = jitterMs();
    assert.ok(ms > 0 && ms < MAX_WAIT_MS);
  }
});

test("a wait ends with the reason of its signal", async () => {
  const caller = new AbortController();
  const waiting = wait(3_600_000, caller.signal);
  const reason = new Error("enough");
  caller.abort(reason);
  await assert.rejects(waiting, reason);
  await assert.rejects(wait(0, caller.signal), reason);
});
