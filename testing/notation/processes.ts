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

/** Waits for a state of the system that announces itself by no event. The test's own time limit ends a wait in vain. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await setTimeout(2);
}
