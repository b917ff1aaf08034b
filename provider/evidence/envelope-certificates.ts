import { Buffer } from "node:buffer";
import { createHash, X509Certificate } from "node:crypto";
import QuickLRU from "quick-lru";
import { validityOf } from "../lib/validity.ts";
import { oneLine } from "../verdict/verdict.ts";
import { isCritical } from "./envelope-der.ts";
import { EnvelopeProblem } from "./envelope-parts.ts";

/** Bytes of a distinguished name that an answer carries. */
const SUBJECT_BYTES = 512;

const ANY_EXTENDED_KEY_USAGE = "2.5.29.37.0";
/** Encoded object identifier 2.5.29.19. */
const BASIC_CONSTRAINTS = Uint8Array.of(0x55, 0x1d, 0x13);

/** What is read of a chain. */
export interface Chain {
  /** The leaf's subject on one line. */
  readonly subject: string;
  /** When the first of its certificates ends, in milliseconds since the epoch. */
  readonly until: number;
}

/**
 * Enforces two rules of the specification that Notation does not, names the signer, and says how long all certificates are
 * valid. Issuers, signatures, key usages and path lengths are Notation's, and so is what is valid now.
 * @param chain DER, leaf first, at least one
 * @see Notary Project signature specification, "Certificate Requirements"
 */
export function readChain(chain: readonly Uint8Array[]): Chain | EnvelopeProblem {
  const hash = createHash("sha256");
  // No two chains may give the same bytes: every certificate has its length before it.
  for (const der of chain) hash.update(`${der.length} `).update(der);
  const name = hash.digest("base64");
  const known = chains.get(name);
  if (known !== undefined) return known;
  const result = examine(chain);
  chains.set(name, result);
  return result;
}

// What is found depends on the bytes alone, few chains sign many images, and OpenSSL takes a tenth of a millisecond a
// certificate. Bounded, because anybody may write chains.
const chains = new QuickLRU<string, Chain | EnvelopeProblem>({ maxSize: 256 });

function examine(chain: readonly Uint8Array[]): Chain | EnvelopeProblem {
  const certificates = chain.map(parse);
  const [leaf, ...authorities] = certificates;
  if (leaf === undefined || authorities.includes(undefined)) {
    return new EnvelopeProblem("a certificate of the chain cannot be read");
  }
  // Node's types do not say so, but a certificate with an empty subject has none.
  const subject: string | undefined = leaf.subject;
  if (subject === undefined) return new EnvelopeProblem("the signing certificate has no subject");
  // Node's `keyUsage` is the extended key usage; it is absent where the extension is.
  const usages: readonly string[] | undefined = leaf.keyUsage;
  if (usages?.includes(ANY_EXTENDED_KEY_USAGE)) {
    return new EnvelopeProblem("the signing certificate allows any extended key usage");
  }
  for (const authority of chain.slice(1)) {
    if (!isCritical(authority, BASIC_CONSTRAINTS)) {
      return new EnvelopeProblem("an issuer in the chain has no critical basic constraints");
    }
  }
  const until = Math.min(...certificates.map((each) => (each && validityOf(each)?.ends) ?? NaN));
  if (Number.isNaN(until)) return new EnvelopeProblem("a certificate does not say when it ends");
  return { subject: subjectLine(subject), until };
}

/** A certificate in DER and nothing else: OpenSSL would take PEM and trailing bytes as well, Go does not. */
function parse(der: Uint8Array): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(der);
    return Buffer.compare(certificate.raw, der) === 0 ? certificate : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A distinguished name on one line, the last part first, as RFC 4514 and Go write it:
 * `CN=release,O=Example,ST=WA,C=US`. Values are escaped as in RFC 2253, so no value can pretend to be
 * another part. Node gives a line per part, in the certificate's order.
 */
function subjectLine(subject: string): string {
  return oneLine(subject.split("\n").toReversed().join(","), SUBJECT_BYTES);
}
