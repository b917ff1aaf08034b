import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

/** Whether a process of this number runs; a zombie does not. */
export function isRunning(pid: number): boolean {
  try {
    // The name in parentheses may hold anything; the state is the first word after the last of them.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return !["Z", "X"].includes(stat.slice(stat.lastIndexOf(")") + 2).charAt(0));
  } catch {
    return false;
  }
}

/** Milliseconds after which a state that did not come is not waited for any more: far beyond what any takes. */
const PATIENCE_MS = 10_000;

/** Waits for a state of the system that announces itself by no event. @throws when it does not come */
export async function until(isSo: () => boolean): Promise<void> {
  const began = performance.now();
  while (!isSo()) {
    if (performance.now() - began > PATIENCE_MS) throw new Error(`waited in vain: ${String(isSo)}`);
    await setTimeout(2);
  }
}
