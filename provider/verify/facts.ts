import type { Envelope } from "../evidence/evidence.ts";
import type { Descriptor } from "../image/descriptor.ts";
import { formatReference, nameOf, type Reference } from "../image/reference.ts";
import type { Passed } from "../notation/judgement.ts";
import type { Key } from "../protocol/key.ts";
import type { Statement } from "../trust/trust.ts";
import type { Skipped, Verified } from "../verdict/verdict.ts";

/** The verdict of a subject one of whose envelopes passed, with what that envelope says. */
export function verified(
  { key, statement }: { readonly key: Key; readonly statement: Statement },
  subject: Descriptor,
  { claims, signature }: Envelope,
  { warnings }: Passed,
): Verified {
  const { signer, signedAt, expiresAt, metadata } = claims;
  const { reference, policy, level = statement.level } = key;
  return {
    kind: "verified",
    facts: {
      outcome: "verified",
      image: `${nameOf(reference)}@${subject.digest}`,
      digest: subject.digest,
      policy,
      statement: statement.name,
      level,
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
export function skipped(reference: Reference, policy: string, statement: Statement): Skipped {
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
