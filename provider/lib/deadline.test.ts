import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { untilAborted } from "./deadline.ts";

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
