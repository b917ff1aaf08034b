import { createDeadlines, untilAborted, type Schedule } from "../lib/deadline.ts";
import { createFlight } from "../lib/single-flight.ts";
import { isFailure, type AwsFailure, type FailureKind } from "./failure.ts";

/** Something that AWS gave us for a while. */
export interface Lent<T> {
  readonly value: T;
  /** Milliseconds since the epoch, by AWS's clock; undefined when it does not end. */
  readonly expiresAt?: number | undefined;
}

/** The clocks that ages are measured on, and what spreads replicas. */
export interface Clocks {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Milliseconds since the epoch. */
  readonly wallNow: () => number;
  readonly schedule: Schedule;
  /** From 0 up to 1. */
  readonly random: () => number;
}

export interface RenewedOptions<T> extends Clocks {
  /** One attempt. A rejection is a failure that says nothing. */
  readonly fetch: (deadline: AbortSignal) => Promise<Lent<T> | AwsFailure>;
  /** Milliseconds that one attempt may take. */
  readonly deadlineMs: number;
  /** What an attempt that took longer is called. */
  readonly late: AwsFailure;
  /** Told of every attempt. */
  readonly tell?: (event: FetchEvent) => void;
}

/** What became of one call to AWS. */
export interface FetchEvent {
  readonly outcome: "ok" | FailureKind;
  readonly durationMs: number;
  /** Why it failed, with AWS's words, for the log. */
  readonly failure?: AwsFailure;
}

/** @param answer a failure, or whatever there is in its place */
export const toFetchEvent = (answer: unknown, durationMs: number): FetchEvent =>
  isFailure(answer)
    ? { outcome: answer.failure, durationMs, failure: answer }
    : { outcome: "ok", durationMs };

/** A value that expires, and is fetched anew before. */
export interface Renewed<T> extends Disposable {
  /**
   * The value, from memory while it lasts. Rejects with the reason of `caller`; the fetch goes on for the others.
   * @returns why there is none
   */
  current(caller: AbortSignal): Promise<T | AwsFailure>;
  /**
   * Another value for one that was refused. One that is hardly a minute old is not replaced, and returned as it is: it
   * was refused for another reason than its age, and whoever is refused often must not make us ask as often.
   */
  replace(refused: T, caller: AbortSignal): Promise<T | AwsFailure>;
  /** Fetches it now, and from now on until it succeeds. */
  keepWarm(): void;
  state(): RenewedState;
}

export interface RenewedState {
  /** Milliseconds until it expires; undefined when there is none, infinite when it does not expire. */
  readonly leftMs?: number;
  /** Why the last fetch failed; undefined after one that succeeded. */
  readonly why?: AwsFailure;
}

/** Part of its life after which a value is fetched anew: the latest, and how much earlier it may be. */
const REFRESH_AT = 0.8;
const REFRESH_SPREAD = 0.04;

/** Milliseconds between attempts while somebody waits for a first value, and while there is one. */
const RETRY_MS = 1000;
const RETRY_AHEAD_MS = 30_000;

/**
 * Milliseconds that a value must have been used for before a refusal can mean its age: the least, by how much more it takes each time
 * that this was believed, and the most. What is refused as well when it is new is refused for another reason.
 */
const LEAST_AGE_MS = 60_000;
const LEAST_AGE_GROWTH = 4;
const MOST_LEAST_AGE_MS = 900_000;

/** Milliseconds that the machine's clock may be set back without a value being given up. */
const STEP_BACK_MS = 300_000;

/** Life of a value that has expired already by our clock, which is wrong then, in milliseconds; and the longest life that there is. */
const UNKNOWN_LIFE_MS = 300_000;
const MAX_LIFE_MS = 12 * 3_600_000;

interface Held<T> {
  readonly value: T;
  readonly lifeMs: number;
  readonly refreshMs: number;
  readonly at: number;
  readonly wallAt: number;
}

/**
 * Fetches once for all who wait, in the background at 80 % of the value's life, spread, and keeps the old one until it expires when that
 * fails.
 * @see docs/reliability.md, F-15, F-16 and F-32
 */
export function createRenewed<T>(options: RenewedOptions<T>): Renewed<T> {
  const { fetch, deadlineMs, late, now, wallNow, schedule, random } = options;
  const deadlines = createDeadlines(deadlineMs, new Error("late"), schedule);
  const flight = createFlight<T | AwsFailure>(() => deadlines.begin());
  let held: Held<T> | undefined;
  let failed: { readonly why: AwsFailure; readonly at: number } | undefined;
  let leastAgeMs = LEAST_AGE_MS;
  let isKeptWarm = false;
  let isClosed = false;
  let timer: ReturnType<Schedule> | undefined;

  /** The greater of two clocks: the monotonic one stops while a machine sleeps, the other may be set. */
  const ageOf = ({ at, wallAt }: Held<T>): number => {
    const ageMs = now() - at;
    const wallAgeMs = wallNow() - wallAt;
    return wallAgeMs < ageMs - STEP_BACK_MS ? Infinity : Math.max(ageMs, wallAgeMs);
  };
  const mayTryAfter = (ms: number): boolean => failed === undefined || now() - failed.at >= ms;

  const wakeAfter = (ms: number): void => {
    timer?.cancel();
    timer = isClosed ? undefined : schedule(ms, () => void renew(NEVER));
  };

  const take = ({ value, expiresAt }: Lent<T>, startedAt: number): T => {
    const leftMs = (expiresAt ?? Infinity) - wallNow();
    const believedMs = leftMs > 0 ? Math.min(leftMs, MAX_LIFE_MS) : UNKNOWN_LIFE_MS;
    const lifeMs = expiresAt === undefined ? Infinity : believedMs;
    const refreshMs = lifeMs * (REFRESH_AT - REFRESH_SPREAD * random());
    held = { value, lifeMs, refreshMs, at: startedAt, wallAt: wallNow() - (now() - startedAt) };
    failed = undefined;
    if (refreshMs < Infinity) wakeAfter(refreshMs);
    return value;
  };

  const attempt = async (deadline: AbortSignal): Promise<T | AwsFailure> => {
    const startedAt = now();
    const lent = await untilAborted(fetch(deadline), deadline).catch(() => late);
    // What our own end cut short says nothing of AWS.
    if (!isClosed) options.tell?.(toFetchEvent(lent, now() - startedAt));
    if (!isFailure(lent)) return take(lent, startedAt);
    failed = { why: lent, at: now() };
    if (held !== undefined || isKeptWarm) wakeAfter(RETRY_AHEAD_MS * (1 + random()));
    return lent;
  };

  const renew = (caller: AbortSignal): Promise<T | AwsFailure> =>
    flight.run(ONE, attempt, caller).result;

  const current = async (caller: AbortSignal): Promise<T | AwsFailure> => {
    caller.throwIfAborted();
    const ageMs = held === undefined ? Infinity : ageOf(held);
    if (held !== undefined && ageMs < held.lifeMs) {
      if (ageMs >= held.refreshMs && mayTryAfter(RETRY_AHEAD_MS)) void renew(NEVER);
      return held.value;
    }
    return failed === undefined || mayTryAfter(RETRY_MS) ? renew(caller) : failed.why;
  };

  return {
    current,
    async replace(refused, caller) {
      if (held === undefined || held.value !== refused) return current(caller);
      // Whoever comes while one is fetched waits for that one.
      if (flight.has(ONE)) return renew(caller);
      if (ageOf(held) < leastAgeMs) return held.value;
      if (failed !== undefined && !mayTryAfter(RETRY_MS)) return failed.why;
      leastAgeMs = Math.min(leastAgeMs * LEAST_AGE_GROWTH, MOST_LEAST_AGE_MS);
      return renew(caller);
    },
    keepWarm() {
      isKeptWarm = true;
      void current(NEVER);
    },
    state() {
      const leftMs = held === undefined ? undefined : held.lifeMs - ageOf(held);
      return {
        ...(leftMs !== undefined && leftMs > 0 && { leftMs }),
        ...(failed !== undefined && { why: failed.why }),
      };
    },
    [Symbol.dispose]() {
      isClosed = true;
      timer?.cancel();
      deadlines.abort(new DOMException("closed", "AbortError"));
    },
  };
}

/** There is one fetch at a time. */
const ONE = "the one";

/** Of work that nobody waits for. */
const NEVER = new AbortController().signal;
