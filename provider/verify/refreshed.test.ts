import assert from "node:assert/strict";
import { test } from "node:test";
import { createRefreshedCache } from "./refreshed.ts";
import { settle } from "../../testing/verify/world.ts";

function setUp() {
  const clock = { now: 0 };
  const cache = createRefreshedCache<string>({
    maxEntries: 10,
    maxBytes: 100,
    sizeOf: () => 1,
    now: () => clock.now,
    maxRefreshes: 1,
    coolDownMs: 5,
    onFault: () => assert.fail(),
  });
  return { cache, clock };
}

test("an entry that somebody else made anew while its refresh waited is not made anew again", async () => {
  const { cache, clock } = setUp();
  cache.set("a", "old", 100);
  cache.set("b", "old", 100);
  clock.now = 80;
  const { promise, resolve } = Promise.withResolvers<void>();
  const refreshed: string[] = [];
  const refresh = (key: string) => async () => {
    refreshed.push(key);
    await promise;
  };
  cache.get("a", refresh("a"));
  cache.get("b", refresh("b"));
  await settle();
  cache.set("b", "new", 100);
  resolve();
  await settle();
  assert.deepEqual(refreshed, ["a"]);
});

test("an entry whose life is over is gone, whatever becomes of its refresh", async () => {
  const { cache, clock } = setUp();
  cache.set("a", "old", 100);
  clock.now = 99;
  const { promise, resolve } = Promise.withResolvers<void>();
  cache.get("a", async () => await promise);
  clock.now = 100;
  assert.equal(
    cache.get("a", () => assert.fail()),
    undefined,
  );
  resolve();
  await settle();
});
