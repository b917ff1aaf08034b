import assert from "node:assert/strict";
import { test } from "node:test";
import { createFlight } from "./single-flight.ts";

const never = new AbortController().signal;

const throwing = (): Promise<string> => {
  throw new Error("at once");
};

function setUp() {
  const deadline = new AbortController();
  const flight = createFlight<string>(() => ({ signal: deadline.signal, end: () => (ended += 1) }));
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let runs = 0;
  let ended = 0;
  const work = async (): Promise<string> => {
    runs += 1;
    return await promise;
  };
  return { flight, deadline, work, resolve, reject, runs: () => runs, ended: () => ended };
}

test("200 callers of equal work cost one run, and all get its result", async () => {
  const { flight, work, resolve, runs } = setUp();
  const calls = Array.from({ length: 200 }, () => flight.run("a", work, never));
  resolve("done");
  const results = await Promise.all(calls.map(async ({ result }) => await result));
  assert.deepEqual(new Set(results), new Set(["done"]));
  assert.equal(runs(), 1);
  assert.deepEqual(calls.map(({ joined }) => joined).indexOf(true), 1);
});

test("T-22 a follower gets the answer after the first caller hung up", async () => {
  const { flight, work, resolve } = setUp();
  const caller = new AbortController();
  const leader = flight.run("a", work, caller.signal);
  const follower = flight.run("a", work, never);
  caller.abort(new Error("gone"));
  await assert.rejects(leader.result, { message: "gone" });
  resolve("done");
  assert.equal(await follower.result, "done");
});

test("T-22 the work gets its own deadline and not a caller's", async () => {
  const { flight, deadline } = setUp();
  const caller = new AbortController();
  let isEnded: boolean | undefined;
  const { result } = flight.run(
    "a",
    async (signal) => {
      caller.abort();
      isEnded = signal.aborted;
      return "nobody waits for it";
    },
    caller.signal,
  );
  await assert.rejects(result);
  assert.equal(isEnded, false);
  const other = flight.run(
    "b",
    async (signal) => {
      deadline.abort();
      return `aborted: ${signal.aborted}`;
    },
    never,
  );
  assert.equal(await other.result, "aborted: true");
});

test("work that failed is not joined again", async () => {
  const { flight, work, reject, runs } = setUp();
  const first = flight.run("a", work, never);
  reject(new Error("broken"));
  await assert.rejects(first.result);
  assert.equal(flight.has("a"), false);
  const second = flight.run("a", work, never);
  await assert.rejects(second.result);
  assert.equal(runs(), 2);
});

test("work that throws at once rejects and is not kept", async () => {
  const { flight } = setUp();
  await assert.rejects(flight.run("a", throwing, never).result, { message: "at once" });
  assert.equal(flight.size, 0);
});

test("the deadline of work that has ended is ended too", async () => {
  const { flight, work, reject, ended } = setUp();
  const { result } = flight.run("a", work, never);
  assert.equal(ended(), 0);
  reject(new Error("broken"));
  await assert.rejects(result);
  assert.equal(ended(), 1);
});

test("different keys are different work", async () => {
  const { flight, work, resolve, runs } = setUp();
  const calls = ["a", "b"].map((key) => flight.run(key, work, never));
  assert.equal(flight.size, 2);
  resolve("done");
  await Promise.all(calls.map(async ({ result }) => await result));
  assert.equal(runs(), 2);
});
