import QuickLRU from "quick-lru";
import { createDeadlines, type Schedule, untilAborted } from "../lib/deadline.ts";
import { createFlight } from "../lib/single-flight.ts";
import { createSlots } from "../lib/slots.ts";
import { oneLine } from "../verdict/verdict.ts";
import type { Answered, SignerAnswer, Unknown } from "./answer.ts";
import { createCircuit, type Circuit } from "./circuit.ts";
import { failureOf, late, unknown, type Failure } from "./failure.ts";
import type { SignerQuestion } from "./question.ts";

/**
 * One call to AWS Signer, one attempt.
 * @returns what it names as revoked; undefined when the answer does not say
 * @throws what the SDK throws, `AbortError` when the signal aborts
 */
export type GetRevocationStatus = (
  question: SignerQuestion,
  signal: AbortSignal,
) => Promise<readonly string[] | undefined>;

/** What one question was and cost. */
export interface SignerEvent {
  readonly service: "signer";
  readonly operation: "revocation";
  /** As the signature's profile names it. */
  readonly region: string;
  readonly outcome: "ok" | "revoked" | "denied" | "unknown";
  /** Milliseconds from the question to the answer, with what it waited. */
  readonly durationMs: number;
  /** Why there is no answer, for the log. */
  readonly failure?: Unknown;
}

export interface AskOptions {
  readonly call: GetRevocationStatus;
  /** Milliseconds that one call may take. */
  readonly timeoutMs: number;
  /** Milliseconds that a question may take, with waiting for a place and a second attempt. */
  readonly deadlineMs: number;
  /** Milliseconds that an answer is good for whoever asks the same again. */
  readonly freshMs: number;
  /** Calls at once, in each region. */
  readonly concurrency: number;
  /** Questions that may wait for a place, in each region. */
  readonly maxWaiting: number;
  /** Partition of the credentials, if it is known: another one's signatures cannot be asked about. */
  readonly partition?: string;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly schedule: Schedule;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly observe?: (event: SignerEvent) => void;
}

/** Asks AWS Signer. Questions that are equal are asked once. */
export interface Ask {
  /**
   * Answers from memory when the answer is fresh.
   * @param caller rejects with its reason when it aborts; the question goes on for the others and for the memory
   */
  ask(question: SignerQuestion, caller: AbortSignal): Promise<Answered>;
  /** The same, but whatever is remembered. */
  askAgain(question: SignerQuestion, caller: AbortSignal): Promise<Answered>;
  /**
   * Whether the region's Signer takes its time, of late or right now, or nobody knows yet: who can do something else
   * meanwhile should.
   */
  isSlow(region: string): boolean;
}

/** What is known of one region's Signer. */
interface Region {
  readonly circuit: Circuit;
  readonly take: ReturnType<typeof createSlots>;
  /** When each call under way began, the oldest first. */
  readonly calls: Set<{ readonly from: number }>;
  /** Milliseconds that calls took of late, on average; undefined before the first has ended. */
  usualMs: number | undefined;
}

/** Regions that anything is remembered of; a cluster signs in a few. */
const MAX_REGIONS = 16;
/** Answers that are remembered. */
const MAX_ANSWERS = 20_000;
/** Milliseconds beyond which a Signer is slow; one of the same region takes some thirty. */
const SLOW_MS = 150;
const ATTEMPTS = 2;
/** Most milliseconds between the attempts. */
const BACKOFF_MS = 200;

/** @see docs/reliability.md, F-13, docs/threat-model.md, T-67 */
export function createAsk(options: AskOptions): Ask {
  const { call, timeoutMs, deadlineMs, freshMs, partition, now, schedule, random } = options;
  const regions = new QuickLRU<string, Region>({ maxSize: MAX_REGIONS });
  // The oldest first.
  const answers = new Map<string, Answered>();
  const deadlines = createDeadlines(deadlineMs, new Error("late"), schedule);
  const flight = createFlight<Answered>(() => deadlines.begin());

  function regionOf(name: string): Region {
    const known = regions.get(name);
    if (known !== undefined) return known;
    const region = {
      circuit: createCircuit(now),
      take: createSlots(options),
      calls: new Set<{ readonly from: number }>(),
      usualMs: undefined,
    };
    regions.set(name, region);
    return region;
  }

  /** One call with its own time. */
  async function attempt(
    question: SignerQuestion,
    deadline: AbortSignal,
  ): Promise<SignerAnswer | Failure> {
    const own = new AbortController();
    const timer = schedule(timeoutMs, () => own.abort());
    const signal = AbortSignal.any([own.signal, deadline]);
    try {
      const entities = await untilAborted(call(question, signal), signal);
      if (entities === undefined) return { ...failureOf(undefined, timeoutMs), isTransient: true };
      return entities.length === 0 ? { kind: "notRevoked" } : { kind: "revoked", entities };
    } catch (error) {
      if (deadline.aborted) return late(deadlineMs);
      return own.signal.aborted ? late(timeoutMs) : failureOf(error, timeoutMs);
    } finally {
      timer.cancel();
    }
  }

  async function attempts(
    question: SignerQuestion,
    region: Region,
    deadline: AbortSignal,
  ): Promise<SignerAnswer> {
    for (let left = ATTEMPTS - 1; ; left -= 1) {
      const why = region.circuit.enter();
      if (why !== undefined) return why;
      const underWay = { from: now() };
      region.calls.add(underWay);
      const result = await attempt(question, deadline);
      region.calls.delete(underWay);
      const tookMs = now() - underWay.from;
      region.usualMs = region.usualMs === undefined ? tookMs : (3 * region.usualMs + tookMs) / 4;
      const isFailure = "answer" in result;
      region.circuit.note(isFailure && result.isSick ? result.answer : undefined);
      if (!isFailure) return result;
      if (left <= 0 || !result.isTransient) return inWords(result, question);
      const isOver = await pause(random() * BACKOFF_MS, deadline);
      if (isOver) return result.answer;
    }
  }

  /** @returns whether the deadline came first */
  async function pause(ms: number, deadline: AbortSignal): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = schedule(ms, resolve);
    await untilAborted(promise, deadline).catch(() => undefined);
    timer.cancel();
    return deadline.aborted;
  }

  async function inTurn(question: SignerQuestion, deadline: AbortSignal): Promise<SignerAnswer> {
    if (partition !== undefined && partition !== question.partition) {
      return unknown(
        `the signature is of partition ${question.partition}, which partition ${partition} knows nothing of`,
      );
    }
    const region = regionOf(question.region);
    const { why } = region.circuit;
    if (why !== undefined) return why;
    const work = (): Promise<SignerAnswer> => attempts(question, region, deadline);
    const answer = await region.take(work, deadline).catch(() => late(deadlineMs).answer);
    return answer === "full" ? unknown("too many questions wait for AWS Signer") : answer;
  }

  /** Keeps an answer while it is fresh: the memory of a cluster's questions is then that of a minute, not of a day. */
  function remember(key: string, answered: Answered): void {
    answers.delete(key);
    answers.set(key, answered);
    for (const [oldest, { askedAt }] of answers) {
      if (answers.size <= MAX_ANSWERS && now() - askedAt < freshMs) break;
      answers.delete(oldest);
    }
  }

  function askAgain(question: SignerQuestion, caller: AbortSignal): Promise<Answered> {
    const begin = async (deadline: AbortSignal): Promise<Answered> => {
      const askedAt = now();
      const answered = { answer: await inTurn(question, deadline), askedAt };
      const { answer } = answered;
      if (answer.kind !== "unknown") remember(question.key, answered);
      options.observe?.({
        service: "signer",
        operation: "revocation",
        region: question.region,
        outcome: outcomeOf(answer),
        durationMs: now() - askedAt,
        ...(answer.kind === "unknown" && { failure: answer }),
      });
      return answered;
    };
    return flight.run(question.key, begin, caller).result;
  }

  return {
    ask(question, caller) {
      const known = answers.get(question.key);
      if (known !== undefined && now() - known.askedAt < freshMs) return Promise.resolve(known);
      return askAgain(question, caller);
    },
    askAgain,
    isSlow(name) {
      const region = regions.get(name);
      if (region?.usualMs === undefined || region.usualMs > SLOW_MS) return true;
      const [oldest] = region.calls;
      return oldest !== undefined && now() - oldest.from > SLOW_MS;
    },
  };
}

function outcomeOf(answer: SignerAnswer): SignerEvent["outcome"] {
  switch (answer.kind) {
    case "notRevoked":
      return "ok";
    case "revoked":
      return "revoked";
    case "unknown":
      return answer.reason === "SIGNER_DENIED" ? "denied" : "unknown";
  }
}

/** A refusal that may come of asking in another partition than the signature's says so. */
function inWords({ answer }: Failure, { partition }: SignerQuestion): SignerAnswer {
  if (!answer.sentence.includes("ValidationException")) return answer;
  const said = oneLine(answer.sentence, 150);
  return { ...answer, sentence: `${said} (the signature is of partition ${partition})` };
}
