import { isRefusal, type Rejected, type Verdict } from "../verdict/verdict.ts";
import type { DecideBatch, Decision } from "./decision.ts";
import type { Failure } from "./failure.ts";
import type { KnownKey } from "./keys.ts";
import type { Outcome, Verify } from "./verify.ts";
import type { Round, Waiting } from "./waiting.ts";

export interface BatchOptions {
  readonly verify: Pick<Verify, "peek" | "decide">;
  readonly parse: (text: string) => KnownKey | Rejected;
  readonly waiting: Waiting;
  readonly failure: Failure;
  readonly now: () => number;
}

/** Answers a request: what is known at once, the rest by the deadline. */
export function createDecideBatch(options: BatchOptions): DecideBatch {
  const { verify, parse, waiting, failure, now } = options;

  /** What can be said of a key without waiting; otherwise the key to wait for. Never throws. */
  function look(key: string, began: number): Decision | KnownKey {
    try {
      const parsed = parse(key);
      if (isRefusal(parsed)) return unparsed(key, parsed, now() - began);
      const outcome = verify.peek(parsed);
      return outcome === undefined ? parsed : decisionOf(parsed, outcome, now() - began);
    } catch (error) {
      return unparsed(key, failure(error), now() - began);
    }
  }

  async function ask(known: KnownKey, round: Round, began: number): Promise<Decision> {
    const answer = await round.wait(async (caller) => await verify.decide(known, caller));
    const outcome: Outcome = isRefusal(answer) ? { verdict: answer, cache: "miss" } : answer;
    return decisionOf(known, outcome, now() - began);
  }

  return async (keys, signal, began = now()) => {
    const looks = Array.from(new Set(keys), (key) => look(key, began));
    if (looks.every(isDone)) return looks;
    // Only now, so that nothing that is known waits for what has to be asked.
    const round = waiting.open(signal, began);
    try {
      return await Promise.all(
        looks.map(async (look) => (isDone(look) ? look : await ask(look, round, began))),
      );
    } finally {
      round.close();
    }
  };
}

const isDone = (look: Decision | KnownKey): look is Decision => "verdict" in look;

/** The decision of a text that did not come so far as to be a key. */
const unparsed = (key: string, verdict: Verdict, durationMs: number): Decision => ({
  key,
  verdict,
  cache: "none",
  durationMs,
});

function decisionOf({ key, isAllowed }: KnownKey, outcome: Outcome, durationMs: number): Decision {
  const { verdict, digest, epoch, cache } = outcome;
  const { text, policy, level, reference } = key;
  // Names that nobody configured stay out of labels.
  const isUnknown = verdict.kind === "undecided" && verdict.reason === "UNKNOWN_POLICY";
  return {
    key: text,
    verdict,
    cache,
    durationMs,
    ...(digest !== undefined && { digest }),
    ...(epoch !== undefined && { epoch }),
    ...(!isUnknown && { policy }),
    ...(level !== undefined && { level }),
    ...(isAllowed && { registry: reference.registry }),
  };
}
