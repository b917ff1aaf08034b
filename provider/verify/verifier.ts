import type { Collect } from "../evidence/collect.ts";
import { createDeadlines, realTime, type Deadline, type Schedule } from "../lib/deadline.ts";
import type { Judge, NotationState } from "../notation/judgement.ts";
import type { RegistryClient } from "../registry/registry.ts";
import type { Trust } from "../trust/trust.ts";
import type { Verdict } from "../verdict/verdict.ts";
import { createDecideBatch } from "./batch.ts";
import type { DecideBatch, PinBatch } from "./decision.ts";
import { createFailure } from "./failure.ts";
import { createGrounds } from "./ground.ts";
import { createJudgeSubject, type WhyUnsigned } from "./judge-subject.ts";
import { createKeys, type KnownKey } from "./keys.ts";
import { createPinBatch } from "./mutate.ts";
import { limitPerRegistry } from "./registry-limit.ts";
import { createTags } from "./tags.ts";
import { createVerify, type Outcome, type Verify, type Watch } from "./verify.ts";
import { createWaiting } from "./waiting.ts";

/** Bytes of parsed keys that are remembered: some thousands of the usual length. */
const KEY_BYTES = 16 * 1024 * 1024;

/** What verification is made of, and its bounds. Times are milliseconds. */
export interface VerifierOptions {
  readonly trust: Pick<Trust, "policy">;
  readonly registry: Pick<RegistryClient, "allows" | "subject">;
  readonly collect: Collect;
  readonly judge: Judge;
  readonly notation: () => NotationState;
  readonly limits: {
    /** Of a request, from its arrival. */
    readonly deadlineMs: number;
    /** Of one verification; longer, so that its result answers the retry. */
    readonly workDeadlineMs: number;
    /** Keys that may be waited for at once, over all requests, and verifications of one registry's images that may wait for their turn. */
    readonly maxWaiting: number;
    /** Verifications of one registry's images that are under way at once. */
    readonly concurrency: number;
    /** Bytes of envelopes that one registry's images may hold beyond those, while they wait for AWS Signer. */
    readonly maxBytesAside: number;
  };
  readonly lives: {
    readonly verifiedMs: number;
    readonly rejectedMs: number;
    readonly tagMs: number;
  };
  readonly cache: {
    readonly maxVerdicts: number;
    readonly maxBytes: number;
    readonly maxTags: number;
  };
  /** Whether `/mutate` keeps the tag beside the digest. */
  readonly keepTag: boolean;
  /** A clock that never goes back. */
  readonly now: () => number;
  /** Milliseconds since the epoch: signatures say when they expire. */
  readonly wallNow: () => number;
  /** A clock that never goes back either, on which the lives of what is kept are measured. Default `now`. */
  readonly ageNow?: () => number;
  readonly watch?: Watch;
  readonly whyUnsigned?: WhyUnsigned;
  readonly observe?: (event: VerifierEvent) => void;
  /** Goes around the deciding of each key that is not answered at once. */
  readonly aroundKey?: AroundKey;
  /** Replaces the timers of deadlines, for tests. */
  readonly schedule?: Schedule;
}

/** Has the work done, and hands on what came of it. */
export type AroundKey = (key: KnownKey, work: () => Promise<Outcome>) => Promise<Outcome>;

/** `refresh`: a verdict was made anew in the background. `error`: something threw that never should. */
export type VerifierEvent =
  | { readonly kind: "refresh"; readonly outcome: Verdict["kind"] }
  | { readonly kind: "error"; readonly error: unknown };

export interface VerifierStats {
  readonly verdicts: { readonly entries: number; readonly bytes: number };
  readonly tags: { readonly entries: number; readonly bytes: number };
  /** Keys that are waited for. */
  readonly waiting: number;
  /** Verifications under way. */
  readonly underWay: number;
}

export interface Verifier {
  readonly decide: DecideBatch;
  readonly pin: PinBatch;
  stats(): VerifierStats;
  /** Drops verdicts by the cache keys that {@link Watch.hold} was told. */
  forget(cacheKeys: readonly string[]): void;
  /**
   * Answers `SHUTTING_DOWN` to everybody who waits or would have to, and ends the verifications and refreshes under
   * way. What is cached is still answered.
   */
  close(): void;
}

/** Puts the parts of verification together. */
export function createVerifier(options: VerifierOptions): Verifier {
  const { limits, lives, cache, registry, aroundKey, now, schedule = realTime } = options;
  const { ageNow = now } = options;
  const observe = guarded(options.observe);
  const onFault = (error: unknown): void => observe({ kind: "error", error });
  const failure = createFailure(onFault);
  const allows = (host: string): boolean => registry.allows(host);
  const works = createDeadlines(limits.workDeadlineMs, new Error("the time is up"), schedule);
  const deadline = (): Deadline => works.begin();

  const tags = createTags({
    registry,
    lifeMs: lives.tagMs,
    maxEntries: cache.maxTags,
    now: ageNow,
    deadline,
    failure,
    onFault,
  });
  const verify = createVerify({
    grounds: createGrounds(options),
    tags,
    judge: limitPerRegistry(createJudgeSubject({ ...options, failure }), { ...limits, now }),
    lives,
    maxVerdicts: cache.maxVerdicts,
    maxBytes: cache.maxBytes,
    now: ageNow,
    wallNow: options.wallNow,
    ...(options.watch !== undefined && { watch: options.watch }),
    deadline,
    onRefresh: (outcome) => observe({ kind: "refresh", outcome }),
    onFault,
  });
  const waiting = createWaiting({
    deadlineMs: limits.deadlineMs,
    maxWaiting: limits.maxWaiting,
    schedule,
    now,
    failure,
  });
  const parse = createKeys({
    maxEntries: cache.maxVerdicts,
    maxBytes: KEY_BYTES,
    allows,
    now: ageNow,
  });
  return {
    decide: createDecideBatch({
      verify: aroundKey === undefined ? verify : traced(verify, aroundKey),
      parse,
      waiting,
      failure,
      now,
    }),
    pin: createPinBatch({ tags, allows, waiting, failure, keepTag: options.keepTag, now }),
    forget: (cacheKeys) => verify.forget(cacheKeys),
    stats: () => ({
      verdicts: verify.stats(),
      tags: tags.stats(),
      waiting: waiting.size,
      underWay: verify.underWay,
    }),
    close() {
      waiting.close();
      // What begins later, a refresh or another round, finds its deadline over and asks nobody.
      works.abort(new Error("the provider is shutting down"));
    },
  };
}

/** The same, with something around what is not answered at once. */
const traced = (verify: Verify, aroundKey: AroundKey): Pick<Verify, "peek" | "decide"> => ({
  peek: (key) => verify.peek(key),
  decide: async (key, caller) => await aroundKey(key, async () => await verify.decide(key, caller)),
});

/** An observer's own fault is nobody's verdict. */
function guarded(observe: VerifierOptions["observe"]): (event: VerifierEvent) => void {
  return (event) => {
    try {
      observe?.(event);
    } catch {
      // There is nobody left to tell.
    }
  };
}
