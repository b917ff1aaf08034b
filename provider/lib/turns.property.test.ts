import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { until, type Until } from "../../testing/verify/demand.ts";
import { settle } from "../../testing/verify/world.ts";
import { createTurns, type Demand, type TakeTurn, type TurnOptions } from "./turns.ts";

/** Turns as simply as they can be said: whoever is to be called is looked for among all, each time. */
function createPlainTurns({ concurrency, maxWaiting, now }: TurnOptions): TakeTurn {
  interface Waiter {
    readonly demand: Demand;
    readonly call: (turn: "begin" | "full") => void;
  }
  const queue = new Set<Waiter>();
  let running = 0;
  let usualMs = 0;
  let wasAhead = false;
  const enough = (): number => now() + usualMs * 2;
  const isAhead = ({ demand }: Waiter): boolean => demand.dueAt(enough()) === -Infinity;
  const ranks = ({ demand }: Waiter): readonly [number, number] => {
    const due = demand.dueAt(enough());
    if (due === Infinity) return [2, 0];
    return due >= enough() ? [0, due] : [1, -due];
  };
  const sorted = (): readonly Waiter[] =>
    [...queue].toSorted((one, other) => {
      const [[rank, due], [otherRank, otherDue]] = [ranks(one), ranks(other)];
      return rank - otherRank || due - otherDue;
    });
  const first = (): Waiter | undefined => {
    const ahead = [...queue].find(isAhead);
    wasAhead = ahead !== undefined && !wasAhead;
    return wasAhead ? ahead : sorted()[0];
  };
  const last = (): Waiter | undefined => {
    const others = sorted().filter((waiter) => !isAhead(waiter));
    const least = others.at(-1);
    return least === undefined
      ? [...queue].find(isAhead)
      : others.find((waiter) => String(ranks(waiter)) === String(ranks(least)));
  };
  const call = (waiter: Waiter | undefined, turn: "begin" | "full"): void => {
    if (waiter === undefined) return;
    queue.delete(waiter);
    if (turn === "begin") running += 1;
    waiter.call(turn);
  };
  return async (work, { signal, demand }) => {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<"begin" | "full">();
    const waiter = { demand, call: resolve };
    signal.addEventListener("abort", () => queue.delete(waiter) && reject(signal.reason));
    queue.add(waiter);
    if (running < concurrency) call(first(), "begin");
    if (queue.size > maxWaiting) call(last(), "full");
    if ((await promise) === "full") return "full";
    const began = now();
    const made = await work({ pass() {} });
    usualMs += (now() - began - usualMs) / 8;
    running -= 1;
    call(first(), "begin");
    return made;
  };
}

/** Milliseconds from now on: some are equal, and some are less than work takes. */
const inMs = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0, 20, 40, 80, 160) },
  { weight: 1, arbitrary: fc.constantFrom(Infinity, -Infinity) },
);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("ask" as const), inMs }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("change" as const), which: fc.nat(20), inMs }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("abort" as const), which: fc.nat(20) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("end" as const), ms: fc.constantFrom(0, 20, 40) }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** What becomes of whom at each step. */
async function walk(
  create: (options: TurnOptions) => TakeTurn,
  options: Pick<TurnOptions, "concurrency" | "maxWaiting">,
  steps: readonly Step[],
): Promise<readonly (readonly string[])[]> {
  const clock = { now: 0 };
  const take = create({ ...options, now: () => clock.now });
  const told: string[][] = [];
  const asked: {
    readonly demand: Until;
    readonly controller: AbortController;
  }[] = [];
  const ends: (() => void)[] = [];
  const tell = (what: string): void => void told.at(-1)?.push(what);
  for (const each of steps) {
    told.push([]);
    switch (each.kind) {
      case "ask": {
        const name = asked.length;
        const [demand, controller] = [until(clock.now + each.inMs), new AbortController()];
        asked.push({ demand, controller });
        const work = async (): Promise<string> => {
          tell(`${name} begins`);
          await new Promise<void>((resolve) => ends.push(resolve));
          return "ends";
        };
        void take(work, { signal: controller.signal, demand }).then(
          (end) => tell(`${name} ${end}`),
          () => tell(`${name} gives up`),
        );
        break;
      }
      case "change":
        asked[each.which]?.demand.change(clock.now + each.inMs);
        break;
      case "abort":
        asked[each.which]?.controller.abort();
        break;
      case "end":
        clock.now += each.ms;
        ends.shift()?.();
        break;
    }
    await settle();
  }
  return told.map((each) => each.toSorted());
}

test("whoever comes, goes, joins and ends, the turns are those of looking among all each time", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({ concurrency: fc.integer({ min: 1, max: 2 }), maxWaiting: fc.nat(5) }),
      fc.array(step, { maxLength: 40, size: "max" }),
      async (options, steps) => {
        assert.deepEqual(
          await walk(createTurns, options, steps),
          await walk(createPlainTurns, options, steps),
        );
      },
    ),
  );
});
