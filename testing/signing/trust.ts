/**
 * Notation configuration directories for tests and the demo.
 *
 * - `writeTrust(directory, content)`: trust policies and trust stores as Notation lays them out
 * - `statement(options)`: a trust policy statement with defaults
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** One statement of a trust policy document, as it is written. */
export interface TrustStatement {
  readonly name: string;
  readonly registryScopes: readonly string[];
  readonly signatureVerification: {
    readonly level: string;
    readonly override?: Readonly<Record<string, string>>;
    readonly verifyTimestamp?: string;
  };
  readonly trustStores?: readonly string[];
  readonly trustedIdentities?: readonly string[];
}

export interface TrustContent {
  /** Of `trustpolicy.json`. */
  readonly statements: readonly TrustStatement[];
  /** `<type>:<name>` as policies say it, for example `ca:example`, to DER certificates. */
  readonly stores: Readonly<Record<string, readonly Uint8Array[]>>;
  /** Statements of further policies, `trustpolicies/<name>.json`. */
  readonly policies?: Readonly<Record<string, readonly TrustStatement[]>>;
}

/** A statement that trusts everyone whom store `ca:example` vouches for, strictly, everywhere. */
export const statement = (options: Partial<TrustStatement> = {}): TrustStatement => ({
  name: "example",
  registryScopes: ["*"],
  signatureVerification: { level: "strict" },
  trustStores: ["ca:example"],
  trustedIdentities: ["*"],
  ...options,
});

/** Writes the content into a directory, which is made if it is not there. Synchronous. */
export function writeTrust(directory: string, content: TrustContent): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "trustpolicy.json"), documentOf(content.statements));
  for (const [name, statements] of Object.entries(content.policies ?? {})) {
    mkdirSync(join(directory, "trustpolicies"), { recursive: true });
    writeFileSync(join(directory, "trustpolicies", `${name}.json`), documentOf(statements));
  }
  for (const [store, certificates] of Object.entries(content.stores)) {
    const [type = "", name = ""] = store.split(":");
    const folder = join(directory, "truststore", "x509", type, name);
    mkdirSync(folder, { recursive: true });
    for (const [index, der] of certificates.entries()) {
      writeFileSync(join(folder, `${index}.pem`), pem(der));
    }
  }
}

const documentOf = (trustPolicies: readonly TrustStatement[]): string =>
  `${JSON.stringify({ version: "1.0", trustPolicies }, null, 2)}\n`;

/** PEM of a DER certificate. */
export function pem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
