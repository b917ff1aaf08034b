import { isRefusal, type Refusal } from "../verdict/verdict.ts";
import type { DecideBatch, Decision } from "./decision.ts";
import type { KnownKey } from "./keys.ts";
import type { Outcome, Verify } from "./verify.ts";
import type { Round, Waiting } from "./waiting.ts";

export interface BatchOptions {
  readonly verify: Pick<Verify, "peek" | "decide">;
  readonly parse: (text: string) => KnownKey | Refusal;
  /** Whether a registry is configured: only then may its name become a label. */
  readonly allows: (registry: string) => boolean;
  readonly waiting: Waiting;
  readonly now: () => number;
}

/** Answers a request: what is known at once, the rest by the deadline. */
export function createDecideBatch({
  verify,
  parse,
  allows,
  waiting,
  now,
}: BatchOptions): DecideBatch {
  const decision = (key: string, parsed: KnownKey, outcome: Outcome, began: number): Decision => {
    const { reference, policy, level } = parsed.key;
    const { verdict, digest, cache } = outcome;
    const isUnknown = verdict.kind === "undecided" && verdict.reason === "UNKNOWN_POLICY";
    return {
      key,
      verdict,
      cache,
      durationMs: now() - began,
      ...(digest !== undefined && { digest }),
      // Names that nobody configured stay out of labels.
      ...(!isUnknown && { policy }),
      ...(level !== undefined && { level }),
      ...(allows(reference.registry) && { registry: reference.registry }),
    };
  };

  /** Waits for what `peek` did not know. */
  async function ask(
    key: string,
    parsed: KnownKey,
    round: Round,
    began: number,
  ): Promise<Decision> {
    const outcome = await round.wait(async (signal) => await verify.decide(parsed, signal));
    const settled: Outcome = isRefusal(outcome) ? { verdict: outcome, cache: "miss" } : outcome;
    return decision(key, parsed, settled, began);
  }

  return async (keys, signal) => {
    const began = now();
    const round = waiting.open(signal);
    const decisions: (Decision | undefined)[] = [];
    const open: Promise<void>[] = [];
    for (const key of new Set(keys)) {
      const parsed = parse(key);
      const index = decisions.length;
      if (isRefusal(parsed)) {
        decisions.push({ key, verdict: parsed, cache: "none", durationMs: now() - began });
        continue;
      }
      const known = verify.peek(parsed);
      decisions.push(known && decision(key, parsed, known, began));
      if (known !== undefined) continue;
      const asked = ask(key, parsed, round, began);
      open.push(asked.then((answer) => void (decisions[index] = answer)));
    }
    if (open.length > 0) await Promise.all(open).finally(() => round.close());
    return decisions.filter((answer) => answer !== undefined);
  };
}
