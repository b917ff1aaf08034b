import type { Envelope } from "../evidence/evidence.ts";
import type { Descriptor } from "../image/descriptor.ts";
import type { Demand } from "../lib/turns.ts";
import type { Repository } from "../registry/registry.ts";
import type { SignerQuestion } from "../signer/question.ts";
import type { Statement, TrustSnapshot } from "../trust/trust.ts";
import type { AskedLevel, Refusal, Warning } from "../verdict/verdict.ts";

/** Notation verified the envelope for exactly the subject; `warnings` are the checks that the level only logs. */
export interface Passed {
  readonly kind: "passed";
  readonly warnings: readonly Warning[];
  /** What AWS Signer was asked, and when it was: it may be asked again while a verdict rests on this. */
  readonly asked?: Asked;
}

/** A question to AWS Signer that was answered. */
export interface Asked {
  readonly question: SignerQuestion;
  /** Monotonic milliseconds. */
  readonly askedAt: number;
}

/** What Notation said of one envelope. */
export type Judgement = Passed | Refusal;

/** One question to Notation. */
export interface Question {
  readonly repository: Repository;
  readonly subject: Descriptor;
  readonly envelope: Envelope;
  readonly trust: TrustSnapshot;
  readonly statement: Statement;
  /** Replaces the statement's level. */
  readonly level: AskedLevel | undefined;
  /** Until when somebody waits for it; nobody does unless it is given. */
  readonly demand?: Demand;
  /** Told when it waits for AWS Signer, which takes its time: nothing is fetched or run meanwhile. */
  readonly onWait?: () => void;
}

/**
 * Judges one envelope by running Notation, in two steps where authenticity is only logged.
 * @param signal deadline of the verification: when it aborts, the whole process group is ended and the judgement is undecided `TIMEOUT`
 */
export type Judge = (question: Question, signal: AbortSignal) => Promise<Judgement>;

/** The Notation binary that runs are made with. */
export interface NotationState {
  /** `1.3.2`; undefined while the binary cannot be used. */
  readonly version: string | undefined;
  /** Why it cannot be used, for readiness; no path in it. */
  readonly problem: string | undefined;
}
