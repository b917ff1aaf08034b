import type { Digest } from "../image/digest.ts";
import type { FailureReason, RejectReason } from "./reasons.ts";

/** Levels of the Notary Project's trust policy. `skip` is never asked for, only written in a policy. */
export const LEVELS = ["strict", "permissive", "audit", "skip"] as const;
export type Level = (typeof LEVELS)[number];
/** Levels that a key may ask for. */
export type AskedLevel = Exclude<Level, "skip">;

/** Checks that a level may only log. @see Notary Project trust policy, "Signature verification levels" */
export const LOGGED_CHECKS = [
  "authenticity",
  "authenticTimestamp",
  "expiry",
  "revocation",
] as const;
export type LoggedCheck = (typeof LOGGED_CHECKS)[number];

/** A check that failed and that the level only logs. */
export interface Warning {
  readonly check: LoggedCheck;
  /** At most 200 bytes, no control characters. */
  readonly message: string;
}

/** Who signed, as the verified envelope says. */
export interface Signer {
  readonly scheme: "notary.x509" | "notary.x509.signingAuthority";
  /** Distinguished name of the leaf certificate, RFC 4514 order of the certificate. */
  readonly subject: string;
  /** ARN of the signing profile version, for AWS Signer. */
  readonly identity?: string;
  /** ARN of the signing job, for AWS Signer. */
  readonly job?: string;
}

/** The value of an item that passed; Rego reads it as it is. Member names are the wire's. */
export interface Facts {
  readonly outcome: "verified" | "skipped";
  /** `registry/repository@sha256:…`; for `skipped` the normalised reference. */
  readonly image: string;
  readonly digest?: Digest;
  readonly policy: string;
  readonly statement: string;
  readonly level: Level;
  readonly signer?: Signer;
  /** Digest of the signature manifest in the registry. */
  readonly signature?: Digest;
  /** RFC 3339, UTC, seconds. */
  readonly signedAt?: string;
  readonly expiresAt?: string;
  readonly warnings?: readonly Warning[];
  /** User metadata of the signed payload. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Notation verified exactly `facts.image`. */
export interface Verified {
  readonly kind: "verified";
  readonly facts: Facts & { readonly digest: Digest };
}

/** The trust policy says that this repository is not verified. */
export interface Skipped {
  readonly kind: "skipped";
  readonly facts: Facts;
}

/** A fact about the image. */
export interface Rejected {
  readonly kind: "rejected";
  readonly reason: RejectReason;
  readonly sentence: string;
}

/** A fact about the world. */
export interface Undecided {
  readonly kind: "undecided";
  readonly reason: FailureReason;
  readonly sentence: string;
}

export type Refusal = Rejected | Undecided;

/** What we say of one key. Nothing turns `rejected` into `undecided` or back on the way. */
export type Verdict = Verified | Skipped | Refusal;

/** @param sentence first words say the most; see {@link oneLine} for its bounds */
export const rejected = (reason: RejectReason, sentence: string): Rejected => ({
  kind: "rejected",
  reason,
  sentence: oneLine(sentence),
});

/** @param sentence first words say the most; see {@link oneLine} for its bounds */
export const undecided = (reason: FailureReason, sentence: string): Undecided => ({
  kind: "undecided",
  reason,
  sentence: oneLine(sentence),
});

/** Tells a refusal from the value that a function returns when all went well. */
export function isRefusal(value: unknown): value is Refusal {
  if (typeof value !== "object" || value === null || !("kind" in value)) return false;
  return value.kind === "rejected" || value.kind === "undecided";
}

/** Bytes of UTF-8 that a sentence may have. */
export const SENTENCE_BYTES = 200;

// Control characters, line and paragraph separators, bidirectional overrides and lone surrogates: what
// would break a line, a terminal or a JSON reader. Linear, no nested quantifiers.
const UNPRINTABLE =
  // eslint-disable-next-line no-control-regex -- these are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/**
 * Foreign text made fit for an answer: one line without control characters, at most `bytes` bytes of
 * UTF-8, cut at a character and marked with `…` when it was longer.
 */
export function oneLine(text: string, bytes: number = SENTENCE_BYTES): string {
  // Every character is at least one byte, so what is beyond cannot be kept; it need not be looked at.
  const clean = text.slice(0, bytes + 1).replace(UNPRINTABLE, " ");
  if (text.length <= bytes && Buffer.byteLength(clean) <= bytes) return clean;
  const room = bytes - Buffer.byteLength("…");
  let used = 0;
  let kept = "";
  for (const character of clean) {
    used += Buffer.byteLength(character);
    if (used > room) break;
    kept += character;
  }
  return `${kept}…`;
}
