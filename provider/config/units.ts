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

/** A decimal number of so few digits that it is exact enough. */
const AMOUNT = "(?<amount>\\d{1,9}(?:\\.\\d{1,3})?)";

function read(text: string, units: ReadonlyMap<string, number>): number | undefined {
  const { amount, unit } = patternOf(units).exec(text)?.groups ?? {};
  const factor = units.get(unit ?? "");
  return factor === undefined ? undefined : Number(amount) * factor;
}

const patternOf = (units: ReadonlyMap<string, number>): RegExp =>
  new RegExp(`^${AMOUNT}(?<unit>${[...units.keys()].join("|")})$`);

/** What a quantity may be, each end with its unit, and what it means. */
interface Range {
  readonly least: string;
  readonly most: string;
  readonly fallback: string;
  /** A sentence for the manual; the range is put behind it. */
  readonly meaning: string;
}

/** A number with a unit: a schema from its text to the number in the smallest unit. */
function quantity(
  units: ReadonlyMap<string, number>,
  what: string,
  { least, most, fallback }: Range,
) {
  const [min = 0, max = 0] = [read(least, units), read(most, units)];
  const example = `is ${what} with a unit (${[...units.keys()].join(", ")}), such as ${fallback}`;
  return z
    .string({ error: ({ input }) => (input === undefined ? undefined : example) })
    .transform((text, context) => {
      const value = read(text, units);
      if (value !== undefined && value >= min && value <= max) return Math.round(value);
      context.addIssue(value === undefined ? example : `is ${what} from ${least} to ${most}`);
      return z.NEVER;
    });
}

const describe = (what: string, { least, most, meaning }: Range): string =>
  `${meaning} ${what} from ${least} to ${most}.`;

/** A duration such as `1.8s`, in milliseconds. A number without a unit is refused: nobody knows which was meant. */
export const duration = (range: Range) =>
  quantity(TIME, "a duration", range)
    .prefault(range.fallback)
    .describe(describe("A duration", range));

/** A duration whose default is for its user to apply, so that one that was written can be told from one that was not. */
export const optionalDuration = (range: Range) =>
  quantity(TIME, "a duration", range)
    .optional()
    .meta({
      description: describe("A duration", range),
      defaultText: `\`${JSON.stringify(range.fallback)}\``,
    });

/** A size such as `64KiB`, in bytes. */
export const size = (range: Range) =>
  quantity(SIZE, "a size", range).prefault(range.fallback).describe(describe("A size", range));
