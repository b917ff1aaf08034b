/**
 * Signature envelopes as Notation's signers make them, from a signing identity of `authority.ts`.
 *
 * - `jws(options)`, `cose(options)`: a good envelope, bytes
 * - `sealJws(parts)`, `sealCose(parts)`: signs whatever header and payload it is given, for broken ones
 * - `jwsHeader(options)`, `coseHeader(options)`, `payloadOf(options)`: the good parts, to be changed
 * - `awsSigner(options)`: options of `jws` that have the shape of AWS Signer's signatures
 *
 * @see Notary Project signature envelope specifications, JWS and COSE
 */
import { constants, sign } from "node:crypto";
import { encode, rfc8949EncodeOptions, Tagged } from "cborg";
import type { SigningIdentity } from "./authority.ts";

export const JWS = "application/jose+json";
export const COSE = "application/cose";
const CONTENT_TYPE = "application/vnd.cncf.notary.payload.v1+json";

/** Prefix of the Notary Project's own attributes. */
const NOTARY = "io.cncf.notary.";

type Scheme = "notary.x509" | "notary.x509.signingAuthority";

/** What an envelope is signed for. */
export interface SignedSubject {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export interface EnvelopeOptions {
  readonly signer: SigningIdentity;
  readonly subject: SignedSubject;
  /** Default `notary.x509`. */
  readonly scheme?: Scheme;
  /** Default a minute ago. */
  readonly signedAt?: Date;
  /** Default none. */
  readonly expiry?: Date;
  /** Name of the verification plugin that the envelope demands. Default none. */
  readonly plugin?: string;
  /** Default `1.0.0`, when there is a plugin. */
  readonly pluginMinVersion?: string;
  /** Extended attributes that a verifier must understand. */
  readonly critical?: Readonly<Record<string, unknown>>;
  /** Extended attributes that a verifier may ignore. */
  readonly optional?: Readonly<Record<string, unknown>>;
  /** User metadata of the payload. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** What is signed as it is, good or not. */
export interface JwsParts {
  readonly signer: SigningIdentity;
  readonly header: unknown;
  /** A string is taken as the payload's text. */
  readonly payload: unknown;
  /** Default the signer's. */
  readonly chain?: readonly Uint8Array[];
}

export interface CoseParts {
  readonly signer: SigningIdentity;
  readonly header: ReadonlyMap<unknown, unknown>;
  readonly payload: unknown;
  readonly chain?: readonly Uint8Array[];
}

/** A JWS envelope that Notation accepts. */
export function jws(options: EnvelopeOptions): Buffer {
  const { signer } = options;
  return sealJws({ signer, header: jwsHeader(options), payload: payloadOf(options) });
}

/** A COSE envelope that Notation accepts. */
export function cose(options: EnvelopeOptions): Buffer {
  const { signer } = options;
  return sealCose({ signer, header: coseHeader(options), payload: payloadOf(options) });
}

/** The payload: the subject, with the user metadata as its annotations. */
export function payloadOf({ subject, metadata }: EnvelopeOptions): Record<string, unknown> {
  const { mediaType, digest, size } = subject;
  const annotations = metadata === undefined ? {} : { annotations: metadata };
  return { targetArtifact: { mediaType, digest, size, ...annotations } };
}

/** The protected header of a JWS. */
export function jwsHeader(options: EnvelopeOptions): Record<string, unknown> {
  const attributes = attributesOf(options, (date) => date.toISOString().replace(/\.\d{3}Z$/, "Z"));
  return {
    alg: options.signer.algorithm,
    cty: CONTENT_TYPE,
    crit: attributes.crit,
    ...Object.fromEntries(attributes.members),
  };
}

/** The protected header of a COSE envelope; times are tag 1 over seconds. */
export function coseHeader(options: EnvelopeOptions): Map<unknown, unknown> {
  const attributes = attributesOf(options, epoch);
  return new Map<unknown, unknown>([
    [1, COSE_ALGORITHMS.get(options.signer.algorithm)],
    [2, attributes.crit],
    [3, CONTENT_TYPE],
    ...attributes.members,
  ]);
}

/**
 * Options with the shape of AWS Signer's signatures: a signing authority, its plugin, profile version
 * and job. The signer should be a P-384 identity.
 */
export function awsSigner({
  profileVersion,
  job,
  ...options
}: EnvelopeOptions & {
  readonly profileVersion: string;
  readonly job: string;
}): EnvelopeOptions {
  return {
    scheme: "notary.x509.signingAuthority",
    plugin: "com.amazonaws.signer.notation.plugin",
    ...options,
    critical: {
      "com.amazonaws.signer.signingProfileVersion": profileVersion,
      "com.amazonaws.signer.signingJob": job,
      ...options.critical,
    },
  };
}

/** Signs the header and the payload as they are. */
export function sealJws({ signer, header, payload, chain = signer.chain }: JwsParts): Buffer {
  const guarded = Buffer.from(JSON.stringify(header)).toString("base64url");
  const content = payloadBytes(payload).toString("base64url");
  const signature = signBytes(signer, Buffer.from(`${guarded}.${content}`)).toString("base64url");
  const x5c = chain.map((der) => Buffer.from(der).toString("base64"));
  const envelope = { payload: content, protected: guarded, header: { x5c }, signature };
  return Buffer.from(JSON.stringify(envelope));
}

/** Signs the header and the payload as they are: COSE_Sign1, tag 18. @see RFC 9052 4.2, 4.4 */
export function sealCose({ signer, header, payload, chain = signer.chain }: CoseParts): Buffer {
  const guarded = cbor(header);
  const content = payloadBytes(payload);
  const signed = cbor(["Signature1", guarded, new Uint8Array(), content]);
  const signature = signBytes(signer, signed);
  const unguarded = new Map([[33, chain.map((der) => new Uint8Array(der))]]);
  return Buffer.from(cbor(new Tagged(18, [guarded, unguarded, content, signature])));
}

/** @see RFC 9053 2.1, RFC 8230 2 */
const COSE_ALGORITHMS: ReadonlyMap<string, number> = new Map([
  ["ES256", -7],
  ["ES384", -35],
  ["ES512", -36],
  ["PS256", -37],
  ["PS384", -38],
  ["PS512", -39],
]);

/** The names that both kinds share, in the order in which Notation writes them. */
function attributesOf(options: EnvelopeOptions, time: (date: Date) => unknown) {
  const { scheme = "notary.x509", signedAt = new Date(Date.now() - 60_000), expiry } = options;
  const { plugin, pluginMinVersion = "1.0.0", critical = {}, optional = {} } = options;
  const authority = scheme === "notary.x509.signingAuthority";
  const when = `${NOTARY}${authority ? "authenticSigningTime" : "signingTime"}`;
  const extended: [string, unknown][] = Object.entries(critical);
  if (plugin !== undefined) {
    extended.unshift(
      [`${NOTARY}verificationPlugin`, plugin],
      [`${NOTARY}verificationPluginMinVersion`, pluginMinVersion],
    );
  }
  const crit = [`${NOTARY}signingScheme`];
  if (authority) crit.push(when);
  const members: [string, unknown][] = [
    [`${NOTARY}signingScheme`, scheme],
    [when, time(signedAt)],
  ];
  if (expiry !== undefined) {
    crit.push(`${NOTARY}expiry`);
    members.push([`${NOTARY}expiry`, time(expiry)]);
  }
  crit.push(...extended.map(([name]) => name));
  members.push(...extended, ...Object.entries(optional));
  return { crit, members };
}

const cbor = (value: unknown): Uint8Array => encode(value, rfc8949EncodeOptions);

const epoch = (date: Date): Tagged => new Tagged(1, Math.floor(date.getTime() / 1000));

const payloadBytes = (payload: unknown): Buffer =>
  Buffer.from(typeof payload === "string" ? payload : JSON.stringify(payload));

/** ECDSA as r and s side by side; PSS with a salt as long as the hash, which COSE wants exactly. */
function signBytes({ algorithm, privateKey }: SigningIdentity, bytes: Uint8Array): Buffer {
  const hash = `sha${algorithm.slice(2)}`;
  return algorithm.startsWith("PS")
    ? sign(hash, bytes, {
        key: privateKey,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
      })
    : sign(hash, bytes, { key: privateKey, dsaEncoding: "ieee-p1363" });
}
