/** Characters that a trusted identity may have. */
const MAX_LENGTH = 4096;

const DESCRIPTOR = /^[A-Za-z][A-Za-z0-9-]*$/;
const OID = /^[0-9]+(?:\.[0-9]+)+$/;
const HEX = /^[0-9a-fA-F]{2}$/;
// eslint-disable-next-line no-control-regex -- these are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/;

// RFC 4514 2.4: these stand in a value only behind a backslash. The separators "," and "+" are read before.
const SPECIAL = new Set(['"', ";", "<", ">"]);
const ESCAPABLE = new Set([" ", '"', "#", "+", ",", ";", "<", "=", ">", "\\"]);

/** Attribute types by which Go names a certificate's subject; with any other Notation cannot match one. */
const KNOWN_TYPES: ReadonlySet<string> = new Set([
  "C",
  "O",
  "OU",
  "CN",
  "SERIALNUMBER",
  "L",
  "ST",
  "STREET",
  "POSTALCODE",
]);

/** Attributes without which a subject would be too wide. */
const MANDATORY = ["C", "ST", "O"];

/** A subject to trust: attribute type, `S` as `ST`, to value. A leaf matches when it has all of them. */
export interface Subject {
  readonly attributes: ReadonlyMap<string, string>;
  /** Types that Notation can find in no certificate. */
  readonly unmatchable: readonly string[];
}

/** Why a text is no identity. */
export interface IdentityFlaw {
  readonly flaw: string;
}

/**
 * Reads the distinguished name behind `x509.subject:`. Linear in its length.
 * @see RFC 4514 3; Notary Project trust policy specification, "Trusted Identities Constraints"
 * @see CVE-2023-25656 for `=#`
 */
export function parseSubject(text: string): Subject | IdentityFlaw {
  if (text.length > MAX_LENGTH) return { flaw: `is longer than ${MAX_LENGTH} characters` };
  if (CONTROL.test(text)) return { flaw: "has a control character" };
  if (text.includes("=#")) return { flaw: 'has "=#", an encoded value, which is not supported' };
  const attributes = new Map<string, string>();
  let start = 0;
  while (start <= text.length) {
    const end = separatorFrom(text, start);
    if (text[end] === "+") return { flaw: "joins attributes with +, which is not supported" };
    const attribute = parseAttribute(text.slice(start, end));
    if ("flaw" in attribute) return attribute;
    const { type, value } = attribute;
    if (attributes.has(type)) return { flaw: `has ${type} twice` };
    attributes.set(type, value);
    start = end + 1;
  }
  const missing = MANDATORY.filter((type) => !attributes.has(type));
  if (missing.length > 0) {
    return { flaw: `has no ${missing.join(", no ")}: C, ST (or S) and O are needed at least` };
  }
  return { attributes, unmatchable: [...attributes.keys()].filter((t) => !KNOWN_TYPES.has(t)) };
}

/** Index of the next unescaped separator, or the length. */
function separatorFrom(text: string, start: number): number {
  for (let at = start; at < text.length; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === "," || text[at] === "+") return at;
  }
  return text.length;
}

function parseAttribute(text: string): { type: string; value: string } | IdentityFlaw {
  const equals = text.indexOf("=");
  if (equals === -1) return { flaw: "is not a list of TYPE=value" };
  const written = text.slice(0, equals).trim();
  if (!DESCRIPTOR.test(written) && !OID.test(written)) {
    return { flaw: "has an attribute type that is neither a name nor an object identifier" };
  }
  const type = written === "S" ? "ST" : written;
  const value = parseValue(text.slice(equals + 1));
  if (typeof value !== "string") return value;
  if (value === "") return { flaw: `has an empty ${type}` };
  return { type, value };
}

/** Spaces around a value do not count, unless they are escaped. */
function parseValue(text: string): string | IdentityFlaw {
  const bytes: Buffer[] = [];
  let kept = 0; // how many parts there are without the unescaped spaces at the end
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? "";
    if (character === "\\") {
      const next = text[at + 1] ?? "";
      const pair = text.slice(at + 1, at + 3);
      if (ESCAPABLE.has(next)) {
        bytes.push(Buffer.from(next));
        at += 1;
      } else if (HEX.test(pair)) {
        bytes.push(Buffer.from(pair, "hex"));
        at += 2;
      } else return { flaw: "has a backslash that escapes nothing" };
      kept = bytes.length;
    } else if (SPECIAL.has(character) || (character === "#" && bytes.length === 0)) {
      return { flaw: `has ${character} without a backslash before it` };
    } else if (character !== " ") {
      // A surrogate pair must stay together to become UTF-8.
      const whole = String.fromCodePoint(text.codePointAt(at) ?? 0);
      bytes.push(Buffer.from(whole));
      at += whole.length - 1;
      kept = bytes.length;
    } else if (bytes.length > 0) bytes.push(Buffer.from(" "));
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(bytes.slice(0, kept)));
  } catch {
    return { flaw: "has escaped bytes that are not UTF-8" };
  }
}

/** Whether every attribute of `wide` is in `narrow` with the same value: then `narrow` says nothing more. */
export function isSubset(wide: Subject, narrow: Subject): boolean {
  for (const [type, value] of wide.attributes) {
    if (narrow.attributes.get(type) !== value) return false;
  }
  return true;
}

/** Why a text is no identity at all, whatever its prefix; undefined when it may be one. */
export function flawOfIdentity(text: string): string | undefined {
  if (text === "") return "is empty";
  if (text.length > MAX_LENGTH) return `is longer than ${MAX_LENGTH} characters`;
  if (CONTROL.test(text)) return "has a control character";
  if (!text.isWellFormed()) return "has half a character";
  const colon = text.indexOf(":");
  if (colon === -1) return 'has no prefix: write "x509.subject: …" or an ARN';
  if (text.slice(colon + 1).trim() === "") return "has nothing after its prefix";
  const prefix = text.slice(0, colon);
  if (/^\s*x509/i.test(prefix) && prefix !== "x509.subject") {
    return 'has a prefix that Notation does not know: write "x509.subject: …"';
  }
  return undefined;
}

/** Whether an identity is meant for AWS Signer's verification plugin. */
export const isSignerArn = (identity: string): boolean =>
  /^arn:aws[a-z-]{0,40}:signer:/.test(identity);

/** Why AWS Signer can have nothing of this ARN, as far as that is sure; undefined when it may. */
export function whyArnUnmatchable(arn: string): string | undefined {
  if (/[*?]/.test(arn)) return "matches nothing: ARNs are compared whole, without patterns";
  if (arn.includes(":/signing-profile/")) {
    return 'matches nothing: an ARN of AWS Signer has "/signing-profiles/"';
  }
  return undefined;
}
