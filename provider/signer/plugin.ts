/** The name that AWS Signer's signatures demand. */
export const SIGNER_PLUGIN = "com.amazonaws.signer.notation.plugin";

export const TRUSTED_IDENTITY = "SIGNATURE_VERIFIER.TRUSTED_IDENTITY";
export const REVOCATION_CHECK = "SIGNATURE_VERIFIER.REVOCATION_CHECK";
export type Capability = typeof TRUSTED_IDENTITY | typeof REVOCATION_CHECK;

/** Bytes of a `verify-signature` request; a signature with a long chain and many identities needs some dozen KiB. */
export const MAX_REQUEST_BYTES = 1024 * 1024;

/**
 * What the plugin says of itself; the launcher says the same without asking anybody. The version is that of AWS's own
 * plugin up to which this one understands signatures: they name the oldest that will do.
 * @see Notary Project plugin specification, "get-plugin-metadata"
 */
export const METADATA = {
  name: SIGNER_PLUGIN,
  description: "Verifies AWS Signer's signatures; built into notation-gatekeeper-provider",
  version: "1.0.2292",
  url: "https://docs.aws.amazon.com/signer/",
  supportedContractVersions: ["1.0"],
  capabilities: [TRUSTED_IDENTITY, REVOCATION_CHECK],
} as const;

/** Codes of the plugin contract that this plugin uses. */
export type PluginErrorCode = "VALIDATION_ERROR" | "UNSUPPORTED_CONTRACT_VERSION" | "ERROR";

/** Why there is no answer at all. Notation fails the signature at every level and prints the message alone. */
export interface PluginError {
  readonly errorCode: PluginErrorCode;
  /** One line, at most 200 bytes. */
  readonly errorMessage: string;
}

/** What was found out for one capability. */
export interface Result {
  readonly success: boolean;
  /** One line, at most 200 bytes. */
  readonly reason: string;
}

/** The answer to `verify-signature`. */
export interface VerifyResponse {
  readonly verificationResults: Readonly<Partial<Record<Capability, Result>>>;
  readonly processedAttributes: readonly string[];
}

/** What a plugin's process leaves behind: one JSON document, on standard output at code 0, on standard error at code 1. */
export interface PluginOutput {
  readonly code: 0 | 1;
  readonly text: string;
}

export const isPluginError = (value: object): value is PluginError => "errorCode" in value;

export function outputOf(value: VerifyResponse | PluginError | typeof METADATA): PluginOutput {
  return { code: isPluginError(value) ? 1 : 0, text: JSON.stringify(value) };
}
