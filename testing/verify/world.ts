import assert from "node:assert/strict";
import type { Candidate, Evidence } from "../../provider/evidence/evidence.ts";
import type { Descriptor } from "../../provider/image/descriptor.ts";
import { digestOf, type Digest } from "../../provider/image/digest.ts";
import type { Schedule } from "../../provider/lib/deadline.ts";
import type {
  Asked,
  Judgement,
  NotationState,
  Question,
} from "../../provider/notation/judgement.ts";
import type { Statement, TrustSnapshot } from "../../provider/trust/trust.ts";
import {
  rejected,
  undecided,
  type Level,
  type Refusal,
  type Verdict,
} from "../../provider/verdict/verdict.ts";
import type { Decision } from "../../provider/verify/decision.ts";
import { createVerifier, type VerifierEvent } from "../../provider/verify/verifier.ts";

export const D1 = digestOf("one");
export const D2 = digestOf("two");

/** A caller who waits as long as it takes. */
export const never = new AbortController().signal;

export const PASSED: Judgement = { kind: "passed", warnings: [] };

/** The wall clock as a world begins. */
export const EPOCH = Date.parse("2026-11-21T10:00:00Z");

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

/** A clock and timers that move only when a test moves them. */
function createTime() {
  const timers = new Set<{ readonly at: number; readonly callback: () => void }>();
  let now = 0;
  const schedule: Schedule = (ms, callback) => {
    const timer = { at: now + ms, callback };
    timers.add(timer);
    return { cancel: () => void timers.delete(timer) };
  };
  return {
    now: () => now,
    schedule,
    timers,
    pass(ms: number): void {
      now += ms;
      const due = [...timers].filter(({ at }) => at <= now);
      for (const timer of due.toSorted((one, other) => one.at - other.at)) {
        if (timers.delete(timer)) timer.callback();
      }
    },
  };
}

function statement(name: string, level: Level): Statement {
  const action = level === "skip" ? "skip" : "enforce";
  return {
    name,
    level,
    registryScopes: ["*"],
    trustStores: [],
    trustedIdentities: [],
    actions: () => ({
      integrity: action,
      authenticity: action,
      authenticTimestamp: action,
      expiry: action,
      revocation: action,
    }),
  };
}

/** A policy whose one statement applies to all repositories but those that begin with `r.io/untrusted`. */
export function snapshot(name: string, epoch: string, level: Level = "strict"): TrustSnapshot {
  const only = statement("all", level);
  return {
    name,
    epoch,
    statement: (scope) => (scope.startsWith("r.io/untrusted") ? undefined : only),
    open: () => ({ path: "/nowhere", [Symbol.dispose]: () => undefined }),
  };
}

export const candidate = (name: string): Candidate => ({
  kind: "envelope",
  signature: digestOf(name),
  mediaType: "application/jose+json",
  bytes: Buffer.from(name),
  claims: { signer: { scheme: "notary.x509", subject: `CN=${name}` } },
});

/** Candidates as evidence has them, each after what it waits for. */
async function* inTurn(
  candidates: readonly Candidate[],
  turn: () => Promise<void>,
): AsyncGenerator<Candidate, void> {
  for (const candidate of candidates) {
    await turn();
    yield candidate;
  }
}

const LIMITS = {
  deadlineMs: 1800,
  workDeadlineMs: 10_000,
  maxWaiting: 1000,
  concurrency: 100,
  maxBytesAside: 1000,
};

/** One verifier, and the parts around it as a test wants them: a registry, a Notation, trust policies. */
export function createWorld({
  keepTag = true,
  maxVerdicts = 1000,
  verifiedMs = 300_000,
  ...limits
}: Partial<typeof LIMITS> & {
  readonly keepTag?: boolean;
  readonly maxVerdicts?: number;
  readonly verifiedMs?: number;
} = {}) {
  const time = createTime();
  const policies = new Map<string, TrustSnapshot | "never">([
    ["default", snapshot("default", "e1")],
  ]);
  const tags = new Map<string, Digest>([["r.io/a:v1", D1]]);
  /** By `registry/repository@digest`; one good signature where there is no entry. */
  const signatures = new Map<string, readonly Candidate[]>();
  const calls = { subject: 0, collect: 0, judge: 0 };
  const events: VerifierEvent[] = [];
  const parts = {
    version: "1.3.2" as string | undefined,
    notation: (): NotationState => ({ version: parts.version, problem: undefined }),
    judge: async (_question: Question, _signal: AbortSignal): Promise<Judgement> => PASSED,
    /** What the registry says instead of resolving or collecting. */
    failure: undefined as Refusal | undefined,
    /** Signatures that the registry lists, where that is more than the candidates. */
    listed: undefined as number | undefined,
    allows: (host: string): boolean => ["r.io", "docker.io", "other.example"].includes(host),
    /** Watches what a verdict rests on. @returns lets go of it, or undefined when no more can be watched */
    hold:
      (_asked: Asked, _cacheKey: string): (() => void) | undefined =>
      () =>
        undefined,
    /** What is said of an image without a signature, in place of UNSIGNED. */
    whyUnsigned: undefined as Refusal | undefined,
    policy: (name: string): TrustSnapshot | "never" | undefined => policies.get(name),
    observe: (event: VerifierEvent): unknown => events.push(event),
    /** The descriptor that the last collection of evidence was given. */
    known: undefined as Descriptor | undefined,
    /** Digest of the subject that the evidence speaks of, where that is not the one that was asked for. */
    collected: undefined as Digest | undefined,
    /** What a question to the registry waits for, before it ends and after the answer is settled. */
    network: async (_signal: AbortSignal): Promise<void> => {},
    /** What an envelope waits for when its turn comes. */
    envelope: async (_signal: AbortSignal): Promise<void> => {},
  };
  const verifier = createVerifier({
    trust: { policy: (name) => parts.policy(name) },
    registry: {
      allows: (host) => parts.allows(host),
      async subject({ registry, repository }, name, signal) {
        calls.subject += 1;
        const digest = tags.get(`${registry}/${repository}:${name}`);
        const { failure } = parts;
        await parts.network(signal);
        if (failure !== undefined) return failure;
        if (digest === undefined) return rejected("IMAGE_NOT_FOUND", "no such tag");
        return { mediaType: MANIFEST, digest, size: 10 };
      },
    },
    async collect({ registry, repository }, digest, known, signal): Promise<Evidence | Refusal> {
      calls.collect += 1;
      parts.known = known;
      const { failure } = parts;
      await parts.network(signal);
      if (failure !== undefined) return failure;
      const found = signatures.get(`${registry}/${repository}@${digest}`) ?? [candidate("good")];
      return {
        subject: { mediaType: MANIFEST, digest: parts.collected ?? digest, size: 10 },
        candidates: inTurn(found, async () => await parts.envelope(signal)),
        listed: parts.listed ?? found.length,
      };
    },
    async judge(question, signal) {
      calls.judge += 1;
      if (parts.version === undefined) return undecided("NOTATION_FAILED", "no binary");
      return await parts.judge(question, signal);
    },
    notation: () => parts.notation(),
    limits: { ...LIMITS, ...limits },
    lives: { verifiedMs, rejectedMs: 30_000, tagMs: 5000 },
    cache: { maxVerdicts, maxBytes: 1_000_000, maxTags: 1000 },
    keepTag,
    watch: { hold: (...about) => parts.hold(...about), intervalMs: 60_000 },
    whyUnsigned: async () => parts.whyUnsigned,
    now: time.now,
    wallNow: () => EPOCH + time.now(),
    schedule: time.schedule,
    observe: (event) => void parts.observe(event),
  });
  async function ask(key: string): Promise<Decision> {
    const [decision] = await verifier.decide([key], never);
    assert.ok(decision);
    return decision;
  }
  return { verifier, time, policies, tags, signatures, parts, calls, events, ask };
}

/** Everything that is runnable has run: promises only, no time passes. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}

/** `verified`, `skipped`, or the reason. */
export const codeOf = (verdict: Verdict): string =>
  "reason" in verdict ? verdict.reason : verdict.kind;

export function factsOf(verdict: Verdict) {
  assert.ok(verdict.kind === "verified" || verdict.kind === "skipped", codeOf(verdict));
  return verdict.facts;
}

/** A judge whose judgements a test releases, all of them by the same. */
export function createHeldJudge() {
  const { promise, resolve } = Promise.withResolvers<Judgement>();
  return { judge: async () => await promise, release: resolve };
}
