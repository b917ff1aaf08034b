import { z } from "zod";
import { JsonProblem, parseStrictJson } from "../lib/strict-json.ts";
import {
  MAX_REQUEST_BYTES,
  REVOCATION_CHECK,
  TRUSTED_IDENTITY,
  type PluginError,
} from "./plugin.ts";

/** Members that Notation sends and that matter here; it may send more. */
const VerifyRequest = z.object({
  contractVersion: z.literal("1.0"),
  signature: z.object({
    criticalAttributes: z.object({
      signingScheme: z.string(),
      authenticSigningTime: z.iso.datetime({ offset: true }).optional(),
      extendedAttributes: z.record(z.string(), z.unknown()).nullish(),
    }),
    certificateChain: z.array(z.base64()).min(1).max(32),
  }),
  trustPolicy: z.object({
    trustedIdentities: z.array(z.string()).max(10_000).nullish(),
    signatureVerification: z.array(z.enum([TRUSTED_IDENTITY, REVOCATION_CHECK])).nullish(),
  }),
  pluginConfig: z.record(z.string(), z.string()).nullish(),
});

/** What Notation asks of one signature. */
export type VerifyRequest = z.infer<typeof VerifyRequest>;

/**
 * Reads the standard input of `verify-signature`.
 * @returns `UNSUPPORTED_CONTRACT_VERSION` for another contract, `VALIDATION_ERROR` for what is no request
 */
export function readRequest(bytes: Uint8Array): VerifyRequest | PluginError {
  if (bytes.length > MAX_REQUEST_BYTES) {
    return invalid(`the request has more than ${MAX_REQUEST_BYTES} bytes`);
  }
  const value = parseStrictJson(bytes);
  if (value instanceof JsonProblem) return invalid(`the request cannot be read: ${value.problem}`);
  const { success, data, error } = VerifyRequest.safeParse(value);
  if (success) return data;
  const [issue] = error.issues;
  if (issue?.path[0] === "contractVersion") {
    const errorMessage = "the plugin speaks contract version 1.0 alone";
    return { errorCode: "UNSUPPORTED_CONTRACT_VERSION", errorMessage };
  }
  // The path may hold names that a signer chose.
  return invalid(`the request has a wrong ${issue?.path.slice(0, 2).join(".") ?? "shape"}`);
}

const invalid = (errorMessage: string): PluginError => ({
  errorCode: "VALIDATION_ERROR",
  errorMessage,
});
