import type { Descriptor } from "../image/descriptor.ts";
import type { Digest } from "../image/digest.ts";
import type { Refusal, Signer } from "../verdict/verdict.ts";

export type EnvelopeType = "application/jose+json" | "application/cose";

/** What a signature envelope claims. Nothing here is believed until Notation has verified the envelope. */
export interface Claims {
  readonly signer: Signer;
  /** RFC 3339, UTC, seconds. */
  readonly signedAt?: string;
  readonly expiresAt?: string;
  /**
   * When the first certificate of the chain ends. Only under notary.x509, where all of them have to be valid at the moment of
   * the verification, unless a timestamp shows that they once were.
   */
  readonly certificatesUntil?: string;
  /** Name of the verification plugin that the envelope demands. */
  readonly plugin?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** An envelope that passed vetting and may be shown to Notation. */
export interface Envelope {
  readonly kind: "envelope";
  /** Digest of the signature manifest in the registry. */
  readonly signature: Digest;
  readonly mediaType: EnvelopeType;
  readonly bytes: Uint8Array;
  readonly claims: Claims;
}

/**
 * A candidate that is refused without being shown to Notation. About the image: `MALFORMED_SIGNATURE`,
 * `PLUGIN_NOT_ALLOWED`, `TAMPERED` (its manifest speaks of another subject). About the world: undecided
 * `REGISTRY_*`, when the registry did not hand out what it lists; the other candidates still count.
 */
export interface BadCandidate {
  readonly kind: "bad";
  readonly signature: Digest;
  readonly verdict: Refusal;
}

export type Candidate = Envelope | BadCandidate;

/** Everything that is needed to judge one subject. */
export interface Evidence {
  readonly subject: Descriptor;
  /**
   * To be gone through once, in the registry's order. Envelopes are fetched as their turn comes, no more at once than the
   * largest may have bytes; what was gone through is not held. Rejects with the reason of the signal that the evidence was
   * collected under.
   */
  readonly candidates: AsyncIterable<Candidate>;
  /** Signatures that the registry lists; more than the candidates when there are too many. */
  readonly listed: number;
}
