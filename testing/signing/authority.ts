/**
 * Certificate authorities whose signing certificates Notation accepts, made in memory.
 *
 * - `createAuthority(options)`: a root, with an intermediate if asked, that issues signing certificates
 * - `authority.issue(options)`: a {@link SigningIdentity}: chain, private key and JWS algorithm
 * - `authority.revocationList(options)`: a CRL of the issuing certificate, DER
 *
 * Options make certificates that break one rule at a time; without them everything is as the Notary
 * Project's signature specification wants it ("Certificate requirements").
 */
import "reflect-metadata"; // @peculiar/x509 resolves its own parts through it and must come second.
import { KeyObject, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

x509.cryptoProvider.set(webcrypto);

/** Keys that Notation takes, and `RSA-1024`, which it refuses. */
type KeyType = "P-256" | "P-384" | "P-521" | "RSA-1024" | "RSA-2048" | "RSA-3072" | "RSA-4096";

/** The JWS algorithm that a key implies. @see Notary Project signature specification, "Algorithm Selection" */
const ALGORITHMS = {
  "P-256": "ES256",
  "P-384": "ES384",
  "P-521": "ES512",
  "RSA-1024": "PS256",
  "RSA-2048": "PS256",
  "RSA-3072": "PS384",
  "RSA-4096": "PS512",
} as const satisfies Record<KeyType, string>;

type Algorithm = (typeof ALGORITHMS)[KeyType];

/** What signs envelopes. */
export interface SigningIdentity {
  /** DER, leaf first, root last. */
  readonly chain: readonly Buffer[];
  readonly privateKey: KeyObject;
  readonly algorithm: Algorithm;
  /** Serial number of the leaf, hexadecimal: what a revocation list names. */
  readonly serial: string;
}

export interface AuthorityOptions {
  /** Common name of the root; the intermediate's is this and ` intermediate`. */
  readonly name: string;
  /** Of every key of this authority. Default `P-256`, the quickest to make. */
  readonly keyType?: KeyType;
  /** Default false: the root issues leaves. */
  readonly intermediate?: boolean;
  /** Default `Example`. */
  readonly organization?: string;
  /** Default a day ago. */
  readonly notBefore?: Date;
  /** Default in ten years. */
  readonly notAfter?: Date;
  /** Default true; Notary Project wants it so. */
  readonly criticalBasicConstraints?: boolean;
}

export interface LeafOptions {
  readonly commonName: string;
  /** Whether the subject is empty, which X.509 allows. Default false. */
  readonly isNameless?: boolean;
  /** Default `Example`. */
  readonly organization?: string;
  /** Default `US`. */
  readonly country?: string;
  /** Default `WA`. */
  readonly state?: string;
  /** Default none. Notation's identities cannot name a subject with two. */
  readonly organizationalUnits?: readonly string[];
  /** Default the authority's. */
  readonly keyType?: KeyType;
  /** Default an hour ago. */
  readonly notBefore?: Date;
  /** Default in a year. */
  readonly notAfter?: Date;
  /** Default digitalSignature. */
  readonly keyUsage?: x509.KeyUsageFlags;
  /** Default true. */
  readonly criticalKeyUsage?: boolean;
  /** Object identifiers. Default codeSigning; an empty list leaves the extension out. */
  readonly extendedKeyUsage?: readonly string[];
  /** Where the revocation list is served, over plain HTTP as Notation asks. */
  readonly crlUrl?: string;
  /** Where an OCSP responder is said to be, over plain HTTP. */
  readonly ocspUrl?: string;
  /** Makes the leaf a CA, which Notation refuses. */
  readonly ca?: boolean;
}

interface RevocationListOptions {
  /** Serial numbers of leaves, hexadecimal. */
  readonly revoked: readonly string[];
  /** Default an hour ago. */
  readonly thisUpdate?: Date;
  /** Default in a day. */
  readonly nextUpdate?: Date;
}

export interface Authority {
  /** The root certificate, DER: what a trust store holds. */
  readonly root: Buffer;
  /** Issuing certificate first, root last, DER. */
  readonly certificates: readonly Buffer[];
  /** What signs leaves, and what is said of them. */
  readonly issuing: SigningIdentity;
  issue(options: LeafOptions): Promise<SigningIdentity>;
  /** DER, signed by the issuing certificate. */
  revocationList(options: RevocationListOptions): Promise<Buffer>;
}

/** Object identifiers of extended key usages. */
export const EXTENDED_KEY_USAGE = {
  any: "2.5.29.37.0",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  codeSigning: "1.3.6.1.5.5.7.3.3",
  timeStamping: "1.3.6.1.5.5.7.3.8",
  ocspSigning: "1.3.6.1.5.5.7.3.9",
} as const;

export const { KeyUsageFlags } = x509;

/** Makes an authority. Nothing is written anywhere; keys live as long as the value. */
export async function createAuthority(options: AuthorityOptions): Promise<Authority> {
  const keyType = options.keyType ?? "P-256";
  const critical = options.criticalBasicConstraints ?? true;
  const rootKeys = await generate(keyType);
  const name = (suffix: string) =>
    subjectOf({
      commonName: `${options.name}${suffix}`,
      organization: options.organization ?? "Example",
    });
  const validity = {
    notBefore: options.notBefore ?? from(-DAY),
    notAfter: options.notAfter ?? from(10 * YEAR),
  };
  const caExtensions = (pathLength: number) => [
    new x509.BasicConstraintsExtension(true, pathLength, critical),
    new x509.KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
  ];
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: name(""),
    keys: rootKeys,
    signingAlgorithm: signing(keyType),
    ...validity,
    extensions: caExtensions(options.intermediate ? 1 : 0),
  });
  let issuer = { certificate: root, keys: rootKeys };
  if (options.intermediate) {
    const keys = await generate(keyType);
    const certificate = await x509.X509CertificateGenerator.create({
      subject: name(" intermediate"),
      issuer: root.subjectName,
      publicKey: keys.publicKey,
      signingKey: rootKeys.privateKey,
      signingAlgorithm: signing(keyType),
      ...validity,
      extensions: caExtensions(0),
    });
    issuer = { certificate, keys };
  }
  const certificates = options.intermediate ? [issuer.certificate, root] : [root];
  return {
    root: der(root),
    certificates: certificates.map(der),
    issuing: {
      chain: certificates.map(der),
      privateKey: KeyObject.from(issuer.keys.privateKey),
      algorithm: ALGORITHMS[keyType],
      serial: issuer.certificate.serialNumber,
    },
    issue: async (leaf) => {
      const type = leaf.keyType ?? keyType;
      const keys = await generate(type);
      const certificate = await x509.X509CertificateGenerator.create({
        subject: subjectOf(leaf),
        issuer: issuer.certificate.subjectName,
        publicKey: keys.publicKey,
        signingKey: issuer.keys.privateKey,
        signingAlgorithm: signing(keyType),
        notBefore: leaf.notBefore ?? from(-HOUR),
        notAfter: leaf.notAfter ?? from(YEAR),
        extensions: leafExtensions(leaf),
      });
      return {
        chain: [certificate, ...certificates].map(der),
        privateKey: KeyObject.from(keys.privateKey),
        algorithm: ALGORITHMS[type],
        serial: certificate.serialNumber,
      };
    },
    revocationList: async ({ revoked, thisUpdate, nextUpdate }) => {
      const list = await x509.X509CrlGenerator.create({
        issuer: issuer.certificate.subjectName,
        thisUpdate: thisUpdate ?? from(-HOUR),
        nextUpdate: nextUpdate ?? from(DAY),
        signingKey: issuer.keys.privateKey,
        signingAlgorithm: signing(keyType),
        entries: revoked.map((serialNumber) => ({
          serialNumber,
          revocationDate: from(-HOUR),
          reason: x509.X509CrlReason.keyCompromise,
        })),
        extensions: [
          // 2.5.29.20, the number of this list, which RFC 5280 5.2.3 requires: INTEGER 1.
          new x509.Extension("2.5.29.20", false, Uint8Array.of(2, 1, 1)),
          await x509.AuthorityKeyIdentifierExtension.create(issuer.certificate.publicKey),
        ],
      });
      return Buffer.from(list.rawData);
    },
  };
}

// Milliseconds.
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;
const from = (ms: number): Date => new Date(Date.now() + ms);

const der = (certificate: x509.X509Certificate): Buffer => Buffer.from(certificate.rawData);

/** In the order in which certificates have them: the country first. Values may hold any character. */
function subjectOf(leaf: LeafOptions): x509.JsonName {
  if (leaf.isNameless) return [];
  const { commonName, organization = "Example", state = "WA", country = "US" } = leaf;
  const units = leaf.organizationalUnits ?? [];
  return [
    { C: [country] },
    { ST: [state] },
    { O: [organization] },
    ...units.map((unit) => ({ OU: [unit] })),
    { CN: [commonName] },
  ];
}

function leafExtensions(leaf: LeafOptions): x509.Extension[] {
  const usages = leaf.extendedKeyUsage ?? [EXTENDED_KEY_USAGE.codeSigning];
  return [
    new x509.KeyUsagesExtension(
      leaf.keyUsage ?? KeyUsageFlags.digitalSignature,
      leaf.criticalKeyUsage ?? true,
    ),
    ...(usages.length > 0 ? [new x509.ExtendedKeyUsageExtension([...usages])] : []),
    ...(leaf.ocspUrl === undefined
      ? []
      : [new x509.AuthorityInfoAccessExtension({ ocsp: [leaf.ocspUrl] })]),
    ...(leaf.crlUrl === undefined ? [] : [new x509.CRLDistributionPointsExtension([leaf.crlUrl])]),
    ...(leaf.ca ? [new x509.BasicConstraintsExtension(true, 0, true)] : []),
  ];
}

/** How a key of this type signs certificates: SHA-256, or the hash of the curve's size. */
function signing(keyType: KeyType) {
  return keyType.startsWith("P-")
    ? { name: "ECDSA", hash: ALGORITHMS[keyType].replace("ES", "SHA-") }
    : { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
}

async function generate(keyType: KeyType): Promise<webcrypto.CryptoKeyPair> {
  const algorithm = keyType.startsWith("P-")
    ? { name: "ECDSA", namedCurve: keyType }
    : {
        ...signing(keyType),
        modulusLength: Number(keyType.slice("RSA-".length)),
        publicExponent: Uint8Array.of(1, 0, 1),
      };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  if (!("privateKey" in keys)) throw new TypeError(`${keyType} has no key pair`);
  return keys;
}
