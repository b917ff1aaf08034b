import { errorCode } from "../lib/error-code.ts";
import { createDeadlines, untilAborted, type Schedule } from "../lib/deadline.ts";
import { error, type Finding } from "./finding.ts";

/** Something to try. */
export interface Trial {
  /** As in {@link Finding.subject}. */
  readonly subject: string;
  /** @param signal ends what is under way; findings of what is too late are not waited for */
  readonly run: (signal: AbortSignal) => Promise<readonly Finding[]>;
}

export interface TrialOptions {
  /** Milliseconds that one trial may take. */
  readonly timeoutMs: number;
  readonly schedule: Schedule;
  /** Ends all of them. */
  readonly signal: AbortSignal;
}

/**
 * Tries everything at once, each within its own time.
 * @returns the findings in the order of the trials, whichever ended first; one that is late or throws is an error of its subject
 */
export async function tryAll(
  trials: readonly Trial[],
  { timeoutMs, schedule, signal }: TrialOptions,
): Promise<readonly Finding[]> {
  const deadlines = createDeadlines(timeoutMs, new DOMException("late", "TimeoutError"), schedule);
  const findings = trials.map(async ({ subject, run }): Promise<readonly Finding[]> => {
    const deadline = deadlines.begin();
    const either = AbortSignal.any([deadline.signal, signal]);
    try {
      return await untilAborted(run(either), either);
    } catch (problem) {
      if (signal.aborted) return [error(subject, "was interrupted")];
      if (deadline.signal.aborted)
        return [error(subject, `took longer than ${timeoutMs / 1000} s`)];
      // Its message may quote anything.
      const name = problem instanceof Error ? problem.name : "a throw";
      const code = errorCode(problem);
      return [error(subject, `could not be tried: ${name}${code === undefined ? "" : ` ${code}`}`)];
    } finally {
      deadline.end();
    }
  });
  return (await Promise.all(findings)).flat();
}
