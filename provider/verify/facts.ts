import type { Envelope } from "../evidence/evidence.ts";
import type { Descriptor } from "../image/descriptor.ts";
import { formatReference, nameOf, type Reference } from "../image/reference.ts";
import type { Passed } from "../notation/judgement.ts";
import type { Statement } from "../trust/trust.ts";
import type { AskedLevel, Skipped, Verified } from "../verdict/verdict.ts";

/** What a verdict was reached under. */
export interface Ground {
  readonly policy: string;
  readonly statement: Statement;
  /** Asked for by the key; the statement's own otherwise. */
  readonly level: AskedLevel | undefined;
}

/** The verdict of a subject one of whose envelopes passed, with what that envelope says. */
export function verified(
  reference: Reference,
  subject: Descriptor,
  { policy, statement, level }: Ground,
  { claims, signature }: Envelope,
  { warnings }: Passed,
): Verified {
  const { signer, signedAt, expiresAt, metadata } = claims;
  return {
    kind: "verified",
    facts: {
      outcome: "verified",
      image: `${nameOf(reference)}@${subject.digest}`,
      digest: subject.digest,
      policy,
      statement: statement.name,
      level: level ?? statement.level,
      signer,
      signature,
      ...(signedAt !== undefined && { signedAt }),
      ...(expiresAt !== undefined && { expiresAt }),
      ...(warnings.length > 0 && { warnings }),
      ...(metadata !== undefined && { metadata }),
    },
  };
}

/** The verdict of a repository that the trust policy does not verify. Nothing was asked of anybody. */
export function skipped(reference: Reference, { policy, statement }: Ground): Skipped {
  const { digest } = reference;
  return {
    kind: "skipped",
    facts: {
      outcome: "skipped",
      image: formatReference(reference),
      ...(digest !== undefined && { digest }),
      policy,
      statement: statement.name,
      level: "skip",
    },
  };
}
