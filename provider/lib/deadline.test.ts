import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { createDeadlines, untilAborted } from "./deadline.ts";

test("a promise that settles first decides", async () => {
  const { signal } = new AbortController();
  assert.equal(await untilAborted(Promise.resolve(1), signal), 1);
  await assert.rejects(untilAborted(Promise.reject(new Error("own")), signal), { message: "own" });
});

test("a signal that aborts first decides, with its reason", async () => {
  const controller = new AbortController();
  const waiting = untilAborted(Promise.withResolvers<never>().promise, controller.signal);
  controller.abort(new Error("late"));
  await assert.rejects(waiting, { message: "late" });
});

test("a failure after the abort is nobody's unhandled rejection", async () => {
  const { promise, reject } = Promise.withResolvers<never>();
  await assert.rejects(untilAborted(promise, AbortSignal.abort(new Error("late"))));
  reject(new Error("much later"));
  // node:test fails the file on an unhandled rejection; one turn of the loop is when it would come.
  await new Promise((resolve) => setImmediate(resolve));
});

test("10,000 waits leave no listener on the signal", async () => {
  const { signal } = new AbortController();
  for (let count = 0; count < 10_000; count += 1) await untilAborted(Promise.resolve(), signal);
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

/** Timers that fire when a test says so. */
function createTimers() {
  const timers = new Set<() => void>();
  const deadlines = createDeadlines(10, "late", (_ms, callback) => {
    timers.add(callback);
    return { cancel: () => timers.delete(callback) };
  });
  return { timers, deadlines };
}

test("a deadline aborts its own signal, with the reason of its kind", () => {
  const { timers, deadlines } = createTimers();
  const [one, other] = [deadlines.begin(), deadlines.begin()];
  [...timers][0]?.();
  assert.deepEqual([one.signal.reason, other.signal.aborted], ["late", false]);
});

test("a deadline that was brought forward keeps the first reason", () => {
  const { timers, deadlines } = createTimers();
  const deadline = deadlines.begin();
  deadline.abort("gone");
  for (const timer of timers) timer();
  assert.equal(deadline.signal.reason, "gone");
});

test("work that ended leaves no timer and is not aborted with the others", () => {
  const { timers, deadlines } = createTimers();
  const deadline = deadlines.begin();
  deadline.end();
  deadlines.abort("closing");
  assert.deepEqual([timers.size, deadline.signal.aborted], [0, false]);
});

test("deadlines that were all brought forward abort whatever begins later", () => {
  const { timers, deadlines } = createTimers();
  const before = deadlines.begin();
  deadlines.abort("closing");
  const after = deadlines.begin();
  assert.deepEqual([before.signal.reason, after.signal.reason], ["closing", "closing"]);
  before.end();
  after.end();
  assert.equal(timers.size, 0);
});
