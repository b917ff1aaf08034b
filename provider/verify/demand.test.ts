import assert from "node:assert/strict";
import { test } from "node:test";
import { createDemands } from "./demand.ts";

test("whoever watches a verdict is told when its earliest caller changes, and at no other time", () => {
  const demands = createDemands();
  const demand = demands.of("key");
  const told: number[] = [];
  const stop = demand.watch(() => told.push(demand.dueAt()));
  assert.equal(demand.dueAt(), Infinity);

  const late = demands.join("key", { dueAt: 300 });
  const early = demands.join("key", { dueAt: 100 });
  const same = demands.join("key", { dueAt: 100 });
  demands.join("other", { dueAt: 1 });
  assert.deepEqual(told, [300, 100]);
  early();
  assert.deepEqual(told, [300, 100], "another waits as urgently");
  same();
  late();
  assert.deepEqual(told, [300, 100, 300, Infinity]);

  stop();
  demands.join("key", { dueAt: 200 });
  assert.equal(told.length, 4);
  assert.equal(demand.dueAt(), 200, "it is known all the same");
});

test("who watches and who waits may come and go in any order, and a refresh, for which nobody waits, makes nothing urgent", () => {
  const demands = createDemands();
  const leave = demands.join("key", { dueAt: 100 });
  leave();
  const told: number[] = [];
  const demand = demands.of("key");
  demand.watch(() => told.push(demand.dueAt()));
  demands.join("key", { dueAt: Infinity });
  assert.deepEqual(told, []);
  demands.join("key", { dueAt: 50 });
  assert.deepEqual(told, [50]);
});
