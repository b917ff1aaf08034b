import { createDeadlines, untilAborted, type Schedule } from "../lib/deadline.ts";
import { OVERLOADED, type Failure } from "./failure.ts";
import { isRefusal, undecided, type Refusal } from "../verdict/verdict.ts";

/** Everybody who waits for a verdict: bounded in number, each until the deadline of its request. */
export interface Waiting {
  /**
   * Begins a request.
   * @param caller aborts when nobody waits for the answer any more
   * @param began when the request arrived, in monotonic milliseconds
   */
  open(caller: AbortSignal, began: number): Round;
  /** Keys that are waited for, over all requests. */
  readonly size: number;
  /** Answers `SHUTTING_DOWN` to everybody, now and from now on. */
  close(): void;
}

/** Somebody who waits. */
export interface Caller {
  /** Aborts when nobody waits for the answer any more, at `dueAt` at the latest. */
  readonly signal: AbortSignal;
  /** When the answer has to be there, in monotonic milliseconds; -Infinity where it is made ahead of those who will ask. */
  readonly dueAt: number;
}

/** The waits of one request; its deadline runs from when the request arrived. */
export interface Round {
  /**
   * Waits for work until the request's deadline. Never rejects.
   * @returns undecided `OVERLOADED` at once when too many wait, `TIMEOUT` at the deadline, `SHUTTING_DOWN`
   */
  wait<T>(work: (caller: Caller) => Promise<T>): Promise<T | Refusal>;
  /** Ends the deadline's timer. To be called when every wait has ended. */
  close(): void;
}

export interface WaitingOptions {
  /** Milliseconds from the arrival of a request to its last answer. */
  readonly deadlineMs: number;
  /** Keys that may be waited for at once. */
  readonly maxWaiting: number;
  readonly schedule: Schedule;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly failure: Failure;
}

const LATE = undecided(
  "TIMEOUT",
  "not decided in time; the verification goes on and a retry finds its result",
);
const GONE = undecided("TIMEOUT", "the caller did not wait for the answer");
const CLOSING = undecided("SHUTTING_DOWN", "this replica of the provider is shutting down");

export function createWaiting({
  deadlineMs,
  maxWaiting,
  schedule,
  now,
  failure,
}: WaitingOptions): Waiting {
  const deadlines = createDeadlines(deadlineMs, LATE, schedule);
  let size = 0;

  /** A signal that aborts with the verdict of whoever still waits. */
  function begin(caller: AbortSignal, began: number) {
    const deadline = deadlines.begin(now() - began);
    const hangUp = (): void => deadline.abort(GONE);
    if (caller.aborted) hangUp();
    else caller.addEventListener("abort", hangUp, { once: true });
    return {
      signal: deadline.signal,
      end() {
        deadline.end();
        caller.removeEventListener("abort", hangUp);
      },
    };
  }

  return {
    open(caller, began) {
      // Made when something has to be waited for: most requests are answered from the cache.
      let begun: ReturnType<typeof begin> | undefined;
      return {
        async wait(work) {
          if (size >= maxWaiting) return OVERLOADED;
          size += 1;
          try {
            begun ??= begin(caller, began);
            const { signal } = begun;
            // Nothing is begun for somebody who has gone already.
            signal.throwIfAborted();
            return await untilAborted(work({ signal, dueAt: began + deadlineMs }), signal);
          } catch (error) {
            return isRefusal(error) ? error : failure(error);
          } finally {
            size -= 1;
          }
        },
        close: () => begun?.end(),
      };
    },
    get size() {
      return size;
    },
    close() {
      deadlines.abort(CLOSING);
    },
  };
}
