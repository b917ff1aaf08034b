import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { errorCode } from "./error-code.ts";

const BEGIN = "-----BEGIN CERTIFICATE-----";
const END = "-----END CERTIFICATE-----";

/**
 * Every certificate of a PEM text in its order, whatever stands between them; none when one of them is broken. Trust
 * stores are read by rules of their own (`trust/certificates.ts`), because Notation reads the same files.
 */
export function certificatesOf(pem: string): readonly X509Certificate[] {
  const found: X509Certificate[] = [];
  const parts = pem.split(BEGIN).slice(1);
  try {
    for (const part of parts) {
      const end = part.indexOf(END);
      if (end === -1) return [];
      found.push(new X509Certificate(`${BEGIN}${part.slice(0, end)}${END}\n`));
    }
  } catch {
    return [];
  }
  return found;
}

/**
 * The roots in a file that the configuration names, PEM. Text that holds none would be taken without a word, and every connection fail.
 * @param what the file is, for the sentence: `the ca of registry registry.example.com`
 * @throws with a sentence when the file cannot be read, or holds no certificate
 */
export function readCertificates(path: string, what: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const code = errorCode(error) ?? "unknown";
    throw new Error(`${what} cannot be read: ${path} (${code})`, { cause: error });
  }
  if (certificatesOf(text).length > 0) return text;
  throw new Error(`${what} holds no certificate, or one that is broken: ${path}`);
}
