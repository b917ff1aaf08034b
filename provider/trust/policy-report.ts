import { oneLine } from "../verdict/verdict.ts";
import type { Problem } from "./trust.ts";

/** Problems of one file that are listed; the rest is counted, so that a hostile document cannot fill the memory. */
const MAX_PROBLEMS = 1000;

/** Collects the problems of one file, in the order in which they are found. */
export interface Report {
  error(member: string, message: string): void;
  warning(member: string, message: string): void;
  /** Whether there was an error, listed or not. */
  readonly failed: boolean;
  /** At most {@link MAX_PROBLEMS}, and one more that counts the others. */
  problems(): readonly Problem[];
}

/** @param file relative to the trust directory; every path begins with it */
export function createReport(file: string): Report {
  const found: Problem[] = [];
  let left = 0;
  let failed = false;
  const add = (severity: Problem["severity"], member: string, message: string) => {
    if (severity === "error") failed = true;
    if (found.length === MAX_PROBLEMS) {
      left += 1;
      return;
    }
    const path = oneLine(member === "" ? file : `${file}: ${member}`, 300);
    found.push({ severity, path, message: oneLine(message, 300) });
  };
  return {
    error: (member, message) => add("error", member, message),
    warning: (member, message) => add("warning", member, message),
    get failed() {
      return failed;
    },
    problems: () =>
      left === 0
        ? found
        : [
            ...found,
            { severity: failed ? "error" : "warning", path: file, message: `and ${left} more` },
          ],
  };
}

/** Foreign text as a message quotes it: short, on one line, between quotation marks. */
export const quoted = (text: string): string => `"${oneLine(text, 80)}"`;
