import { createHash } from "node:crypto";
import QuickLRU from "quick-lru";
import { readCose } from "../evidence/envelope-cose.ts";
import { readJws } from "../evidence/envelope-jws.ts";
import { EnvelopeProblem } from "../evidence/envelope-parts.ts";
import type { Envelope } from "../evidence/evidence.ts";
import { isJob, parseProfileVersion } from "./arn.ts";

/** The one platform of AWS Signer that signs container images. */
export const PLATFORM = "Notation-OCI-SHA384-ECDSA";

/** Attributes of AWS Signer's signatures. */
export const PROFILE_VERSION = "com.amazonaws.signer.signingProfileVersion";
export const JOB = "com.amazonaws.signer.signingJob";
export const PROFILE_ALIAS = "com.amazonaws.signer.signingProfileAlias";

const AUTHENTIC_SIGNING_TIME = "io.cncf.notary.authenticSigningTime";

/** What AWS Signer is asked of one signature. Equal questions have equal keys. */
export interface SignerQuestion {
  readonly key: string;
  /** Of the signature's own profile; no other partition knows what was revoked. */
  readonly partition: string;
  readonly region: string;
  readonly profileVersionArn: string;
  readonly jobArn: string;
  /** Milliseconds since the epoch: the authentic signing time. */
  readonly signatureTimestamp: number;
  /** Leaf first; see {@link hashesOf}. */
  readonly certificateHashes: readonly string[];
}

/** What a question is made of, from an envelope or from Notation's request. */
export interface QuestionParts {
  readonly profileVersion: unknown;
  readonly job: unknown;
  /** Milliseconds since the epoch. */
  readonly signedAt: number | undefined;
  /** DER, leaf first. */
  readonly chain: readonly Uint8Array[];
}

/**
 * The question for a signature that says of itself that AWS Signer made it.
 * @returns undefined for one that AWS Signer did not make: attributes of another shape, or certificates that are none
 */
export function questionOf(parts: QuestionParts): SignerQuestion | undefined {
  const { profileVersion, job, signedAt, chain } = parts;
  if (typeof profileVersion !== "string" || typeof job !== "string") return undefined;
  const profile = parseProfileVersion(profileVersion);
  const certificateHashes = hashesOf(chain);
  if (profile === undefined || !isJob(job) || certificateHashes === undefined) return undefined;
  if (signedAt === undefined || Number.isNaN(signedAt)) return undefined;
  const { partition, region } = profile;
  const text = [profileVersion, job, signedAt, ...certificateHashes].join("\n");
  return {
    key: createHash("sha256").update(text).digest("base64url"),
    partition,
    region,
    profileVersionArn: profileVersion,
    jobArn: job,
    signatureTimestamp: signedAt,
    certificateHashes,
  };
}

/** The question for an envelope that passed vetting; nothing in it is believed yet. */
export function questionOfEnvelope({
  mediaType,
  bytes,
}: Pick<Envelope, "mediaType" | "bytes">): SignerQuestion | undefined {
  const parts = mediaType === "application/cose" ? readCose(bytes) : readJws(bytes);
  if (parts instanceof EnvelopeProblem) return undefined;
  const { attributes, chain, time } = parts;
  return questionOf({
    profileVersion: attributes.get(PROFILE_VERSION),
    job: attributes.get(JOB),
    signedAt: time(attributes.get(AUTHENTIC_SIGNING_TIME)),
    chain,
  });
}

/**
 * How AWS Signer names the certificates of a chain: the SHA-384 of what each one's issuer signed, and behind it that
 * of its issuer's, hexadecimal, 192 characters; the root with itself.
 * @returns undefined for a chain that is empty or not DER
 */
export function hashesOf(chain: readonly Uint8Array[]): readonly string[] | undefined {
  const name = createHash("sha256");
  for (const der of chain) name.update(`${der.length} `).update(der);
  const key = name.digest("base64");
  const known = chains.get(key);
  if (known !== undefined) return known;
  const digests: string[] = [];
  for (const der of chain) {
    const signed = signedPart(der);
    if (signed === undefined) return undefined;
    digests.push(createHash("sha384").update(signed).digest("hex"));
  }
  const hashes = digests.map((digest, index) => `${digest}${digests[index + 1] ?? digest}`);
  if (hashes.length === 0) return undefined;
  chains.set(key, hashes);
  return hashes;
}

// One chain signs many images, and thousands of questions that are held may share its hashes.
const chains = new QuickLRU<string, readonly string[]>({ maxSize: 256 });

const SEQUENCE = 0x30;

/** The TBSCertificate of a certificate, its identifier and length included. @see RFC 5280 4.1 */
function signedPart(der: Uint8Array): Uint8Array | undefined {
  const whole = headOf(der);
  if (whole === undefined || whole.end !== der.length) return undefined;
  const content = der.subarray(whole.start);
  const signed = headOf(content);
  return signed === undefined ? undefined : content.subarray(0, signed.end);
}

/** Where the content of the sequence at the beginning starts and ends; undefined if it is none, or is cut off. */
function headOf(bytes: Uint8Array): { readonly start: number; readonly end: number } | undefined {
  const [tag, first] = bytes;
  if (tag !== SEQUENCE || first === undefined) return undefined;
  if (first < 0x80) return bytes.length < 2 + first ? undefined : { start: 2, end: 2 + first };
  const octets = first - 0x80;
  if (octets === 0 || octets > 3 || bytes.length < 2 + octets) return undefined;
  let length = 0;
  for (const octet of bytes.subarray(2, 2 + octets)) length = length * 256 + octet;
  const end = 2 + octets + length;
  return end > bytes.length ? undefined : { start: 2 + octets, end };
}
