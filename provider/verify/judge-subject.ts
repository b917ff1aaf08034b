import type { Collect } from "../evidence/collect.ts";
import type { Candidate, Evidence } from "../evidence/evidence.ts";
import type { Descriptor } from "../image/descriptor.ts";
import type { Digest } from "../image/digest.ts";
import type { Asked, Judge, Judgement } from "../notation/judgement.ts";
import type { Repository } from "../registry/registry.ts";
import { isRefusal, undecided, type Refusal, type Verified } from "../verdict/verdict.ts";
import { verified } from "./facts.ts";
import { ENDED, type Failure } from "./failure.ts";
import type { Ground } from "./ground.ts";
import type { Place } from "./registry-limit.ts";
import { weigh } from "./weigh.ts";

/**
 * Judges one subject under one ground: collects its signatures and has them judged one after the other, until one passes.
 * @param known the subject's descriptor, if the registry has just told it
 * @param signal deadline of the work; what is left at its end is not begun. Never rejects
 */
export type JudgeSubject = (
  ground: Ground,
  digest: Digest,
  known: Descriptor | undefined,
  signal: AbortSignal,
) => Promise<Judged>;

/** The same, with the place that it has while it is judged. */
export type JudgeInPlace = (...asked: [...Parameters<JudgeSubject>, Place]) => Promise<Judged>;

/** A verdict, and what it rests on besides the facts. */
export type Judged = (Verified & Grounded) | Refusal;

interface Grounded {
  /** What AWS Signer was asked for it. */
  readonly asked?: Asked;
  /** {@link Claims.certificatesUntil} of the envelope that passed. */
  readonly certificatesUntil?: string;
}

/** Asks the registry about an image that has no signature. @returns what to say in place of `UNSIGNED`, if anything */
export type WhyUnsigned = (
  repository: Repository,
  digest: Digest,
  signal: AbortSignal,
) => Promise<Refusal | undefined>;

export interface JudgeSubjectOptions {
  readonly collect: Collect;
  readonly judge: Judge;
  readonly failure: Failure;
  readonly whyUnsigned?: WhyUnsigned;
}

const OTHER_SUBJECT = undecided("REGISTRY_ERROR", "the registry answered with another image");

export function createJudgeSubject(options: JudgeSubjectOptions): JudgeInPlace {
  const { collect, judge, failure, whyUnsigned } = options;

  async function evidenceOf(
    from: Repository,
    digest: Digest,
    known: Descriptor | undefined,
    signal: AbortSignal,
  ): Promise<Evidence | Refusal> {
    try {
      return await collect(from, digest, known, signal);
    } catch (error) {
      return failure(error, signal);
    }
  }

  async function judgementOf(
    { snapshot, statement, key }: Ground,
    repository: Repository,
    subject: Descriptor,
    candidate: Candidate,
    place: Place,
    signal: AbortSignal,
  ): Promise<Judgement> {
    if (candidate.kind === "bad") return candidate.verdict;
    const { level } = key;
    const onWait = (): void => place.leave(candidate.bytes.length);
    const { demand } = place;
    const about = { repository, subject, envelope: candidate, demand, onWait };
    try {
      return await judge({ ...about, trust: snapshot, statement, level }, signal);
    } catch (error) {
      return failure(error, signal);
    }
  }

  return async (ground, digest, known, signal, place) => {
    const { registry, repository } = ground.key.reference;
    const from = { registry, repository };
    if (signal.aborted) return ENDED;
    const evidence = await evidenceOf(from, digest, known, signal);
    if (isRefusal(evidence)) return evidence;
    const { subject, candidates, listed } = evidence;
    // The last look before a verdict is said of this digest and no other.
    if (subject.digest !== digest) return OTHER_SUBJECT;
    const refusals: Refusal[] = [];
    try {
      for await (const candidate of candidates) {
        if (signal.aborted) return ENDED;
        const judgement = await judgementOf(ground, from, subject, candidate, place, signal);
        if (judgement.kind !== "passed") refusals.push(judgement);
        else if (candidate.kind === "envelope") {
          const { asked } = judgement;
          const { certificatesUntil } = candidate.claims;
          return {
            ...verified(ground, subject, candidate, judgement),
            ...(asked !== undefined && { asked }),
            ...(certificatesUntil !== undefined && { certificatesUntil }),
          };
        }
      }
    } catch (error) {
      return failure(error, signal);
    }
    if (listed === 0) {
      try {
        return (await whyUnsigned?.(from, digest, signal)) ?? weigh(refusals, listed);
      } catch (error) {
        return failure(error, signal);
      }
    }
    return weigh(refusals, listed);
  };
}
