import type { Descriptor } from "../image/descriptor.ts";
import type { Digest } from "../image/digest.ts";
import type { Deadline } from "../lib/deadline.ts";
import { createFlight } from "../lib/single-flight.ts";
import {
  isRefusal,
  undecided,
  type Rejected,
  type Refusal,
  type Undecided,
  type Verdict,
  type Verified,
} from "../verdict/verdict.ts";
import type { CacheUse } from "./decision.ts";
import { createDemands } from "./demand.ts";
import type { Ground, Grounds } from "./ground.ts";
import type { Asked } from "../notation/judgement.ts";
import type { Judged } from "./judge-subject.ts";
import type { KnownKey } from "./keys.ts";
import { createRefreshedCache } from "./refreshed.ts";
import type { JudgeInTurn } from "./registry-limit.ts";
import type { Tags } from "./tags.ts";
import type { Caller } from "./waiting.ts";

/** The verdict of one key, and how it came about. */
export interface Outcome {
  readonly verdict: Verdict;
  readonly digest?: Digest;
  /** Of the trust policy that it was reached under; where there is a digest. */
  readonly epoch?: string;
  readonly cache: CacheUse;
}

/** Decides one key. */
export interface Verify {
  /** What can be said without waiting for anybody; undefined when somebody must be asked. A cached verdict is the same object each time. */
  peek(key: KnownKey): Outcome | undefined;
  /** Rejects only with the reason of the caller's signal. */
  decide(key: KnownKey, caller: Caller): Promise<Outcome>;
  /** Verifications under way. */
  readonly underWay: number;
  /** Drops verdicts by their cache keys: what they rest on has been revoked, or nobody can say any more. */
  forget(cacheKeys: readonly string[]): void;
  stats(): { readonly entries: number; readonly bytes: number };
}

export interface VerifyOptions {
  readonly grounds: Grounds;
  readonly tags: Tags;
  readonly judge: JudgeInTurn;
  readonly lives: { readonly verifiedMs: number; readonly rejectedMs: number };
  readonly maxVerdicts: number;
  readonly maxBytes: number;
  readonly now: () => number;
  /** Milliseconds since the epoch. */
  readonly wallNow: () => number;
  readonly watch?: Watch;
  /** Of one verification; longer than any caller waits. */
  readonly deadline: () => Deadline;
  /** Told of each verdict that was made anew before its life ended; must not throw. */
  readonly onRefresh: (outcome: Verdict["kind"]) => void;
  /** Told of a refresh that threw; must not throw. */
  readonly onFault: (error: unknown) => void;
}

/** Asks AWS Signer again, in the background, about what verdicts rest on. */
export interface Watch {
  /** @returns lets go of it; undefined when no more can be watched */
  hold(asked: Asked, cacheKey: string): (() => void) | undefined;
  /** Milliseconds that a verdict which is not watched may live. */
  readonly intervalMs: number;
}

/** Times that one question is judged anew because its trust policy changed meanwhile. */
const MAX_ROUNDS = 3;

/** Refreshes at once: a few, so that callers who wait come first. */
const MAX_REFRESHES = 8;
const COOL_DOWN_MS = 5000;

/** A refresh: whoever asks for the verdict is answered at once, as long as it is there in time. */
const AHEAD: Caller = { signal: new AbortController().signal, dueAt: -Infinity };

const UNSTEADY = undecided(
  "TRUST_UNAVAILABLE",
  "the trust policy changed again and again during the verification",
);

/** Decides keys one by one: what is known at once, what is under way by joining it, the rest by asking. */
export function createVerify(options: VerifyOptions): Verify {
  const { grounds, tags, judge, lives, now, wallNow, onRefresh } = options;
  const holds = createHolds(now);
  const verdicts = createRefreshedCache<Verified | Rejected>({
    maxEntries: options.maxVerdicts,
    maxBytes: options.maxBytes,
    sizeOf: bytesOf,
    now,
    // It answers nobody any more; when its image comes again, it is judged anew and watched again.
    onEvicted: holds.release,
    maxRefreshes: MAX_REFRESHES,
    coolDownMs: COOL_DOWN_MS,
    onFault: options.onFault,
  });
  const flight = createFlight<Verified | Refusal>(options.deadline);
  const demands = createDemands();

  /** Has what a verdict rests on watched. @returns milliseconds that the verdict may live at most */
  function watched(cacheKey: string, asked: Asked | undefined): number {
    const release = asked && options.watch?.hold(asked, cacheKey);
    holds.set(cacheKey, release, lives.verifiedMs);
    const isUnwatched = asked !== undefined && options.watch !== undefined && release === undefined;
    return isUnwatched ? options.watch.intervalMs : Infinity;
  }

  /** Judges once for all who ask the same, and keeps what may be kept under what it was reached under. */
  function begin(
    known: KnownKey,
    ground: Ground,
    digest: Digest,
    subject: Descriptor | undefined,
    caller: Caller,
  ) {
    const cacheKey = ground.cacheKeyOf(digest);
    const work = async (signal: AbortSignal): Promise<Verified | Refusal> => {
      const began = now();
      const verdict = await judge(ground, digest, subject, signal, demands.of(cacheKey));
      // Under another policy, or by another Notation, nobody asks for it any more; the time it took is part of its age.
      if (verdict.kind === "undecided" || !grounds.isInForce(known, ground)) return verdict;
      const lifeMs = verdict.kind === "verified" ? lives.verifiedMs : lives.rejectedMs;
      const left = lifeMs - (now() - began);
      const watchedMs = verdict.kind === "verified" ? watched(cacheKey, verdict.asked) : Infinity;
      verdicts.set(cacheKey, verdict, Math.min(left, watchedMs, untilEnd(verdict, wallNow())));
      return verdict;
    };
    // Before the work begins, which looks at once how urgent it is.
    const leave = demands.join(cacheKey, caller);
    const { joined, result } = flight.run(cacheKey, work, caller.signal);
    return { joined, result: result.finally(leave) };
  }

  function cached(known: KnownKey, ground: Ground, digest: Digest): Outcome | undefined {
    const verdict = verdicts.get(ground.cacheKeyOf(digest), async () => {
      if (!grounds.isInForce(known, ground)) return;
      onRefresh((await begin(known, ground, digest, undefined, AHEAD).result).kind);
    });
    const { epoch } = ground.snapshot;
    return verdict === undefined ? undefined : { verdict, digest, epoch, cache: "hit" };
  }

  function peek(known: KnownKey): Outcome | undefined {
    const ground = grounds.of(known);
    if ("kind" in ground) return { verdict: ground, cache: "none" };
    const { target } = known;
    if (typeof target === "string") return cached(known, ground, target);
    const subject = tags.peek(target);
    if (subject === undefined) return undefined;
    if (isRefusal(subject)) return { verdict: subject, cache: "hit" };
    return cached(known, ground, subject.digest);
  }

  async function decide(known: KnownKey, caller: Caller): Promise<Outcome> {
    const { target } = known;
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const settled = peek(known);
      if (settled !== undefined) return settled;
      const subject =
        typeof target === "string" ? target : await tags.resolve(target, caller.signal);
      if (isRefusal(subject)) return { verdict: subject, cache: "miss" };
      const [digest, descriptor] =
        typeof subject === "string" ? [subject, undefined] : [subject.digest, subject];
      // Looked up anew: the policy may have changed while the tag was resolved.
      const ground = grounds.of(known);
      if ("kind" in ground) return { verdict: ground, cache: "none" };
      const hit = cached(known, ground, digest);
      if (hit !== undefined) return hit;
      const { joined, result } = begin(known, ground, digest, descriptor, caller);
      const verdict = await result;
      // What was judged under a policy that is no longer in force answers nobody.
      if (grounds.isInForce(known, ground)) {
        const { epoch } = ground.snapshot;
        return { verdict, digest, epoch, cache: joined ? "joined" : "miss" };
      }
    }
    return { verdict: UNSTEADY, cache: "miss" };
  }

  return {
    peek,
    decide,
    get underWay() {
      return flight.size;
    },
    stats: () => verdicts.stats(),
    forget(cacheKeys) {
      for (const cacheKey of cacheKeys) {
        verdicts.delete(cacheKey);
        holds.release(cacheKey);
      }
    },
  };
}

/** What is watched for verdicts: let go of when a verdict is verified anew, is forgotten, makes room for others, or has outlived its life. */
function createHolds(now: () => number) {
  const held = new Map<string, { readonly release: () => void; readonly until: number }>();
  const release = (cacheKey: string): void => {
    held.get(cacheKey)?.release();
    held.delete(cacheKey);
  };
  return {
    release,
    set(cacheKey: string, letGo: (() => void) | undefined, lifeMs: number): void {
      release(cacheKey);
      if (letGo !== undefined) held.set(cacheKey, { release: letGo, until: now() + lifeMs });
      // In the order of their ends, because all live equally long.
      for (const [oldest, { until }] of held) {
        if (until > now()) break;
        release(oldest);
      }
    },
  };
}

/**
 * Milliseconds until the signature expires, or one of the certificates that it was verified with. What has ended already, and
 * passed because its level only logs that or because of a timestamp, passes on.
 */
function untilEnd(verdict: Exclude<Judged, Undecided>, wallNow: number): number {
  if (verdict.kind !== "verified") return Infinity;
  const ends = [verdict.facts.expiresAt, verdict.certificatesUntil];
  const left = ends.flatMap((end) => (end === undefined ? [] : [Date.parse(end) - wallNow]));
  return Math.min(...left.filter((ms) => ms > 0));
}

/** About what a verdict takes: its JSON, kept once more by who encodes it, and what holds them. */
function bytesOf(verdict: Verified | Rejected, key: string): number {
  const text = verdict.kind === "verified" ? JSON.stringify(verdict.facts) : verdict.sentence;
  return 512 + key.length + 2 * text.length;
}
