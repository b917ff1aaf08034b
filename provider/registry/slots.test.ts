import assert from "node:assert/strict";
import test from "node:test";
import { isRefusal } from "../verdict/verdict.ts";
import { createSlots } from "./slots.ts";

const never = new AbortController().signal;

/** Work that ends when it is told to, and a count of what was begun. */
function createWork() {
  const begun: (() => void)[] = [];
  const work = async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    begun.push(() => resolve("done"));
    return promise;
  };
  return { work, begun };
}
const turn = async () => new Promise(setImmediate);

test("no more work than places is begun, and the rest in order", async () => {
  const take = createSlots({ concurrency: 2, maxWaiting: 10 });
  const { work, begun } = createWork();
  const results = [take(work, never), take(work, never), take(work, never)];
  await turn();
  assert.equal(begun.length, 2);
  begun[0]?.();
  assert.equal(await results[0], "done");
  await turn();
  assert.equal(begun.length, 3);
  for (const end of begun) end();
  assert.deepEqual(await Promise.all(results), ["done", "done", "done"]);
});

test("beyond places and queue the answer is OVERLOADED at once", async () => {
  const take = createSlots({ concurrency: 1, maxWaiting: 1 });
  const { work, begun } = createWork();
  const results = [take(work, never), take(work, never)];
  const refused = await take(work, never);
  assert.ok(isRefusal(refused));
  assert.equal(refused.reason, "OVERLOADED");
  await turn();
  begun[0]?.();
  await results[0];
  await turn();
  const next = take(work, never);
  await turn();
  begun[1]?.();
  await turn();
  begun[2]?.();
  assert.deepEqual(await Promise.all([results[1], next]), ["done", "done"]);
});

test("who gives up while waiting is answered at once, is never begun, and leaves room for another", async () => {
  const take = createSlots({ concurrency: 1, maxWaiting: 1 });
  const { work, begun } = createWork();
  const caller = new AbortController();
  const first = take(work, never);
  const second = take(work, caller.signal);
  const reason = new Error("enough");
  caller.abort(reason);
  await assert.rejects(second, reason);
  const third = take(work, never);
  await turn();
  begun[0]?.();
  await first;
  await turn();
  assert.equal(begun.length, 2);
  begun[1]?.();
  assert.equal(await third, "done");
});

test("work that fails gives its place back", async () => {
  const take = createSlots({ concurrency: 1, maxWaiting: 0 });
  const failure = new Error("broken");
  await assert.rejects(
    take(async () => Promise.reject(failure), never),
    failure,
  );
  assert.equal(await take(async () => "done", never), "done");
});

test("a caller who gives up after the beginning keeps the place until the work has ended", async () => {
  const take = createSlots({ concurrency: 1, maxWaiting: 0 });
  const { work, begun } = createWork();
  const caller = new AbortController();
  const first = take(work, caller.signal);
  await turn();
  caller.abort(new Error("enough"));
  await assert.rejects(first, { message: "enough" });
  assert.ok(isRefusal(await take(work, never)));
  begun[0]?.();
  await turn();
  assert.equal(await take(async () => "done", never), "done");
});
