import type { FailureReason } from "../verdict/reasons.ts";

/** AWS Signer named nothing of what it was asked. */
export interface NotRevoked {
  readonly kind: "notRevoked";
}

/** AWS Signer named what it revoked. */
export interface Revoked {
  readonly kind: "revoked";
  /** As Signer names them: ARNs, and hashes of certificates. At least one. */
  readonly entities: readonly string[];
}

/** AWS Signer did not say. */
export interface Unknown {
  readonly kind: "unknown";
  readonly reason: Extract<FailureReason, "SIGNER_DENIED" | "REVOCATION_UNKNOWN">;
  /** What went wrong, in AWS's words where there are some; one line. */
  readonly sentence: string;
  /** What an operator has to do, where that is plain. */
  readonly remedy?: string;
}

export type SignerAnswer = NotRevoked | Revoked | Unknown;

/** An answer, and when the question was sent: what was revoked later is not in it. */
export interface Answered {
  readonly answer: SignerAnswer;
  /** Monotonic milliseconds. */
  readonly askedAt: number;
}
