import type { Descriptor } from "../image/descriptor.ts";
import type { Digest } from "../image/digest.ts";
import type { Rejected, Signer } from "../verdict/verdict.ts";

export type EnvelopeType = "application/jose+json" | "application/cose";

/** What a signature envelope claims. Nothing here is believed until Notation has verified the envelope. */
export interface Claims {
  readonly signer: Signer;
  /** RFC 3339, UTC, seconds. */
  readonly signedAt?: string;
  readonly expiresAt?: string;
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

/** A candidate that is refused without being shown to Notation: `MALFORMED_SIGNATURE` or `PLUGIN_NOT_ALLOWED`. */
export interface BadCandidate {
  readonly kind: "bad";
  readonly signature: Digest;
  readonly verdict: Rejected;
}

export type Candidate = Envelope | BadCandidate;

/** Everything that is needed to judge one subject. */
export interface Evidence {
  readonly subject: Descriptor;
  readonly candidates: readonly Candidate[];
  /** Signatures that the registry lists; more than the candidates when there are too many. */
  readonly listed: number;
}
