import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { certificatesOf } from "../../../provider/lib/pem.ts";
import { lintCertificate, readCertificates } from "../../../provider/trust/certificates.ts";
import { STORE_TYPES } from "../../../provider/trust/policy-trusted.ts";
import { assertLine } from "../assertions.ts";
import type { Target } from "../target.ts";

const TODAY = new Date("2026-11-21T00:00:00Z");

const pemOf = (der: Uint8Array): string => {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
};

/**
 * Files of trust stores and of client CAs. What comes out is certificates byte for byte, which are read as the same when they are
 * written out anew, as PEM and as DER; a private key is never taken for one; a flaw is told in one line.
 */
export const target: Target = {
  name: "pem",
  title: "certificates of a file come out byte for byte, and a private key is never taken for one",
  maxBytes: 262_144,
  words: [
    "-----BEGIN CERTIFICATE-----\n",
    "-----END CERTIFICATE-----\n",
    "-----BEGIN PRIVATE KEY-----\n",
    "-----END PRIVATE KEY-----\n",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
    "-----BEGIN TRUSTED CERTIFICATE-----\n",
    "-----BEGIN PUBLIC KEY-----\n",
    "-----BEGIN ",
    "-----",
    "MII",
    "=",
    "\r\n",
    "\n",
    "# comment\n",
    "0\u0082",
  ],
  check(input) {
    const text = Buffer.from(input).toString("latin1");
    for (const certificate of certificatesOf(text)) assert.ok(certificate.raw.length > 0);

    const content = readCertificates(input);
    if (content.kind === "flaw") {
      assertLine(content.flaw);
      return content.flaw.replaceAll(/[0-9]+|holds a .*,/g, "…").slice(0, 60);
    }
    const { certificates } = content;
    assert.doesNotMatch(text, /PRIVATE KEY-----/);
    for (const der of certificates) {
      assert.ok(new X509Certificate(der).raw.equals(der));
      for (const type of STORE_TYPES) {
        for (const { message } of lintCertificate(der, type, TODAY)) assertLine(message);
      }
    }
    assert.deepEqual(
      readCertificates(Buffer.from(certificates.map(pemOf).join(""))).kind,
      content.kind,
    );
    if (certificates.length > 0) {
      const again = readCertificates(Buffer.concat(certificates));
      assert.ok(again.kind === "certificates");
      assert.deepEqual(again.certificates.map(hex), certificates.map(hex));
    }
    return `${Math.min(certificates.length, 4)} certificates`;
  },
};

const hex = (der: Uint8Array): string => Buffer.from(der).toString("hex");
