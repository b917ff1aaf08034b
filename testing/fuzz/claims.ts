import assert from "node:assert/strict";
import type { Claims } from "../../provider/evidence/evidence.ts";
import { assertLine } from "./assertions.ts";

/** A signed attribute by its name, as another reader finds it. */
export type Attributes = (name: string) => unknown;

const NOTARY = "io.cncf.notary.";
const MEMBERS = new Set([
  "signer",
  "signedAt",
  "expiresAt",
  "certificatesUntil",
  "plugin",
  "metadata",
]);
const SECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** Words of both kinds of envelope. */
export const ENVELOPE_WORDS = [
  ...[
    "signingScheme",
    "signingTime",
    "authenticSigningTime",
    "expiry",
    "verificationPlugin",
    "verificationPluginMinVersion",
    "timestampSignature",
    "signingAgent",
  ].map((name) => NOTARY + name),
  "notary.x509",
  "notary.x509.signingAuthority",
  "com.amazonaws.signer.notation.plugin",
  "com.amazonaws.signer.signingProfileVersion",
  "com.amazonaws.signer.signingJob",
  "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/app/abcdefghij",
  "1.0.0",
  "application/vnd.cncf.notary.payload.v1+json",
  "targetArtifact",
  "mediaType",
  "digest",
  "size",
  "annotations",
] as const;

/**
 * Claims hold what another reader of the same envelope finds, are bounded, and have no members but those declared.
 * @returns what kind of claims they are
 */
export function assertClaims(claims: Claims, attributes: Attributes, annotations: unknown): string {
  const { signer, signedAt, expiresAt, certificatesUntil, plugin, metadata } = claims;
  assert.ok(Object.keys(claims).every((name) => MEMBERS.has(name)));
  assert.equal(attributes(`${NOTARY}signingScheme`), signer.scheme);
  assert.equal(attributes(`${NOTARY}verificationPlugin`), plugin);
  assert.match(signedAt ?? "", SECONDS);
  if (expiresAt !== undefined) {
    assert.match(expiresAt, SECONDS);
    assert.ok(expiresAt >= (signedAt ?? ""));
  }
  if (certificatesUntil !== undefined) {
    assert.equal(signer.scheme, "notary.x509");
    assert.match(certificatesUntil, SECONDS);
  }
  assert.equal(attributes(`${NOTARY}expiry`) !== undefined, expiresAt !== undefined);
  assertLine(signer.subject, 512);
  for (const [name, arn] of [
    ["signingProfileVersion", signer.identity],
    ["signingJob", signer.job],
  ] as const) {
    if (arn === undefined) continue;
    assertLine(arn, 600);
    assert.equal(attributes(`com.amazonaws.signer.${name}`), arn);
    assert.equal(plugin, "com.amazonaws.signer.notation.plugin");
  }
  if (metadata !== undefined) {
    assert.deepEqual(new Map(Object.entries(metadata)), new Map(Object.entries(annotations ?? {})));
    assert.equal(Object.getPrototypeOf(metadata), Object.prototype);
    assert.ok(Object.entries(metadata).length <= 64);
  }
  return `${signer.scheme} ${expiresAt !== undefined} ${plugin === undefined} ${signer.job !== undefined} ${metadata !== undefined}`;
}
