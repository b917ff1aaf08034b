import { styleText } from "node:util";
import { oneLine, type Verdict } from "../verdict/verdict.ts";
import type { Decision } from "../verify/decision.ts";

export type Output = "table" | "json";

const COLOURS = {
  verified: "green",
  skipped: "cyan",
  rejected: "red",
  undecided: "yellow",
} as const satisfies Record<Verdict["kind"], string>;

/** Bytes of a key that a line shows; whatever was typed, the table stays a table. */
const KEY_BYTES = 512;

/** Why, or by whom. */
function detailOf(verdict: Verdict): string {
  switch (verdict.kind) {
    case "verified":
      return `signed by ${oneLine(verdict.facts.signer?.subject ?? "somebody trusted")}`;
    case "skipped":
      return `statement ${verdict.facts.statement} verifies nothing`;
    case "rejected":
    case "undecided":
      return `${verdict.reason}: ${verdict.sentence}`;
  }
}

/**
 * Decisions for a person, in columns, or for a program: a JSON array with the facts, or code and sentence.
 * @param stream decides whether there are colours
 */
export function formatDecisions(
  decisions: readonly Decision[],
  output: Output,
  stream: NodeJS.WritableStream,
): string {
  if (output === "json") return `${JSON.stringify(decisions.map(toJson), null, 2)}\n`;
  const rows = decisions.map(({ key, verdict, durationMs }) => ({
    key: oneLine(key, KEY_BYTES),
    verdict,
    time: `${Math.round(durationMs)} ms`,
  }));
  const width = Math.max(...rows.map(({ key }) => key.length));
  return rows
    .map(({ key, verdict, time }) => {
      const outcome = styleText(COLOURS[verdict.kind], verdict.kind.padEnd(9), { stream });
      return `${key.padEnd(width)}  ${outcome}  ${time.padStart(8)}  ${detailOf(verdict)}\n`;
    })
    .join("");
}

function toJson({ key, verdict, durationMs }: Decision): unknown {
  const { kind } = verdict;
  const more =
    verdict.kind === "verified" || verdict.kind === "skipped"
      ? { facts: verdict.facts }
      : { reason: verdict.reason, sentence: verdict.sentence };
  return { key, outcome: kind, durationMs: Math.round(durationMs), ...more };
}
