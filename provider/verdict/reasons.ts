/** Facts about the image or the key: may be cached, and travel as an item's `error`. */
export const REJECT_REASONS = [
  "INVALID_REFERENCE",
  "INVALID_OPTION",
  "REGISTRY_NOT_ALLOWED",
  "IMAGE_NOT_FOUND",
  "NOT_AN_IMAGE",
  "NO_TRUST_POLICY",
  "UNSIGNED",
  "UNTRUSTED_SIGNER",
  "WRONG_IDENTITY",
  "SIGNATURE_EXPIRED",
  "CERTIFICATE_EXPIRED",
  "REVOKED",
  "TAMPERED",
  "MALFORMED_SIGNATURE",
  "PLUGIN_NOT_ALLOWED",
  "TOO_MANY_SIGNATURES",
] as const;

/** Facts about the world at this moment: never cached, and the key is left out of the items. */
export const FAILURE_REASONS = [
  "TIMEOUT",
  "OVERLOADED",
  "SHUTTING_DOWN",
  "REGISTRY_UNREACHABLE",
  "REGISTRY_THROTTLED",
  "REGISTRY_UNAUTHORIZED",
  "REGISTRY_ERROR",
  "REVOCATION_UNKNOWN",
  "SIGNER_DENIED",
  "SIGNING_IN_PROGRESS",
  "UNKNOWN_POLICY",
  "TRUST_UNAVAILABLE",
  "NOTATION_FAILED",
  "INTERNAL_ERROR",
  "BAD_REQUEST",
] as const;

export type RejectReason = (typeof REJECT_REASONS)[number];
export type FailureReason = (typeof FAILURE_REASONS)[number];
