import { Buffer } from "node:buffer";

/** One value of DER: its identifier octet and its content. */
interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
}

// Identifier octets that occur on the way. @see ITU-T X.690 8.1.2
const BOOLEAN = 0x01;
const OBJECT_IDENTIFIER = 0x06;
const SEQUENCE = 0x30;
/** [3] EXPLICIT, the extensions of a certificate. */
const EXTENSIONS = 0xa3;

/**
 * Whether a certificate has the extension and marks it critical. Node tells extensions' values but not
 * whether they are critical.
 * @param certificate DER of which OpenSSL said that it is a certificate
 * @param oid content octets of the extension's object identifier
 * @returns false as well for bytes that are not such DER
 * @see RFC 5280 4.1, 4.2
 */
export function isCritical(certificate: Uint8Array, oid: Uint8Array): boolean {
  const [whole] = elements(certificate);
  const [signed] = contentOf(whole, SEQUENCE);
  const wrapped = contentOf(signed, SEQUENCE).find(({ tag }) => tag === EXTENSIONS);
  const [list] = contentOf(wrapped, EXTENSIONS);
  for (const extension of contentOf(list, SEQUENCE)) {
    const [name, critical] = contentOf(extension, SEQUENCE);
    if (name?.tag !== OBJECT_IDENTIFIER || Buffer.compare(name.content, oid) !== 0) continue;
    // DER leaves FALSE, the default, out, and TRUE is all ones.
    return critical?.tag === BOOLEAN && critical.content[0] === 0xff;
  }
  return false;
}

function contentOf(element: Element | undefined, tag: number): readonly Element[] {
  return element?.tag === tag ? elements(element.content) : [];
}

/** The values that stand one after the other; those up to the first that is cut off or too long. */
function elements(bytes: Uint8Array): readonly Element[] {
  const found: Element[] = [];
  let at = 0;
  while (at + 2 <= bytes.length) {
    const tag = bytes[at] ?? 0;
    const first = bytes[at + 1] ?? 0;
    at += 2;
    let length = first;
    if (first >= 0x80) {
      const octets = first - 0x80;
      if (octets === 0 || octets > 3) break;
      length = 0;
      for (const octet of bytes.subarray(at, at + octets)) length = length * 256 + octet;
      at += octets;
    }
    if (at + length > bytes.length) break;
    found.push({ tag, content: bytes.subarray(at, at + length) });
    at += length;
  }
  return found;
}
