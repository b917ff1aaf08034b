import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { createCache } from "./cache.ts";

function setUp({ maxEntries = 4, maxBytes = 100 } = {}) {
  const clock = { now: 1000 };
  const cache = createCache<{ readonly size: number }>({
    maxEntries,
    maxBytes,
    sizeOf: (value) => value.size,
    now: () => clock.now,
  });
  return { cache, clock };
}

test("an entry is there until its life ends, and not at its end", () => {
  const { cache, clock } = setUp();
  const value = { size: 1 };
  cache.set("a", value, 10);
  clock.now += 9;
  assert.deepEqual(cache.get("a"), { value, ageMs: 9, lifeMs: 10 });
  clock.now += 1;
  assert.equal(cache.get("a"), undefined);
  assert.deepEqual(cache.stats(), { entries: 0, bytes: 0 });
});

test("an entry that was set again has the new value, life and bytes", () => {
  const { cache, clock } = setUp();
  cache.set("a", { size: 40 }, 10);
  clock.now += 8;
  cache.set("a", { size: 2 }, 5);
  clock.now += 4;
  assert.deepEqual(cache.get("a"), { value: { size: 2 }, ageMs: 4, lifeMs: 5 });
  assert.deepEqual(cache.stats(), { entries: 1, bytes: 2 });
});

for (const lifeMs of [0, -1, Number.NaN]) {
  test(`a life of ${lifeMs} keeps nothing, and what was there goes`, () => {
    const { cache } = setUp();
    cache.set("a", { size: 1 }, 10);
    cache.set("a", { size: 1 }, lifeMs);
    assert.equal(cache.get("a"), undefined);
  });
}

test("an entry larger than the cache is not kept and evicts nobody else", () => {
  const { cache } = setUp();
  cache.set("a", { size: 1 }, 10);
  cache.set("b", { size: 101 }, 10);
  assert.equal(cache.get("b"), undefined);
  assert.notEqual(cache.get("a"), undefined);
});

test("who made room for others, or was never kept, is told; who was replaced, deleted or has expired is not", () => {
  const clock = { now: 0 };
  const evicted: string[] = [];
  const cache = createCache<number>({
    maxEntries: 4,
    maxBytes: 100,
    sizeOf: (bytes) => bytes,
    now: () => clock.now,
    onEvicted: (key) => evicted.push(key),
  });
  cache.set("replaced", 1, 10);
  cache.set("replaced", 2, 10);
  cache.delete("replaced");
  cache.set("expired", 1, 10);
  clock.now += 10;
  assert.equal(cache.get("expired"), undefined);
  assert.deepEqual(evicted, []);
  for (const key of ["a", "b", "c", "d"]) cache.set(key, 1, 10);
  assert.deepEqual(evicted.splice(0), ["a", "b"]);
  cache.set("too large", 101, 10);
  assert.deepEqual(evicted.splice(0), ["too large"]);
  cache.set("large", 100, 10);
  assert.deepEqual(evicted, ["c", "d"]);
});

test("keys that are members of every object are ordinary keys", () => {
  const { cache } = setUp();
  assert.equal(cache.get("__proto__"), undefined);
  assert.equal(cache.get("constructor"), undefined);
});

const command = fc.oneof(
  fc.record({ kind: fc.constant("get" as const), key: fc.nat(7) }),
  fc.record({
    kind: fc.constant("set" as const),
    key: fc.nat(7),
    size: fc.integer({ min: 0, max: 120 }),
    lifeMs: fc.integer({ min: -1, max: 20 }),
  }),
  fc.record({ kind: fc.constant("delete" as const), key: fc.nat(7) }),
  fc.record({ kind: fc.constant("pass" as const), ms: fc.nat(10) }),
);

test("it never returns what a map of everything would not, and keeps both bounds", () => {
  const bounds = fc.record({
    maxEntries: fc.integer({ min: 1, max: 8 }),
    maxBytes: fc.integer({ min: 0, max: 300 }),
  });
  fc.assert(
    fc.property(bounds, fc.array(command, { maxLength: 200, size: "max" }), (most, commands) => {
      const { cache, clock } = setUp(most);
      const oracle = new Map<string, { value: { size: number }; end: number }>();
      for (const step of commands) {
        if (step.kind === "pass") {
          clock.now += step.ms;
          continue;
        }
        const key = String(step.key);
        if (step.kind === "set") {
          const value = { size: step.size };
          cache.set(key, value, step.lifeMs);
          oracle.set(key, { value, end: clock.now + step.lifeMs });
          // What was just set is there, if it may be kept at all.
          const kept = step.lifeMs > 0 && step.size <= most.maxBytes;
          assert.equal(cache.get(key)?.value, kept ? value : undefined);
        } else if (step.kind === "delete") {
          cache.delete(key);
          oracle.delete(key);
        }
        const got = cache.get(key);
        const known = oracle.get(key);
        if (got !== undefined) {
          assert.equal(got.value, known?.value);
          assert.ok(clock.now < (known?.end ?? 0));
        }
        const { entries, bytes } = cache.stats();
        assert.ok(entries >= 0 && entries <= most.maxEntries, `${entries} entries`);
        assert.ok(bytes >= 0 && bytes <= most.maxBytes, `${bytes} bytes`);
      }
    }),
  );
});

test("the half of its entries that was used last is always there", () => {
  const key = fc.nat(12);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.array(key, { maxLength: 60, size: "max" }),
      (maxEntries, keys) => {
        const { cache } = setUp({ maxEntries });
        const used: number[] = [];
        for (const next of keys) {
          if (cache.get(String(next)) === undefined) cache.set(String(next), { size: 1 }, 10);
          used.unshift(next);
        }
        const last = [...new Set(used)].slice(0, Math.floor((maxEntries + 1) / 2));
        // From the oldest, so that looking does not change the order.
        for (const one of last.toReversed()) assert.notEqual(cache.get(String(one)), undefined);
      },
    ),
  );
});

test("what has expired leaves when something is set, within twice the longest life, though nobody asks for it", () => {
  const { cache, clock } = setUp({ maxEntries: 100 });
  for (let index = 0; index < 20; index += 1) cache.set(`k${index}`, { size: 1 }, 10);
  cache.set("longer", { size: 1 }, 15);
  clock.now += 12;
  cache.set("first", { size: 1 }, 10);
  assert.equal(cache.stats().entries, 22);
  clock.now += 8;
  cache.set("second", { size: 1 }, 10);
  assert.deepEqual(cache.stats(), { entries: 2, bytes: 2 });
  assert.notEqual(cache.get("first"), undefined);
});

test("when every entry has gone, so have its bytes", () => {
  const { cache, clock } = setUp({ maxEntries: 3 });
  for (let index = 0; index < 50; index += 1) cache.set(`k${index % 5}`, { size: 7 }, 10);
  clock.now += 10;
  for (let index = 0; index < 5; index += 1) cache.get(`k${index}`);
  assert.deepEqual(cache.stats(), { entries: 0, bytes: 0 });
});
