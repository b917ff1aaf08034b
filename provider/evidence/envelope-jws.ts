import { Buffer } from "node:buffer";
import {
  EnvelopeProblem,
  type EnvelopeParts,
  jsonMembers,
  MAX_CERTIFICATES,
  membersOf,
} from "./envelope-parts.ts";

const ENVELOPE = ["payload", "protected", "header", "signature"];
const UNPROTECTED = [
  "x5c",
  "io.cncf.notary.timestampSignature",
  "io.cncf.notary.signingAgent",
] as const;
const PROTECTED = [
  "alg",
  "cty",
  "crit",
  "io.cncf.notary.signingScheme",
  "io.cncf.notary.signingTime",
  "io.cncf.notary.authenticSigningTime",
  "io.cncf.notary.expiry",
  "io.cncf.notary.verificationPlugin",
  "io.cncf.notary.verificationPluginMinVersion",
];
const ALGORITHMS = new Set(["PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]);

/**
 * Reads a JWS in the flattened JSON form. Text that Go's reader and ours could take for different things
 * is refused: members that occur twice or in another spelling, base64 that is not canonical.
 * @see Notary Project signature envelope JWS; RFC 7515 7.2.2
 */
export function readJws(bytes: Uint8Array): EnvelopeParts | EnvelopeProblem {
  const envelope = jsonMembers(bytes, "the envelope", ENVELOPE);
  if (envelope instanceof EnvelopeProblem) return envelope;
  // A JWS of the general form has `signatures`, and one of both forms has two meanings.
  if (envelope.size !== ENVELOPE.length) {
    return new EnvelopeProblem(`the envelope has not exactly the members ${ENVELOPE.join(", ")}`);
  }
  const chain = readUnprotected(envelope.get("header"));
  if (chain instanceof EnvelopeProblem) return chain;
  const [payload, header, signature] = ["payload", "protected", "signature"].map((name) =>
    fromBase64(envelope.get(name), "base64url"),
  );
  if (payload === undefined) return new EnvelopeProblem("the payload is not base64url");
  if (header === undefined) return new EnvelopeProblem("the protected header is not base64url");
  if (signature === undefined) return new EnvelopeProblem("the signature is not base64url");
  const attributes = jsonMembers(header, "the protected header", PROTECTED);
  if (attributes instanceof EnvelopeProblem) return attributes;
  const algorithm = attributes.get("alg");
  if (typeof algorithm !== "string" || !ALGORITHMS.has(algorithm)) {
    return new EnvelopeProblem("the algorithm is not one that Notation signs with");
  }
  const system = new Set(["alg", "cty", "crit"]);
  return {
    contentType: attributes.get("cty"),
    critical: attributes.get("crit"),
    attributes: new Map([...attributes].filter(([name]) => !system.has(name))),
    payload,
    chain,
    time: rfc3339,
  };
}

/** Checks what nobody signed, and returns the certificate chain. */
function readUnprotected(value: unknown): readonly Uint8Array[] | EnvelopeProblem {
  const header = membersOf(value, "the unprotected header", UNPROTECTED);
  if (header instanceof EnvelopeProblem) return header;
  const [chainName, timestampName, agentName] = UNPROTECTED;
  const agent = header.get(agentName);
  if (agent !== undefined && typeof agent !== "string") {
    return new EnvelopeProblem("the signing agent is not text");
  }
  const token = header.get(timestampName);
  if (token !== undefined && fromBase64(token, "base64") === undefined) {
    return new EnvelopeProblem("the timestamp is not base64");
  }
  const texts = header.get(chainName);
  if (!Array.isArray(texts) || texts.length === 0) {
    return new EnvelopeProblem("there is no certificate chain");
  }
  if (texts.length > MAX_CERTIFICATES) {
    return new EnvelopeProblem(`the chain has more than ${MAX_CERTIFICATES} certificates`);
  }
  const chain: Uint8Array[] = [];
  for (const text of texts) {
    const certificate = fromBase64(text, "base64");
    if (certificate === undefined) return new EnvelopeProblem("a certificate is not base64");
    chain.push(certificate);
  }
  return chain;
}

/** The bytes, if the text is the one text for them: right alphabet, right padding, no loose bits. Not empty. */
function fromBase64(text: unknown, kind: "base64" | "base64url"): Uint8Array | undefined {
  if (typeof text !== "string" || text === "") return undefined;
  const bytes = Buffer.from(text, kind);
  return bytes.toString(kind) === text ? bytes : undefined;
}

const RFC3339 =
  /^(\d{4})-(\d\d)-(\d\d)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** @see RFC 3339 5.6; without leap seconds, which Go refuses as well */
function rfc3339(value: unknown): number | undefined {
  if (typeof value !== "string" || value.length > "2026-01-01T00:00:00.123456789+00:00".length) {
    return undefined;
  }
  const match = RFC3339.exec(value);
  if (match === null) return undefined;
  const [year, month, day] = match.slice(1, 4).map(Number);
  if (year === undefined || month === undefined || day === undefined) return undefined;
  // Day 0 of the next month is the last of this one; Date.parse would carry 30 February into March.
  const last = new Date(Date.UTC(year, month, 0)).getUTCDate();
  if (month < 1 || month > 12 || day < 1 || day > last) return undefined;
  return Date.parse(value);
}
