import { styleText } from "node:util";
import { oneLine } from "../verdict/verdict.ts";
import type { Finding } from "./finding.ts";

const COLOURS = {
  ok: "green",
  warning: "yellow",
  error: "red",
} as const satisfies Record<Finding["level"], string>;

/** Bytes of each part of a line: whatever answered, the table stays a table. */
const SUBJECT_BYTES = 256;
const SENTENCE_BYTES = 1024;

/**
 * Findings for a person, a line each, or for a program: a JSON array of them.
 * @param stream decides whether there are colours
 */
export function formatFindings(
  findings: readonly Finding[],
  output: "table" | "json",
  stream: NodeJS.WritableStream,
): string {
  if (output === "json") return `${JSON.stringify(findings, null, 2)}\n`;
  const rows = findings.map((finding) => ({
    ...finding,
    subject: oneLine(finding.subject, SUBJECT_BYTES),
  }));
  const width = Math.max(0, ...rows.map(({ subject }) => subject.length));
  return rows
    .map(({ level, subject, sentence, remedy }) => {
      const word = styleText(COLOURS[level], level.padEnd(7), { stream });
      const fix = remedy === undefined ? "" : `; fix: ${remedy}`;
      return `${word}  ${subject.padEnd(width)}  ${oneLine(`${sentence}${fix}`, SENTENCE_BYTES)}\n`;
    })
    .join("");
}
