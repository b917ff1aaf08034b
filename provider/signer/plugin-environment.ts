import type { Claims } from "../evidence/evidence.ts";
import { parseProfileVersion } from "./arn.ts";

/** One attempt, because the time is the run's, and no question to the machine. */
const ALWAYS = { AWS_MAX_ATTEMPTS: "1", AWS_EC2_METADATA_DISABLED: "true" } as const;

export interface PluginEnvironmentOptions {
  /** `https://host` in place of AWS's own in a region. AWS's plugin puts `verification.` before its host. */
  readonly endpoint: (region: string) => string | undefined;
  readonly fips: boolean;
  readonly dualStack: boolean;
  /** Path of the roots for endpoints, PEM. */
  readonly ca?: string;
}

/**
 * What a plugin of AWS's own is told for one run besides its credentials, in the variables that AWS's SDKs read. Without a region it
 * asks nobody, so it gets that of the signature's profile, as the built-in plugin does; nothing else comes from the signature.
 */
export function pluginEnvironmentOf(
  { signer }: Pick<Claims, "signer">,
  { endpoint, fips, dualStack, ca }: PluginEnvironmentOptions,
): Readonly<Record<string, string>> {
  const region = parseProfileVersion(signer.identity ?? "")?.region;
  const url = endpoint(region ?? "");
  return {
    ...ALWAYS,
    ...(region !== undefined && { AWS_REGION: region }),
    ...(url !== undefined && { AWS_ENDPOINT_URL_SIGNER: url }),
    ...(fips && { AWS_USE_FIPS_ENDPOINT: "true" }),
    ...(dualStack && { AWS_USE_DUALSTACK_ENDPOINT: "true" }),
    ...(ca !== undefined && { AWS_CA_BUNDLE: ca }),
  };
}
