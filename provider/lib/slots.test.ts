import assert from "node:assert/strict";
import { test } from "node:test";
import { createSlots } from "./slots.ts";

const never = new AbortController().signal;

/** Work that ends when it is told to. */
function work() {
  const { promise, resolve } = Promise.withResolvers<string>();
  let begun = 0;
  return {
    begin: () => {
      begun += 1;
      return promise;
    },
    end: resolve,
    begun: () => begun,
  };
}

/** Lets everything run that does not wait for anything outside. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

test("no more work than there are places runs at once, and the rest in turn", async () => {
  const take = createSlots({ concurrency: 2, maxWaiting: 5 });
  const works = Array.from({ length: 4 }, work);
  const answers = works.map(({ begin }) => take(begin, never));
  await settle();
  assert.deepEqual(
    works.map(({ begun }) => begun()),
    [1, 1, 0, 0],
  );
  works[0]?.end("first");
  await settle();
  assert.deepEqual(
    works.map(({ begun }) => begun()),
    [1, 1, 1, 0],
  );
  for (const { end } of works) end("done");
  assert.deepEqual(await Promise.all(answers), ["first", "done", "done", "done"]);
});

test("one more than may wait is answered full at once", async () => {
  const take = createSlots({ concurrency: 1, maxWaiting: 1 });
  const [running, waiting, rest] = [work(), work(), work()];
  const answers = [take(running.begin, never), take(waiting.begin, never)];
  assert.equal(await take(rest.begin, never), "full");
  running.end("a");
  waiting.end("b");
  assert.deepEqual(await Promise.all(answers), ["a", "b"]);
  assert.equal(rest.begun(), 0);
});

test("without a queue, free places are taken and nothing waits", async () => {
  const take = createSlots({ concurrency: 2, maxWaiting: 0 });
  const works = [work(), work(), work()];
  const answers = works.map(({ begin }) => take(begin, never));
  for (const { end } of works) end("done");
  assert.deepEqual(await Promise.all(answers), ["done", "done", "full"]);
});

test("who gives up while waiting is answered at once, is never begun, and leaves room for another", async () => {
  const take = createSlots({ concurrency: 1, maxWaiting: 1 });
  const [running, gone, next] = [work(), work(), work()];
  const first = take(running.begin, never);
  const caller = new AbortController();
  const second = take(gone.begin, caller.signal);
  const reason = new Error("enough");
  caller.abort(reason);
  await assert.rejects(second, reason);
  const third = take(next.begin, never);
  next.end("done");
  running.end("done");
  assert.deepEqual([await first, await third, gone.begun()], ["done", "done", 0]);
});

test("work that was begun is not cut off when the signal aborts, and keeps its place until it ends", async () => {
  const take = createSlots({ concurrency: 1, maxWaiting: 0 });
  const [running, next] = [work(), work()];
  const caller = new AbortController();
  const answer = take(running.begin, caller.signal);
  await settle();
  caller.abort();
  assert.equal(await take(next.begin, never), "full");
  running.end("ended by itself");
  next.end("done");
  assert.equal(await answer, "ended by itself");
  assert.equal(await take(next.begin, never), "done");
});

test("an aborted signal takes no place", async () => {
  const take = createSlots({ concurrency: 1, maxWaiting: 0 });
  const [aborted, next] = [work(), work()];
  const reason = new Error("over");
  await assert.rejects(take(aborted.begin, AbortSignal.abort(reason)), reason);
  const answer = take(next.begin, never);
  next.end("done");
  assert.deepEqual([await answer, aborted.begun()], ["done", 0]);
});

test("work that rejects frees its place", async () => {
  const take = createSlots({ concurrency: 1, maxWaiting: 1 });
  const next = work();
  const failing = take(() => Promise.reject(new Error("no")), never);
  const answer = take(next.begin, never);
  next.end("done");
  await assert.rejects(failing, { message: "no" });
  assert.equal(await answer, "done");
});
