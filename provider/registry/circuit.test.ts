import assert from "node:assert/strict";
import test from "node:test";
import { undecided, type Undecided } from "../verdict/verdict.ts";
import { createCircuit } from "./circuit.ts";

const DOWN = undecided("REGISTRY_UNREACHABLE", "down");

function setUp() {
  const clock = { ms: 0 };
  const circuit = createCircuit<string>({
    now: () => clock.ms,
    failureOf: (result) => (result === "down" ? DOWN : undefined),
  });
  const calls: string[] = [];
  const pass = async (result: string): Promise<string | Undecided> =>
    circuit.pass(async () => {
      calls.push(result);
      return result;
    });
  return { clock, circuit, calls, pass };
}

test("nine failures in a row leave the circuit closed, the tenth opens it", async () => {
  const { calls, pass } = setUp();
  for (let count = 0; count < 10; count += 1) assert.equal(await pass("down"), "down");
  assert.equal(calls.length, 10);
  assert.equal(await pass("up"), DOWN);
  assert.equal(calls.length, 10);
});

test("an answer in between starts the count anew", async () => {
  const { pass } = setUp();
  for (let count = 0; count < 9; count += 1) await pass("down");
  await pass("up");
  for (let count = 0; count < 9; count += 1) await pass("down");
  assert.equal(await pass("up"), "up");
});

test("after its rest one tries, and what becomes of it decides", async () => {
  const { clock, pass, calls } = setUp();
  for (let count = 0; count < 10; count += 1) await pass("down");
  clock.ms = 2000;
  assert.equal(await pass("down"), "down");
  assert.equal(await pass("up"), DOWN);
  clock.ms = 3999;
  assert.equal(await pass("up"), DOWN);
  clock.ms = 4000;
  assert.deepEqual(await Promise.all([pass("up"), pass("up")]), ["up", DOWN]);
  assert.equal(await pass("up"), "up");
  assert.equal(calls.length, 13);
});

test("F-02 work is told that it is the one that tries, so that nobody calls it off", async () => {
  const { clock, circuit, pass } = setUp();
  const told: boolean[] = [];
  const work = async (tries: boolean): Promise<string> => {
    told.push(tries);
    return "up";
  };
  await circuit.pass(work);
  for (let count = 0; count < 10; count += 1) await pass("down");
  clock.ms = 2000;
  await circuit.pass(work);
  await circuit.pass(work);
  assert.deepEqual(told, [false, true, false]);
});

test("an attempt that was given up leaves the next one to try", async () => {
  const { clock, circuit, pass } = setUp();
  for (let count = 0; count < 10; count += 1) await pass("down");
  clock.ms = 2000;
  await assert.rejects(circuit.pass(async () => Promise.reject(new Error("given up"))));
  assert.equal(await pass("up"), "up");
});

test("F-03 a pause that was asked for is kept, ten seconds at most", async () => {
  const why = undecided("REGISTRY_THROTTLED", "too many");
  const { clock, circuit, pass } = setUp();
  circuit.hold(3_600_000, why);
  clock.ms = 9999;
  assert.equal(await pass("up"), why);
  clock.ms = 10_000;
  assert.equal(await pass("up"), "up");
});

test("an answer that was under way does not end a pause", async () => {
  const why = undecided("REGISTRY_THROTTLED", "too many");
  const { circuit, pass } = setUp();
  const { promise, resolve } = Promise.withResolvers<string>();
  const early = circuit.pass(async () => promise);
  circuit.hold(1000, why);
  resolve("up");
  assert.equal(await early, "up");
  assert.equal(await pass("up"), why);
});
