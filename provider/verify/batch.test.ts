import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  codeOf,
  createHeldJudge,
  createWorld,
  D1,
  D2,
  never,
  PASSED,
  settle,
} from "../../testing/verify/world.ts";
import type { Decision } from "./decision.ts";

const IMAGE = `r.io/a@${D1}`;
const codesOf = (decisions: readonly Decision[]) => decisions.map(({ verdict }) => codeOf(verdict));

test("200 callers at once with the same new key cost one verification", async () => {
  const { verifier, parts, calls } = createWorld();
  const held = createHeldJudge();
  parts.judge = held.judge;
  const asked = Array.from(
    { length: 200 },
    async () => await verifier.decide(["r.io/a:v1"], never),
  );
  await settle();
  held.release(PASSED);
  const answers = (await Promise.all(asked)).flat();
  assert.deepEqual(new Set(codesOf(answers)), new Set(["verified"]));
  assert.equal(answers.filter(({ cache }) => cache === "miss").length, 1);
  assert.equal(answers.filter(({ cache }) => cache === "joined").length, 199);
  assert.deepEqual(calls, { subject: 1, collect: 1, judge: 1 });
});

test("T-22 a first caller who hangs up spoils the work for nobody, and it fills the cache", async () => {
  const { verifier, parts, calls, ask } = createWorld();
  const held = createHeldJudge();
  parts.judge = held.judge;
  const caller = new AbortController();
  const leader = verifier.decide([IMAGE], caller.signal);
  const follower = verifier.decide([IMAGE], never);
  await settle();
  caller.abort();
  assert.deepEqual(codesOf(await leader), ["TIMEOUT"]);
  held.release(PASSED);
  assert.deepEqual(codesOf(await follower), ["verified"]);
  assert.equal((await ask(IMAGE)).cache, "hit");
  assert.equal(calls.judge, 1);
});

test("T-22 all callers hung up, the work goes on and answers who comes later", async () => {
  const { verifier, parts, ask, calls } = createWorld();
  const held = createHeldJudge();
  parts.judge = held.judge;
  const callers = [new AbortController(), new AbortController()];
  const asked = callers.map(async ({ signal }) => await verifier.decide([IMAGE], signal));
  await settle();
  for (const caller of callers) caller.abort();
  await Promise.all(asked);
  assert.deepEqual(verifier.stats().underWay, 1);
  held.release(PASSED);
  await settle();
  assert.equal((await ask(IMAGE)).cache, "hit");
  assert.equal(calls.judge, 1);
});

test("nothing is begun for a caller who has hung up already, and cached keys are answered all the same", async () => {
  const { verifier, calls, ask } = createWorld();
  await ask(IMAGE);
  const asked = await verifier.decide([IMAGE, `r.io/b@${D1}`], AbortSignal.abort());
  assert.deepEqual(codesOf(asked), ["verified", "TIMEOUT"]);
  await settle();
  assert.equal(calls.collect, 1);
});

test("F-01 at the deadline late keys are TIMEOUT, the others decided, and the late result answers the retry", async () => {
  const { verifier, parts, time, ask } = createWorld();
  const held = createHeldJudge();
  parts.judge = async ({ subject }) => (subject.digest === D2 ? await held.judge() : PASSED);
  let isAnswered = false;
  const asked = verifier.decide([IMAGE, `r.io/a@${D2}`], never).finally(() => (isAnswered = true));
  await settle();
  time.pass(1799);
  await settle();
  assert.equal(isAnswered, false);
  time.pass(1);
  assert.deepEqual(codesOf(await asked), ["verified", "TIMEOUT"]);
  held.release(PASSED);
  await settle();
  assert.equal((await ask(`r.io/a@${D2}`)).cache, "hit");
});

test("T-13 of many images at once those that were begun are finished first, and another registry has its own places", async () => {
  const { verifier, parts, calls } = createWorld({ concurrency: 2 });
  const held = createHeldJudge();
  parts.judge = async ({ repository }) =>
    repository.registry === "r.io" ? await held.judge() : PASSED;
  const cold = Array.from({ length: 10 }, (_, index) => `r.io/cold-${index}@${D1}`);
  const asked = verifier.decide(cold, never);
  await settle();
  assert.deepEqual([calls.collect, calls.judge], [2, 2]);
  assert.deepEqual(codesOf(await verifier.decide([`other.example/a@${D1}`], never)), ["verified"]);
  held.release(PASSED);
  assert.deepEqual(new Set(codesOf(await asked)), new Set(["verified"]));
});

test("a request whose body took most of the deadline waits only for the rest, in decisions and in pins", async () => {
  const { verifier, parts, time } = createWorld({ deadlineMs: 1800 });
  parts.network = async () => await new Promise<never>(() => {});
  const began = time.now();
  time.pass(1500);
  const decided = verifier.decide([IMAGE], never, began);
  const pinned = verifier.pin(["r.io/a:v1"], never, began);
  await settle();
  assert.equal(verifier.stats().waiting, 2);
  time.pass(300);
  await settle();
  assert.equal(verifier.stats().waiting, 0);
  const [decision] = await decided;
  const [pin] = await pinned;
  assert.ok(decision && pin?.result.kind === "undecided");
  assert.deepEqual([codeOf(decision.verdict), pin.result.reason], ["TIMEOUT", "TIMEOUT"]);
  assert.deepEqual([decision.durationMs, pin.durationMs], [1800, 1800]);
});

test("work that waited for its turn until its deadline is never begun", async () => {
  const { verifier, parts, calls, time } = createWorld({ concurrency: 1 });
  const held = createHeldJudge();
  parts.judge = held.judge;
  void verifier.decide([IMAGE, `r.io/b@${D1}`], never);
  await settle();
  time.pass(10_000);
  held.release(PASSED);
  await settle();
  assert.equal(verifier.stats().underWay, 0);
  assert.equal(calls.collect, 1);
});

test("work that is ended while it waits for a further envelope is TIMEOUT and no fault", async () => {
  const { verifier, parts, time, events } = createWorld({ deadlineMs: 20_000 });
  parts.envelope = async (signal) =>
    await new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(new Error("ended")));
    });
  const asked = verifier.decide([IMAGE], never);
  await settle();
  time.pass(10_000);
  assert.deepEqual(codesOf(await asked), ["TIMEOUT"]);
  assert.deepEqual(events, []);
});

test("work has a deadline of its own, after which it is TIMEOUT and not kept", async () => {
  const { verifier, parts, time, ask, calls } = createWorld();
  parts.judge = async (_question, signal) =>
    await new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(new Error("ended")));
    });
  void verifier.decide([IMAGE], never);
  await settle();
  time.pass(9999);
  await settle();
  assert.equal(verifier.stats().underWay, 1);
  time.pass(1);
  await settle();
  assert.equal(verifier.stats().underWay, 0);
  parts.judge = async () => PASSED;
  assert.equal((await ask(IMAGE)).verdict.kind, "verified");
  assert.equal(calls.judge, 2);
});

test("no timer is left when all is answered", async () => {
  const { ask, time } = createWorld();
  await ask("r.io/a:v1");
  assert.equal(time.timers.size, 0);
});

test("F-38 T-21 one key 500 times is one verification and one decision, in the request's order", async () => {
  const { verifier, calls } = createWorld();
  const keys = [...Array<string>(500).fill(IMAGE), "bad key", IMAGE, `r.io/b@${D1}`];
  const decisions = await verifier.decide(keys, never);
  assert.deepEqual(
    decisions.map(({ key }) => key),
    [IMAGE, "bad key", `r.io/b@${D1}`],
  );
  assert.equal(calls.judge, 2);
});

test("T-21 each distinct key is answered once, byte for byte, in the request's order, whatever the keys", async () => {
  const { verifier, parts, policies } = createWorld();
  policies.set("broken", "never");
  parts.judge = async ({ subject }) => {
    if (subject.digest === D2) throw new Error("a bug");
    return PASSED;
  };
  const known = fc.constantFrom(
    "r.io/a:v1",
    "r.io/a:gone",
    IMAGE,
    `r.io/a@${D2}`,
    "r.io/a:v1?level=audit",
    "r.io/a?policy=none",
    "r.io/a?policy=broken",
    "other.io/a",
    "__proto__",
  );
  // Any 16 bits, lone surrogates among them.
  const text = fc
    .array(fc.integer({ min: 0, max: 0xff_ff }), { maxLength: 40 })
    .map((units) => String.fromCharCode(...units));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(known, text), { maxLength: 30, size: "max" }),
      async (keys) => {
        const decisions = await verifier.decide(keys, never);
        assert.deepEqual(
          decisions.map(({ key }) => key),
          [...new Set(keys)],
        );
        const pins = await verifier.pin(keys, never);
        assert.deepEqual(
          pins.map(({ key }) => key),
          [...new Set(keys)],
        );
      },
    ),
  );
});

test("F-37 no keys are no decisions, and 1,000 cold keys are 1,000 decisions by the deadline", async () => {
  const { verifier, parts, time } = createWorld({ concurrency: 1000 });
  assert.deepEqual(await verifier.decide([], never), []);
  const held = createHeldJudge();
  parts.judge = async ({ repository }) =>
    repository.repository.endsWith("0") ? PASSED : await held.judge();
  const keys = Array.from({ length: 1000 }, (_, index) => `r.io/app-${index}@${D1}`);
  const asked = verifier.decide(keys, never);
  await settle();
  time.pass(1800);
  const codes = codesOf(await asked);
  assert.equal(codes.filter((code) => code === "verified").length, 100);
  assert.equal(codes.filter((code) => code === "TIMEOUT").length, 900);
  held.release(PASSED);
  await settle();
  assert.deepEqual(new Set(codesOf(await verifier.decide(keys, never))), new Set(["verified"]));
});

test("F-36 beyond the bound on waiting keys the rest is OVERLOADED at once; cached keys are answered", async () => {
  const { verifier, parts, ask } = createWorld({ maxWaiting: 3 });
  await ask(`r.io/hot@${D1}`);
  const held = createHeldJudge();
  parts.judge = held.judge;
  const cold = Array.from({ length: 10 }, (_, index) => `r.io/cold-${index}@${D1}`);
  const asked = verifier.decide([...cold, `r.io/hot@${D1}`], never);
  await settle();
  assert.equal(verifier.stats().waiting, 3);
  assert.deepEqual(codesOf(await verifier.decide([IMAGE, `r.io/hot@${D1}`], never)), [
    "OVERLOADED",
    "verified",
  ]);
  held.release(PASSED);
  assert.deepEqual(codesOf(await asked), [
    ...Array<string>(3).fill("verified"),
    ...Array<string>(7).fill("OVERLOADED"),
    "verified",
  ]);
  assert.equal(verifier.stats().waiting, 0);
});

const broken = (): never => {
  throw new TypeError("a bug");
};
type Parts = ReturnType<typeof createWorld>["parts"];
const FAULTS: readonly { readonly name: string; readonly fault: (parts: Parts) => void }[] = [
  { name: "trust", fault: (parts) => (parts.policy = broken) },
  { name: "the registry's list", fault: (parts) => (parts.allows = broken) },
  { name: "the registry", fault: (parts) => (parts.network = broken) },
  { name: "an envelope", fault: (parts) => (parts.envelope = broken) },
  { name: "Notation's state", fault: (parts) => (parts.notation = broken) },
  { name: "the judge", fault: (parts) => (parts.judge = broken) },
];
for (const { name, fault } of FAULTS) {
  for (const key of ["r.io/a:v1", IMAGE]) {
    test(`T-56 a throw of ${name} leaves ${key.slice(0, 9)} undecided as a fault of ours, is reported, and is not kept`, async () => {
      const { verifier, parts, events } = createWorld();
      const sound = { ...parts };
      fault(parts);
      assert.deepEqual(codesOf(await verifier.decide([key, "bad key"], never)), [
        "INTERNAL_ERROR",
        "INVALID_REFERENCE",
      ]);
      assert.equal(events.filter(({ kind }) => kind === "error").length, 1);
      Object.assign(parts, sound);
      assert.deepEqual(codesOf(await verifier.decide([key], never)), ["verified"]);
      assert.equal(verifier.stats().waiting, 0);
    });
  }
}

test("T-56 an observer that throws changes no verdict", async () => {
  const { ask, parts } = createWorld();
  parts.observe = broken;
  parts.judge = broken;
  assert.equal(codeOf((await ask(IMAGE)).verdict), "INTERNAL_ERROR");
});

test("after close everybody who waits gets SHUTTING_DOWN, and so does who would have to", async () => {
  const { verifier, parts, calls, ask, time } = createWorld();
  await ask(`r.io/hot@${D1}`);
  parts.judge = async (_question, signal) =>
    await new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(new Error("ended")));
    });
  const asked = verifier.decide([IMAGE], never);
  const pinned = verifier.pin(["r.io/a:v1"], never);
  await settle();
  await pinned;
  verifier.close();
  assert.deepEqual(codesOf(await asked), ["SHUTTING_DOWN"]);
  await settle();
  assert.equal(verifier.stats().underWay, 0);
  assert.equal(time.timers.size, 0);
  const before = { ...calls };
  for (const ms of [4000, 236_000]) {
    time.pass(ms);
    const late = await verifier.decide([`r.io/a@${D2}`, `r.io/hot@${D1}`], never);
    assert.deepEqual(codesOf(late), ["SHUTTING_DOWN", "verified"]);
    await verifier.pin(["r.io/a:v1"], never);
    await settle();
  }
  const [pin] = await verifier.pin(["r.io/a:v1"], never);
  assert.ok(pin?.result.kind === "undecided");
  await settle();
  assert.deepEqual(calls, before);
});
