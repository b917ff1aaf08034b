import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { createByDue, type Dated } from "./by-due.ts";

const due = fc.oneof(fc.integer({ min: -5, max: 5 }), fc.constant(Infinity));
const step = fc.oneof(
  fc.record({ kind: fc.constant("add" as const), due }),
  fc.record({ kind: fc.constant("move" as const), which: fc.nat(30), due }),
  fc.record({ kind: fc.constant("remove" as const), which: fc.nat(30) }),
);

test("whatever is added, moved and removed, twice as well, the neighbours of every deadline are those of a list that is sorted anew", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: "max" }), (steps) => {
      const list = createByDue<number>();
      const items: Dated<number>[] = [];
      // By age; undefined for what was removed.
      const model: (number | undefined)[] = [];
      for (const each of steps) {
        if (each.kind === "add") {
          items.push(list.add(items.length, each.due));
          model.push(each.due);
          continue;
        }
        if (items.length === 0) continue;
        const which = each.which % items.length;
        if (each.kind === "remove") {
          items[which]?.remove();
          model[which] = undefined;
        } else {
          items[which]?.move(each.due);
          if (model[which] !== undefined) model[which] = each.due;
        }
      }
      const sorted = model
        .flatMap((at, value) => (at === undefined ? [] : [{ value, due: at }]))
        .toSorted((one, other) => (one.due === other.due ? 0 : one.due - other.due));
      assert.equal(list.size, sorted.length);
      for (const at of [-Infinity, -5, -1, 0, 0.5, 5, 6, Infinity]) {
        assert.equal(list.from(at)?.value, sorted.find((item) => item.due >= at)?.value);
        assert.equal(list.before(at)?.value, sorted.findLast((item) => item.due < at)?.value);
        for (const until of [-1, 0.5, 5, Infinity]) {
          assert.deepEqual(
            list.between(at, until).map(({ value }) => value),
            sorted.filter((item) => item.due >= at && item.due < until).map(({ value }) => value),
          );
        }
      }
    }),
  );
});
