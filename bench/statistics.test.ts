import assert from "node:assert/strict";
import { test } from "node:test";
import { slopeOf } from "./statistics.ts";

/** Values of forty places, a tenth apart. */
const along = (valueOf: (x: number, index: number) => number): (readonly [number, number])[] =>
  Array.from({ length: 40 }, (_, index) => [index / 10, valueOf(index / 10, index)]);

/** Goes up and down, and is as often above as below. */
const wave = (index: number, period: number): number => (index % period < period / 2 ? 1 : -1);

test("the slope of a line is known exactly", () => {
  const { slope, within } = slopeOf(along((x) => 50 + 3 * x));
  assert.ok(Math.abs(slope - 3) < 1e-9, `${slope}`);
  assert.ok(within < 1e-6, `${within}`);
});

test("a level that is disturbed has no slope beyond its interval", () => {
  const { slope, within } = slopeOf(along((_, index) => 50 + wave(index, 2)));
  assert.ok(Math.abs(slope) <= within, `${slope} ± ${within}`);
});

test("a rise that the disturbance does not hide is above its interval", () => {
  const { slope, within } = slopeOf(along((x, index) => 50 + 3 * x + wave(index, 2)));
  assert.ok(slope - within > 2 && slope + within < 4, `${slope} ± ${within}`);
});

test("neighbours that are off to the same side count as fewer values", () => {
  const quick = slopeOf(along((_, index) => wave(index, 2)));
  const slow = slopeOf(along((_, index) => wave(index, 10)));
  assert.ok(slow.within > 1.5 * quick.within, `${slow.within}, ${quick.within}`);
});
