import { opensRegistries } from "./aws.ts";
import type { Config } from "./schema.ts";

/** Something of a configuration that is allowed, and most likely not meant. */
export interface ConfigWarning {
  readonly severity: "warning";
  /** `aws.accounts` */
  readonly path: string;
  readonly message: string;
}

const warning = (path: string, message: string): ConfigWarning => ({
  severity: "warning",
  path,
  message,
});

/** What of a configuration has no effect, or another one than it seems. */
export function warningsOf({ aws, registries }: Config): readonly ConfigWarning[] {
  const { accounts, regions, roles } = aws;
  const hasEcr = registries.some(({ credentials }) => "aws" in credentials);
  const found: ConfigWarning[] = [];
  if (accounts.length > 0 && !opensRegistries(aws) && !hasEcr) {
    const why = accounts.includes("*") ? "with *" : "without aws.regions";
    const message = `opens no registry: ${why} each has to be named under registries, with credentials {aws: true}`;
    found.push(warning("aws.accounts", message));
  }
  if (regions.length > 0 && accounts.length === 0) {
    found.push(warning("aws.regions", "has no effect without aws.accounts"));
  }
  for (const account of Object.keys(roles)) {
    if (accounts.includes("*") || accounts.includes(account)) continue;
    found.push(warning(`aws.roles.${account}`, "has no effect: aws.accounts does not name it"));
  }
  return found;
}
