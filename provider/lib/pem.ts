import { X509Certificate } from "node:crypto";

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
