import { createPrivateKey, X509Certificate } from "node:crypto";
import { errorCode } from "../lib/error-code.ts";
import { validityOf } from "../lib/validity.ts";
import type { StoreType } from "./policy-trusted.ts";

/** What a file of a trust store holds: certificates as DER, or why it holds none. Never both. */
export type FileContent =
  | { readonly kind: "certificates"; readonly certificates: readonly Uint8Array[] }
  | { readonly kind: "flaw"; readonly flaw: string };

const flawed = (flaw: string): FileContent => ({ kind: "flaw", flaw });

const PRIVATE_KEY =
  "holds a PRIVATE KEY, which everyone who can read the trust store now has: take it out, and replace the key";

const KEY = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----/;
const BEGIN = /^-----BEGIN ([A-Z0-9 ]{1,60})-----$/;
const BASE64 = /^[A-Za-z0-9+/]{1,1024}={0,2}$/;

/**
 * Takes the certificates out of a file: PEM, several per file, or DER, whatever the file is called.
 * Nothing else may stand in it: Notation would skip text between certificates, and with it the rest of a
 * certificate that was cut off.
 */
export function readCertificates(bytes: Uint8Array): FileContent {
  if (bytes.length === 0) return flawed("is empty");
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  if (KEY.test(text)) return flawed(PRIVATE_KEY);
  const parts = text.includes("-----BEGIN ") ? splitPem(text) : splitDer(bytes);
  if (typeof parts === "string") return flawed(parts);
  for (const [index, part] of parts.entries()) {
    if (isPrivateKey(part)) return flawed(PRIVATE_KEY);
    if (!isCertificate(part)) return flawed(`certificate ${index + 1} is not an X.509 certificate`);
  }
  return { kind: "certificates", certificates: parts };
}

/** DER of PKCS #8 or of the older forms, with a passphrase or without. */
function isPrivateKey(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0x30) return false;
  const key = Buffer.from(bytes);
  return (["pkcs8", "pkcs1", "sec1"] as const).some((type) => {
    try {
      createPrivateKey({ key, format: "der", type });
      return true;
    } catch (error) {
      return errorCode(error) === "ERR_MISSING_PASSPHRASE";
    }
  });
}

/** The blocks of RFC 7468, or why the text is not made of certificates alone. */
function splitPem(text: string): Uint8Array[] | string {
  const blocks: Uint8Array[] = [];
  let body: string[] | undefined;
  for (const [index, untrimmed] of text.split("\n").entries()) {
    const line = untrimmed.trim();
    if (body === undefined) {
      if (line === "") continue;
      const label = BEGIN.exec(line)?.[1];
      if (label === undefined) return `has text that is no certificate on line ${index + 1}`;
      if (label !== "CERTIFICATE")
        return `holds a ${label}, not a certificate, on line ${index + 1}`;
      body = [];
    } else if (line === "-----END CERTIFICATE-----") {
      blocks.push(Buffer.from(body.join(""), "base64"));
      body = undefined;
    } else if (BASE64.test(line)) body.push(line);
    else return `has a certificate that is not Base64 on line ${index + 1}`;
  }
  return body === undefined ? blocks : "ends in the middle of a certificate";
}

/** The DER values that stand one behind another, or why there are none. */
function splitDer(bytes: Uint8Array): Uint8Array[] | string {
  const parts: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    const length = lengthOfSequence(bytes, at);
    if (length === undefined) return "is neither PEM nor DER";
    if (at + length > bytes.length) return "ends in the middle of a certificate";
    parts.push(bytes.subarray(at, at + length));
    at += length;
  }
  return parts;
}

/** Bytes of a DER sequence with its header; undefined when there is none. @see X.690 8.1.3, 10.1 */
function lengthOfSequence(bytes: Uint8Array, at: number): number | undefined {
  const first = bytes[at + 1];
  if (bytes[at] !== 0x30 || first === undefined) return undefined;
  if (first < 0x80) return 2 + first;
  const size = first - 0x80;
  if (size < 1 || size > 4) return undefined;
  let length = 0;
  for (let index = 0; index < size; index += 1)
    length = length * 256 + (bytes[at + 2 + index] ?? 0);
  return 2 + size + length;
}

/** Whether these bytes are one certificate and nothing else, in the only encoding that DER allows. */
function isCertificate(der: Uint8Array): boolean {
  try {
    return new X509Certificate(der).raw.equals(der);
  } catch {
    return false;
  }
}

/** A flaw of one certificate. */
export interface CertificateProblem {
  readonly severity: "error" | "warning";
  readonly message: string;
}

/**
 * What is wrong with a certificate in a store of this type.
 * @param today for the warnings about its validity
 * @see Notary Project trust store specification; notation-go `verifier/truststore`: a certificate is a CA or
 *   verifies its own signature, and in `tsa` it is a root
 */
export function lintCertificate(
  der: Uint8Array,
  type: StoreType,
  today: Date,
): readonly CertificateProblem[] {
  const certificate = new X509Certificate(der);
  const flaw = flawOf(certificate, type);
  if (flaw !== undefined) return [{ severity: "error", message: flaw }];
  const validity = validityOf(certificate);
  // Go refuses it, and with it the whole store.
  if (validity === undefined) {
    return [{ severity: "error", message: "does not say from when to when it is valid" }];
  }
  const { begins, ends } = validity;
  const now = today.getTime();
  if (ends < now) return [{ severity: "warning", message: `has expired on ${day(ends)}` }];
  if (begins > now) return [{ severity: "warning", message: `is not valid before ${day(begins)}` }];
  return [];
}

const day = (time: number): string => new Date(time).toISOString().slice(0, 10);

function flawOf(certificate: X509Certificate, type: StoreType): string | undefined {
  // Go refuses such a certificate, and with it the whole store. RFC 5280 4.1.2.2
  if (certificate.serialNumber.startsWith("-")) return "has a negative serial number";
  if (type === "tsa") {
    const isRoot = certificate.ca && certificate.checkIssued(certificate);
    return isRoot && isSelfSigned(certificate) ? undefined : "is not a root, as a tsa store needs";
  }
  return certificate.ca || isSelfSigned(certificate)
    ? undefined
    : "is neither a CA nor self-signed";
}

function isSelfSigned(certificate: X509Certificate): boolean {
  try {
    return certificate.verify(certificate.publicKey);
  } catch {
    return false; // A key of an unknown kind.
  }
}

/** Whether the certificate is one of AWS Signer, who signs for every AWS account. */
export const isOfAwsSigner = (der: Uint8Array): boolean =>
  /^CN=AWS Signer /m.test(new X509Certificate(der).subject);
