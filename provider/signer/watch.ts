import type { Schedule } from "../lib/deadline.ts";
import type { Answered, Revoked } from "./answer.ts";
import type { SignerQuestion } from "./question.ts";

export interface RevocationWatchOptions<Handle> {
  /** Asks AWS Signer anew. Never rejects while the signal does not abort. */
  readonly ask: (question: SignerQuestion, signal: AbortSignal) => Promise<Answered>;
  /** Signer named something of the question. Those who held it hold it no more. */
  readonly onRevoked: (
    handles: readonly Handle[],
    question: SignerQuestion,
    answer: Revoked,
  ) => void;
  /** For longer than `maxAgeMs` there was no answer. Told once, and again after an answer in between. */
  readonly onUnknown: (handles: readonly Handle[], question: SignerQuestion) => void;
  /** Milliseconds after which a question is asked again. */
  readonly intervalMs: number;
  /** Milliseconds that an answer is good for while Signer cannot be asked. */
  readonly maxAgeMs: number;
  /** Questions that are asked in a second. */
  readonly perSecond: number;
  /** Questions that are held at once. */
  readonly maxQuestions: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly schedule: Schedule;
  /** From 0 up to 1. */
  readonly random: () => number;
}

/** Asks AWS Signer in the background about signatures that verdicts in force rest on. */
export interface RevocationWatch<Handle> {
  /**
   * Has a question asked again and again until it is let go of. Equal questions are asked once.
   * @param askedAt when it was last answered, monotonic milliseconds; see {@link Answered}
   * @returns lets go of it; may be called twice. Undefined when too many questions are held: a verdict that rests on this one must
   *   not live longer than the interval
   */
  hold(question: SignerQuestion, handle: Handle, askedAt: number): (() => void) | undefined;
  /** Questions that are held. */
  readonly size: number;
  /** Milliseconds since the oldest answer to any of them; 0 when none is held. */
  readonly oldestAnswerMs: number;
  /** Ends all asking. Nobody is called back any more. */
  close(): void;
}

interface Held<Handle> {
  readonly question: SignerQuestion;
  /** By hold: one handle may be held twice. */
  readonly handles: Map<symbol, Handle>;
  /** When Signer last answered. */
  answeredAt: number;
  /** When it is to be asked next. */
  dueAt: number;
  isAsked: boolean;
  isTold: boolean;
}

/** The first time a question is asked up to this part of the interval early, so that replicas and bursts come apart. */
const JITTER = 0.5;

/** @see docs/reliability.md, F-13 */
export function createRevocationWatch<Handle>(
  options: RevocationWatchOptions<Handle>,
): RevocationWatch<Handle> {
  const { intervalMs, maxAgeMs, perSecond, maxQuestions, now, schedule, random } = options;
  const held = new Map<string, Held<Handle>>();
  const closing = new AbortController();
  const spacing = 1000 / perSecond;
  let nextAt = -Infinity;
  let timer: { readonly at: number; readonly cancel: () => void } | undefined;

  /** When an entry is to be asked about, which waits for its turn among all, or told of. */
  function nextOf(entry: Held<Handle>): number {
    const askAt = entry.isAsked ? Infinity : Math.max(entry.dueAt, nextAt);
    const tellAt = entry.isTold ? Infinity : entry.answeredAt + maxAgeMs;
    return Math.min(askAt, tellAt);
  }

  /**
   * Looks at everything then, or earlier where that is planned. A plan stands even if its entry is let go of or answered meanwhile: one
   * look that finds nothing costs less than to go through all that is held at each change.
   */
  function lookAt(at: number): void {
    if (closing.signal.aborted || at >= (timer?.at ?? Infinity)) return;
    timer?.cancel();
    timer = { at, ...schedule(Math.max(0, at - now()), look) };
  }

  function cancelLook(): void {
    timer?.cancel();
    timer = undefined;
  }

  function look(): void {
    timer = undefined;
    const time = now();
    let first: Held<Handle> | undefined;
    for (const entry of held.values()) {
      if (!entry.isTold && time >= entry.answeredAt + maxAgeMs) {
        tell(entry);
        // Who is told may let go of it.
        if (held.get(entry.question.key) !== entry) continue;
      }
      if (!entry.isAsked && entry.dueAt <= (first?.dueAt ?? time)) first = entry;
    }
    if (first !== undefined && time >= nextAt) {
      nextAt = time + spacing;
      void askAgain(first);
    }
    let at = Infinity;
    for (const entry of held.values()) at = Math.min(at, nextOf(entry));
    lookAt(at);
  }

  function tell(entry: Held<Handle>): void {
    entry.isTold = true;
    options.onUnknown([...entry.handles.values()], entry.question);
  }

  async function askAgain(entry: Held<Handle>): Promise<void> {
    entry.isAsked = true;
    try {
      const { answer, askedAt } = await options.ask(entry.question, closing.signal);
      if (closing.signal.aborted) return;
      // Who let go of it and holds it anew meanwhile is answered as well.
      const current = held.get(entry.question.key);
      if (current !== undefined && answer.kind === "revoked") {
        held.delete(entry.question.key);
        options.onRevoked([...current.handles.values()], entry.question, answer);
      }
      if (current !== undefined && answer.kind === "notRevoked") answeredNow(current, askedAt);
    } catch {
      // Closed, or as good as no answer: it is asked again after the interval.
    }
    entry.isAsked = false;
    entry.dueAt = Math.max(entry.dueAt, now() + intervalMs);
    if (held.get(entry.question.key) === entry) lookAt(nextOf(entry));
  }

  function answeredNow(entry: Held<Handle>, askedAt: number): void {
    entry.answeredAt = Math.max(entry.answeredAt, askedAt);
    entry.isTold = false;
    entry.dueAt = Math.max(entry.dueAt, askedAt + intervalMs);
  }

  return {
    hold(question, handle, askedAt) {
      let entry = held.get(question.key);
      if (entry === undefined) {
        if (held.size >= maxQuestions) return undefined;
        const dueAt = askedAt + intervalMs * (1 - JITTER * random());
        const handles = new Map<symbol, Handle>();
        entry = { question, handles, answeredAt: askedAt, dueAt, isAsked: false, isTold: false };
        held.set(question.key, entry);
      } else if (askedAt > entry.answeredAt) {
        answeredNow(entry, askedAt);
      }
      const mine = Symbol("hold");
      const { handles } = entry;
      const own = entry;
      handles.set(mine, handle);
      lookAt(nextOf(entry));
      return () => {
        handles.delete(mine);
        if (handles.size > 0 || held.get(question.key) !== own) return;
        held.delete(question.key);
        if (held.size === 0) cancelLook();
      };
    },
    get size() {
      return held.size;
    },
    get oldestAnswerMs() {
      let oldest = now();
      for (const { answeredAt } of held.values()) oldest = Math.min(oldest, answeredAt);
      return now() - oldest;
    },
    close() {
      closing.abort();
      cancelLook();
      held.clear();
    },
  };
}
