import type { Collect } from "../evidence/collect.ts";
import type { Descriptor } from "../image/descriptor.ts";
import type { Digest } from "../image/digest.ts";
import type { Deadline } from "../lib/deadline.ts";
import { createFlight } from "../lib/single-flight.ts";
import type { Judge, NotationState } from "../notation/judgement.ts";
import type { Key } from "../protocol/key.ts";
import type { RegistryClient } from "../registry/registry.ts";
import type { Statement, Trust, TrustSnapshot } from "../trust/trust.ts";
import {
  isRefusal,
  rejected,
  undecided,
  type Refusal,
  type Rejected,
  type Verdict,
  type Verified,
} from "../verdict/verdict.ts";
import type { CacheUse } from "./decision.ts";
import { skipped, verified } from "./facts.ts";
import type { KnownKey } from "./keys.ts";
import { createRefreshedCache } from "./refreshed.ts";
import type { Tags } from "./tags.ts";
import { weigh } from "./weigh.ts";

/** The verdict of one key, and how it came about. */
export interface Outcome {
  readonly verdict: Verdict;
  readonly digest?: Digest;
  readonly cache: CacheUse;
}

/** Decides one key. */
export interface Verify {
  /** What can be said without waiting for anybody; undefined when somebody must be asked. */
  peek(key: KnownKey): Outcome | undefined;
  /** Rejects only with the reason of `caller`. */
  decide(key: KnownKey, caller: AbortSignal): Promise<Outcome>;
  /** Verifications under way. */
  readonly underWay: number;
  stats(): { readonly entries: number; readonly bytes: number };
}

export interface VerifyOptions {
  readonly trust: Pick<Trust, "policy">;
  readonly registry: Pick<RegistryClient, "allows">;
  readonly tags: Tags;
  readonly collect: Collect;
  readonly judge: Judge;
  readonly notation: () => NotationState;
  readonly lives: { readonly verifiedMs: number; readonly rejectedMs: number };
  readonly maxVerdicts: number;
  readonly maxBytes: number;
  readonly now: () => number;
  /** Of one verification; longer than any caller waits. */
  readonly deadline: () => Deadline;
  readonly failure: (error: unknown, signal: AbortSignal) => Refusal;
  /** Told of each verdict that was made anew before its life ended. */
  readonly onRefresh?: (outcome: Verdict["kind"]) => void;
}

/** A key with the trust policy that applies to it at this moment. */
interface Ground {
  readonly key: Key;
  readonly snapshot: TrustSnapshot;
  readonly statement: Statement;
}

/** Times that one question is judged anew because its trust policy changed meanwhile. */
const MAX_ROUNDS = 3;

/** Refreshes at once: a few, so that callers who wait come first. */
const MAX_REFRESHES = 8;
const COOL_DOWN_MS = 5000;

const NEVER = new AbortController().signal;

const NOT_ALLOWED = rejected(
  "REGISTRY_NOT_ALLOWED",
  "the provider's configuration does not name this registry",
);
const NO_STATEMENT = rejected(
  "NO_TRUST_POLICY",
  "no statement of the trust policy applies to this repository",
);
const NO_POLICY = undecided("UNKNOWN_POLICY", "there is no trust policy of this name");
const BAD_POLICY = undecided("TRUST_UNAVAILABLE", "this trust policy has never been valid");
const UNSTEADY = undecided(
  "TRUST_UNAVAILABLE",
  "the trust policy changed again and again during the verification",
);
const NO_NOTATION = undecided("NOTATION_FAILED", "Notation cannot be run");

/** Decides keys one by one: what is known at once, what is under way by joining it, the rest by asking. */
export function createVerify(options: VerifyOptions): Verify {
  const { trust, registry, tags, collect, judge, notation, lives, now, failure } = options;
  const verdicts = createRefreshedCache<Verified | Rejected>({
    maxEntries: options.maxVerdicts,
    maxBytes: options.maxBytes,
    sizeOf: bytesOf,
    now,
    maxRefreshes: MAX_REFRESHES,
    coolDownMs: COOL_DOWN_MS,
  });
  const flight = createFlight<Verdict>(options.deadline);
  // Verdicts outlive an absent binary: they were reached by the version that was seen last.
  let lastVersion = "";
  const version = (): string => {
    lastVersion = notation().version ?? lastVersion;
    return lastVersion;
  };

  /** The policy in force for a key; or the verdict that ends it before anybody is asked. */
  function groundOf({ key, name }: KnownKey): Ground | Verdict {
    const snapshot = trust.policy(key.policy);
    if (snapshot === undefined) return NO_POLICY;
    if (snapshot === "never") return BAD_POLICY;
    const statement = snapshot.statement(name);
    if (statement === undefined) return NO_STATEMENT;
    const ground = { policy: key.policy, statement, level: key.level };
    if (statement.level === "skip") return skipped(key.reference, ground);
    if (!registry.allows(key.reference.registry)) return NOT_ALLOWED;
    return { key, snapshot, statement };
  }

  /** Everything that a verdict depends on. A blank and a line break are in none of the parts. */
  const cacheKeyOf = ({ name }: KnownKey, { key, snapshot }: Ground, digest: Digest): string =>
    `${name}@${digest}\n${key.policy} ${snapshot.epoch} ${key.level ?? "own"}\n${version()}`;

  /** Judges a subject; the verdict is kept under what it was reached under. */
  async function judgeSubject(
    { key, snapshot, statement }: Ground,
    digest: Digest,
    known: Descriptor | undefined,
    signal: AbortSignal,
  ): Promise<Verdict> {
    if (notation().version === undefined) return NO_NOTATION;
    const { reference, level, policy } = key;
    const { registry, repository } = reference;
    const from = { registry, repository };
    const evidence = await collect(from, digest, known, signal);
    if (isRefusal(evidence)) return evidence;
    const { subject, candidates, listed } = evidence;
    const refusals: Refusal[] = [];
    for (const candidate of candidates) {
      if (candidate.kind === "bad") {
        refusals.push(candidate.verdict);
        continue;
      }
      const question = {
        repository: from,
        subject,
        envelope: candidate,
        trust: snapshot,
        statement,
        level,
      };
      const judgement = await judge(question, signal);
      if (judgement.kind === "passed") {
        return verified(reference, subject, { policy, statement, level }, candidate, judgement);
      }
      refusals.push(judgement);
    }
    return weigh(refusals, listed);
  }

  /** Judges once for all who ask the same, and keeps what may be kept. */
  function begin(
    cacheKey: string,
    ground: Ground,
    digest: Digest,
    known: Descriptor | undefined,
    caller: AbortSignal,
  ) {
    const work = async (signal: AbortSignal): Promise<Verdict> => {
      let verdict: Verdict;
      try {
        verdict = await judgeSubject(ground, digest, known, signal);
      } catch (error) {
        verdict = failure(error, signal);
      }
      if (verdict.kind === "verified") verdicts.set(cacheKey, verdict, lives.verifiedMs);
      else if (verdict.kind === "rejected") verdicts.set(cacheKey, verdict, lives.rejectedMs);
      return verdict;
    };
    return flight.run(cacheKey, work, caller);
  }

  function cached(known: KnownKey, ground: Ground, digest: Digest): Outcome | undefined {
    const cacheKey = cacheKeyOf(known, ground, digest);
    const refresh = async (): Promise<void> => {
      const { kind } = await begin(cacheKey, ground, digest, undefined, NEVER).result;
      options.onRefresh?.(kind);
    };
    const verdict = verdicts.get(cacheKey, refresh);
    return verdict === undefined ? undefined : { verdict, digest, cache: "hit" };
  }

  function peek(known: KnownKey): Outcome | undefined {
    const ground = groundOf(known);
    if ("kind" in ground) return { verdict: ground, cache: "none" };
    const { reference } = known.key;
    const subject = reference.digest ?? tags.peek(reference, reference.tag ?? "latest");
    if (subject === undefined) return undefined;
    if (isRefusal(subject)) return { verdict: subject, cache: "hit" };
    return cached(known, ground, typeof subject === "string" ? subject : subject.digest);
  }

  async function decide(known: KnownKey, caller: AbortSignal): Promise<Outcome> {
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const ground = groundOf(known);
      if ("kind" in ground) return { verdict: ground, cache: "none" };
      const { reference } = known.key;
      const subject =
        reference.digest ?? (await tags.resolve(reference, reference.tag ?? "latest", caller));
      if (isRefusal(subject)) return { verdict: subject, cache: "miss" };
      const [digest, descriptor] =
        typeof subject === "string" ? [subject, undefined] : [subject.digest, subject];
      const hit = cached(known, ground, digest);
      if (hit !== undefined) return hit;
      const cacheKey = cacheKeyOf(known, ground, digest);
      const { joined, result } = begin(cacheKey, ground, digest, descriptor, caller);
      const verdict = await result;
      // What was judged under a policy that is no longer in force answers nobody.
      if (isInForce(known, ground)) return { verdict, digest, cache: joined ? "joined" : "miss" };
    }
    return { verdict: UNSTEADY, cache: "miss" };
  }

  function isInForce({ key }: KnownKey, { snapshot }: Ground): boolean {
    const current = trust.policy(key.policy);
    return typeof current === "object" && current.epoch === snapshot.epoch;
  }

  return {
    peek,
    decide,
    get underWay() {
      return flight.size;
    },
    stats: () => verdicts.stats(),
  };
}

/** About what a verdict takes: its JSON, kept once more by who encodes it, and what holds them. */
function bytesOf(verdict: Verified | Rejected, key: string): number {
  const text = verdict.kind === "verified" ? JSON.stringify(verdict.facts) : verdict.sentence;
  return 512 + key.length + 2 * text.length;
}
