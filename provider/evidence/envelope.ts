import type { Rejected } from "../verdict/verdict.ts";
import { rejected } from "../verdict/verdict.ts";
import type { Claims, EnvelopeType } from "./evidence.ts";
import { readClaims } from "./envelope-claims.ts";
import { readCose } from "./envelope-cose.ts";
import { readJws } from "./envelope-jws.ts";
import { EnvelopeProblem } from "./envelope-parts.ts";

/** The two kinds of envelope. @see Notary Project signature specification, "Signature Envelope" */
export const ENVELOPE_TYPES: ReadonlyMap<string, EnvelopeType> = new Map([
  ["application/jose+json", "application/jose+json"],
  ["application/cose", "application/cose"],
]);

/**
 * Vets an envelope and reads what it claims. Judges nothing that needs a key, a trust store or a clock:
 * whether the signature holds, who is trusted and whether it is for our image is Notation's to say. What
 * two readers could understand differently is refused here, so that the plugin, the signer and the
 * times that we read are those that Notation reads.
 *
 * Left to Notation, which checks them as integrity at every level: the signature itself, that the
 * algorithm fits the key, issuers and signatures inside the chain, key usage, path lengths.
 * @param bytes bounded by the caller; work is linear in them
 * @returns the claims, or rejected `MALFORMED_SIGNATURE`; never throws
 * @see Notary Project signature specification, and its envelope specifications for JWS and COSE
 */
export function readEnvelope(mediaType: EnvelopeType, bytes: Uint8Array): Claims | Rejected {
  const parts = mediaType === "application/cose" ? readCose(bytes) : readJws(bytes);
  const claims = parts instanceof EnvelopeProblem ? parts : readClaims(parts);
  return claims instanceof EnvelopeProblem
    ? rejected("MALFORMED_SIGNATURE", claims.problem)
    : claims;
}
