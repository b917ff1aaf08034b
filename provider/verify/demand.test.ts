import assert from "node:assert/strict";
import { test } from "node:test";
import { createDemands } from "./demand.ts";

test("the deadline that counts is the earliest of those who have time enough, or else the latest", () => {
  const demands = createDemands();
  const demand = demands.of("key");
  const dueAt = (...enough: readonly number[]) => enough.map((ms) => demand.dueAt(ms));
  assert.deepEqual(dueAt(0, 1000), [Infinity, Infinity]);

  const late = demands.join("key", { dueAt: 300 });
  const early = demands.join("key", { dueAt: 100 });
  const same = demands.join("key", { dueAt: 100 });
  demands.join("other", { dueAt: 1 });
  assert.deepEqual(dueAt(0, 100, 101, 300, 301), [100, 100, 300, 300, 300]);
  early();
  assert.deepEqual(dueAt(0, 101), [100, 300], "another waits as urgently");
  late();
  assert.deepEqual(dueAt(0, 101), [100, 100]);
  const ahead = demands.join("key", { dueAt: -Infinity });
  assert.deepEqual(dueAt(0, 101), [-Infinity, -Infinity]);
  ahead();
  same();
  assert.deepEqual(dueAt(0, 1000), [Infinity, Infinity]);
});

test("whoever watches is told of each who comes and goes, in whatever order, until it watches no more", () => {
  const demands = createDemands();
  demands.join("key", { dueAt: 100 })();
  const told: number[] = [];
  const demand = demands.of("key");
  const stop = demand.watch(() => told.push(demand.dueAt(0)));
  const leave = demands.join("key", { dueAt: 300 });
  demands.join("key", { dueAt: 400 });
  demands.join("other", { dueAt: 1 });
  leave();
  assert.deepEqual(told, [300, 300, 400]);
  stop();
  demands.join("key", { dueAt: 200 });
  assert.equal(told.length, 3);
  assert.equal(demand.dueAt(0), 200, "it is known all the same");
});
