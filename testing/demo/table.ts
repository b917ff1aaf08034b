import { styleText } from "node:util";

/** One image of the demo, as the table shows it. */
export interface Line {
  readonly image: string;
  /** What was done to the image before it was asked about. */
  readonly story: string;
  readonly outcome: string;
  readonly reason: string;
}

const COLUMNS = ["image", "story", "outcome", "reason"] as const;

/** Colours only where a person reads them; `styleText` knows NO_COLOR and what the terminal can do. */
function paint(outcome: string, text: string): string {
  const colour = outcome === "verified" ? "green" : outcome === "undecided" ? "yellow" : "red";
  return styleText(colour, text, { stream: process.stdout });
}

/** Lines in columns, under a heading. */
export function formatTable(lines: readonly Line[]): string {
  const widths = COLUMNS.map((column) =>
    Math.max(column.length, ...lines.map((line) => line[column].length)),
  );
  const row = (line: Line): string =>
    COLUMNS.map((column, index) => {
      const padded = column === "reason" ? line[column] : line[column].padEnd(widths[index] ?? 0);
      return column === "outcome" ? paint(line.outcome, padded) : padded;
    }).join("  ");
  const heading = COLUMNS.map((column, index) =>
    column.toUpperCase().padEnd(widths[index] ?? 0),
  ).join("  ");
  return [heading.trimEnd(), ...lines.map(row)].join("\n");
}
