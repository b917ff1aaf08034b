import type { RejectReason } from "../verdict/reasons.ts";
import { oneLine, rejected, type Refusal, type Rejected } from "../verdict/verdict.ts";

/**
 * Reasons in the order in which Notation checks, the last check first: the envelope that came furthest says most about
 * what is wrong with the image.
 * @see Notary Project signature verification, "Steps"
 */
const FURTHEST: readonly RejectReason[] = [
  "REVOKED",
  "CERTIFICATE_EXPIRED",
  "SIGNATURE_EXPIRED",
  "WRONG_IDENTITY",
  "UNTRUSTED_SIGNER",
  "TAMPERED",
  "PLUGIN_NOT_ALLOWED",
  "MALFORMED_SIGNATURE",
];

/** How far an envelope came; a reason that is no reason of an envelope came nowhere. */
function distance({ reason }: Rejected): number {
  const index = FURTHEST.indexOf(reason);
  return index === -1 ? FURTHEST.length : index;
}

/**
 * One refusal for an image none of whose signatures passed.
 * - Undecided if any signature is undecided: it may be the one that passes a second later.
 * - `TOO_MANY_SIGNATURES` if not all that are listed were looked at, so that nothing passes or is blamed by exhaustion.
 * - Otherwise the reason of the envelope that came furthest; the sentence counts the others.
 * @param refusals one for each signature that was looked at, in the registry's order
 * @param listed signatures that the registry lists
 */
export function weigh(refusals: readonly Refusal[], listed: number): Refusal {
  if (listed === 0) return rejected("UNSIGNED", "no signature found for this image");
  const open = refusals.find((refusal) => refusal.kind === "undecided");
  if (open !== undefined) return counted(open, refusals.length);
  if (listed > refusals.length) {
    return rejected(
      "TOO_MANY_SIGNATURES",
      `none of the first ${refusals.length} of ${listed} signatures passed, the others were not looked at`,
    );
  }
  const [furthest] = refusals
    .filter((refusal) => refusal.kind === "rejected")
    .toSorted((a, b) => distance(a) - distance(b));
  return furthest === undefined
    ? rejected("UNSIGNED", "no signature found for this image")
    : counted(furthest, refusals.length);
}

/** The sentence with the number of signatures in front, where the cut at its end does not reach it. */
function counted<R extends Refusal>(refusal: R, signatures: number): R {
  if (signatures < 2) return refusal;
  return { ...refusal, sentence: oneLine(`of ${signatures} signatures: ${refusal.sentence}`) };
}
