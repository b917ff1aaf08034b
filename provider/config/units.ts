import { z } from "zod";

/** Milliseconds of each unit of time. */
const TIME: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
]);

/** Bytes of each unit of size. */
const SIZE: ReadonlyMap<string, number> = new Map([
  ["B", 1],
  ["KiB", 1024],
  ["MiB", 1024 ** 2],
  ["GiB", 1024 ** 3],
]);

/** At most 15 characters, so that the number is exact enough and no pattern runs long. */
const AMOUNT = /^(?<amount>\d{1,9}(?:\.\d{1,3})?)(?<unit>[A-Za-z]{1,3})$/;

function read(text: string, units: ReadonlyMap<string, number>): number | undefined {
  const { amount, unit } = AMOUNT.exec(text)?.groups ?? {};
  const factor = units.get(unit ?? "");
  return factor === undefined ? undefined : Number(amount) * factor;
}

/** A number with a unit: a schema from its text to the number in the smallest unit. */
function quantity(
  units: ReadonlyMap<string, number>,
  what: string,
  least: string,
  most: string,
  fallback: string,
) {
  const [min = 0, max = 0] = [read(least, units), read(most, units)];
  const names = [...units.keys()].join(", ");
  const parse = z.string().transform((text, context) => {
    const value = read(text, units);
    if (value === undefined) {
      context.addIssue(`is ${what} with a unit (${names}), such as ${fallback}`);
      return z.NEVER;
    }
    if (value < min || value > max) {
      context.addIssue(`is ${what} from ${least} to ${most}`);
      return z.NEVER;
    }
    return Math.round(value);
  });
  return parse.prefault(fallback);
}

/** A duration such as `1.8s`, in milliseconds. A number without a unit is refused: nobody knows which was meant. */
export function duration(least: string, most: string, fallback: string) {
  return quantity(TIME, "a duration", least, most, fallback);
}

/** A size such as `64KiB`, in bytes. */
export function size(least: string, most: string, fallback: string) {
  return quantity(SIZE, "a size", least, most, fallback);
}
