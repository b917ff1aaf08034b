import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../../testing/verify/demand.ts";
import { createTurns, type Demand, type TurnOptions } from "./turns.ts";

const never = new AbortController().signal;

/** Lets everything run that does not wait for anything outside. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Turns on a clock of their own, and a list of what was begun. */
function setUp(options: Partial<TurnOptions> = {}) {
  const clock = { now: 0 };
  const take = createTurns({
    concurrency: 1,
    maxWaiting: 100,
    now: () => clock.now,
    ...options,
  });
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  /** Work that ends when it is told to. */
  const begin = (name: string, demand: Demand = until(Infinity), signal = never) =>
    take(
      async () =>
        await new Promise<string>((resolve) => {
          begun.push(name);
          ends.set(name, () => resolve(name));
        }),
      { signal, demand },
    );
  /** Has one piece of work take so many milliseconds. Its eighth is what work took of late then. */
  const workTakes = async (ms: number): Promise<void> => {
    const first = begin("first", until(10_000));
    await settle();
    clock.now += ms;
    ends.get("first")?.();
    await first;
  };
  /** Ends what was begun last, after so many milliseconds, until nothing is left. */
  const endAll = async (ms = 0): Promise<void> => {
    for (let index = 0; ; index += 1) {
      await settle();
      const name = begun[index];
      if (name === undefined) return;
      clock.now += ms;
      ends.get(name)?.();
    }
  };
  return { clock, take, begin, begun, ends, workTakes, endAll };
}

test("the earliest deadline comes first, of equals the oldest, and whoever is gone last", async () => {
  const { begin, begun, endAll } = setUp();
  const done = [
    begin("running", until(50)),
    begin("gone"),
    begin("later", until(900)),
    begin("soon", until(300)),
    begin("as soon", until(300)),
    begin("gone as well"),
  ];
  await endAll();
  await Promise.all(done);
  assert.deepEqual(begun, ["running", "soon", "as soon", "later", "gone", "gone as well"]);
});

test("whoever has less than twice the time that work took of late comes after those who have more, the latest deadline first", async () => {
  const { begin, begun, workTakes, endAll } = setUp();
  await workTakes(800);
  // Work took some 90 ms of late, and twice as much has to be left.
  const done = [
    begin("running", until(10_000)),
    begin("late", until(700)),
    begin("short", until(940)),
    begin("enough", until(1000)),
    begin("as short", until(940)),
    begin("shorter", until(930)),
    begin("gone"),
  ];
  await endAll();
  await Promise.all(done);
  assert.deepEqual(begun, [
    "first",
    "running",
    "enough",
    "short",
    "as short",
    "shorter",
    "late",
    "gone",
  ]);
});

test("what is made ahead has every second turn, and is full last", async () => {
  const { begin, begun, endAll } = setUp({ maxWaiting: 5 });
  const done = [
    begin("running", until(50)),
    begin("soon", until(300)),
    begin("ahead", until(-Infinity)),
    begin("later", until(900)),
    begin("ahead as well", until(-Infinity)),
    begin("gone"),
    begin("ahead, too", until(-Infinity)),
  ];
  assert.equal(await done[5], "full");
  await endAll();
  await Promise.all(done);
  assert.deepEqual(begun, ["running", "ahead", "soon", "ahead as well", "later", "ahead, too"]);
});

test("who joins makes work urgent, and who leaves makes it wait", async () => {
  const { begin, begun, ends, endAll } = setUp();
  const [left, joined] = [until(100), until(Infinity)];
  const done = [
    begin("running", until(50)),
    begin("left", left),
    begin("waited for", until(500)),
    begin("joined", joined),
  ];
  await settle();
  joined.change(200);
  left.change(Infinity);
  ends.get("running")?.();
  await endAll();
  await Promise.all(done);
  assert.deepEqual(begun, ["running", "joined", "waited for", "left"]);
});

test("of one more than may wait the least urgent is full, not the newest", async () => {
  const { begin, begun, endAll } = setUp({ maxWaiting: 2 });
  const done = [
    begin("running", until(50)),
    begin("gone"),
    begin("later", until(900)),
    begin("soon", until(300)),
    begin("latest", until(1000)),
  ];
  assert.equal(await done[1], "full");
  assert.equal(await done[4], "full");
  await endAll();
  await Promise.all(done);
  assert.deepEqual(begun, ["running", "soon", "later"]);
});

test("what several wait for is as urgent as the first of them who has time enough, also when it becomes short of time while it waits", async () => {
  const { clock, begin, begun, ends, workTakes, endAll } = setUp();
  await workTakes(800);
  const done = [
    begin("running", until(10_000)),
    begin("short", until(990)),
    begin("popular", until(1005, 1100, 5000)),
    begin("later", until(1400)),
  ];
  await settle();
  clock.now = 830;
  ends.get("running")?.();
  await settle();
  assert.deepEqual(begun, ["first", "running", "popular"]);
  await endAll();
  await Promise.all(done);
});

test("of those who have too little time whoever has the least is full", async () => {
  const { begin, begun, workTakes, endAll } = setUp({ maxWaiting: 2 });
  await workTakes(800);
  const done = [
    begin("running", until(10_000)),
    begin("short", until(940)),
    begin("enough", until(1000)),
    begin("shorter", until(930)),
    begin("less short", until(950)),
  ];
  assert.equal(await done[3], "full");
  assert.equal(await done[1], "full");
  await endAll();
  await Promise.all(done);
  assert.deepEqual(begun, ["first", "running", "enough", "less short"]);
});

test("work whose time is over before its turn is never begun, and holds no place", async () => {
  const { begin, begun, endAll } = setUp({ maxWaiting: 1 });
  const deadline = new AbortController();
  const running = begin("running");
  const waiting = begin("waiting", until(1), deadline.signal);
  deadline.abort(new Error("over"));
  await assert.rejects(waiting, { message: "over" });
  await assert.rejects(begin("too late", until(1), deadline.signal), { message: "over" });
  const next = begin("next");
  await endAll();
  assert.deepEqual(await Promise.all([running, next]), ["running", "next"]);
  assert.deepEqual(begun, ["running", "next"]);
});

test("a turn in which nothing was done says nothing of how long work takes", async () => {
  const { take, begin, begun, workTakes, endAll } = setUp();
  await workTakes(800);
  for (let count = 0; count < 100; count += 1) {
    await take(async (turn) => turn.pass(), { signal: never, demand: until(10_000) });
  }
  const done = [
    begin("running", until(10_000)),
    begin("short", until(940)),
    begin("enough", until(1000)),
  ];
  await endAll();
  await Promise.all(done);
  assert.deepEqual(begun, ["first", "running", "enough", "short"]);
});

test("work that throws gives its place back", async () => {
  const take = createTurns({ concurrency: 1, maxWaiting: 0, now: () => 0 });
  const broken = take(async () => await Promise.reject(new Error("broken")), {
    signal: never,
    demand: until(1),
  });
  await assert.rejects(broken, { message: "broken" });
  assert.equal(await take(async () => "next", { signal: never, demand: until(1) }), "next");
});

test("one more where thousands wait asks until when of nobody else, and who has had a turn is watched no more", async () => {
  const { begin, ends, endAll } = setUp({ maxWaiting: 2000 });
  const waiting = Array.from({ length: 2000 }, (_, index) => until(1000 + index));
  const done = [
    begin("running"),
    ...waiting.map((demand) => begin(String(demand.dueAt(0)), demand)),
  ];
  for (const demand of waiting) demand.asked = 0;
  const [late, soon] = [until(5000), until(50)];
  assert.equal(await begin("late", late), "full");
  done.push(begin("soon", soon));
  assert.equal(await done[2000], "full", "the latest of them has made room");
  ends.get("running")?.();
  await settle();
  assert.deepEqual(
    waiting.map(({ asked }) => asked),
    waiting.map(() => 0),
  );
  await endAll();
  await Promise.all(done);
  for (const { watchers } of [late, soon, ...waiting]) assert.equal(watchers.size, 0);
});
