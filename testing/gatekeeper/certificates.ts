import "reflect-metadata";
import type { webcrypto } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
  type X509Certificate,
} from "@peculiar/x509";

/** A certificate and its private key (PKCS #8), as PEM. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** What a leaf of an {@link Authority} says; by default valid from an hour ago until tomorrow. */
export interface LeafOptions {
  /** Common name. */
  readonly name: string;
  /** DNS names; the common name unless given. With none here and no `ip` there is no list of names. */
  readonly dns?: readonly string[];
  readonly ip?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

/** A certificate authority that signs leaves on demand. */
export interface Authority {
  /** The authority's own certificate, PEM. */
  readonly ca: string;
  issue(options: LeafOptions): Promise<Pair>;
}

/** Everything that a provider and its callers need to speak mutual TLS. */
export interface Authorities {
  /** PEM of the CA that signed the provider's serving certificate: what a Provider object has as `caBundle`. */
  readonly ca: string;
  /** P-256, for 127.0.0.1, `localhost` and {@link PROVIDER_NAME}. */
  readonly serving: Pair;
  /** Further serving certificates of the same CA. */
  readonly provider: Authority;
  /** Gatekeeper's webhook certificate, which is its client certificate too, and the CA to mount for the provider. */
  readonly gatekeeper: Pair & Authority;
}

type Algorithm = webcrypto.RsaHashedKeyGenParams | webcrypto.EcKeyGenParams;

/** What cert-controller makes for Gatekeeper. */
const RSA: webcrypto.RsaHashedKeyGenParams = {
  name: "RSASSA-PKCS1-v1_5",
  hash: "SHA-256",
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
};
const P256: webcrypto.EcKeyGenParams = { name: "ECDSA", namedCurve: "P-256" };

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** The name under which Gatekeeper reaches the provider in a cluster. */
const PROVIDER_NAME = "notation-provider.gatekeeper-system";

/** The one name of Gatekeeper's webhook certificate. */
export const gatekeeperName = (namespace = "gatekeeper-system"): string =>
  `gatekeeper-webhook-service.${namespace}.svc`;

const generateKeys = async (algorithm: Algorithm): Promise<webcrypto.CryptoKeyPair> =>
  await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);

async function privatePem(keys: webcrypto.CryptoKeyPair): Promise<string> {
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  const lines = pkcs8.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join("\n")}\n-----END PRIVATE KEY-----\n`;
}

const pem = (certificate: X509Certificate): string => `${certificate.toString("pem")}\n`;

/** What is signed with: ECDSA names its hash here, RSA keys carry theirs. */
const signingAlgorithm = (
  algorithm: Algorithm,
): webcrypto.EcdsaParams | webcrypto.RsaHashedKeyGenParams =>
  "hash" in algorithm ? algorithm : { name: "ECDSA", hash: "SHA-256" };

interface AuthorityOptions {
  /** Distinguished name, `CN=…,O=…`. */
  readonly subject: string;
  readonly algorithm: Algorithm;
  readonly serialNumber: string;
  /** Serial number of every leaf; random unless given. */
  readonly leafSerialNumber?: string;
  readonly usage: KeyUsageFlags;
  readonly dns?: string;
}

async function createAuthority(options: AuthorityOptions): Promise<Authority> {
  const { subject, algorithm, serialNumber, leafSerialNumber, usage, dns } = options;
  const keys = await generateKeys(algorithm);
  const extensions: Extension[] = [
    new BasicConstraintsExtension(true, undefined, true),
    new KeyUsagesExtension(usage, true),
    // Go adds both identifiers. With them OpenSSL tells two roots of the same name apart.
    await SubjectKeyIdentifierExtension.create(keys.publicKey),
  ];
  if (dns !== undefined) {
    extensions.push(new SubjectAlternativeNameExtension([{ type: "dns", value: dns }]));
  }
  const root = await X509CertificateGenerator.createSelfSigned({
    name: subject,
    serialNumber,
    keys,
    notBefore: new Date(Date.now() - HOUR),
    notAfter: new Date(Date.now() + 3650 * DAY),
    signingAlgorithm: signingAlgorithm(algorithm),
    extensions,
  });
  return {
    ca: pem(root),
    async issue({ name, dns = [name], ip = [], notBefore, notAfter }) {
      const leafKeys = await generateKeys(algorithm);
      const names = [
        ...dns.map((value) => ({ type: "dns" as const, value })),
        ...ip.map((value) => ({ type: "ip" as const, value })),
      ];
      const leaf = await X509CertificateGenerator.create({
        subject: `CN=${name}`,
        issuer: root.subject,
        ...(leafSerialNumber !== undefined && { serialNumber: leafSerialNumber }),
        publicKey: leafKeys.publicKey,
        signingKey: keys.privateKey,
        notBefore: notBefore ?? new Date(Date.now() - HOUR),
        notAfter: notAfter ?? new Date(Date.now() + DAY),
        signingAlgorithm: signingAlgorithm(algorithm),
        extensions: [
          new BasicConstraintsExtension(false, undefined, true),
          new KeyUsagesExtension(
            KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment,
            true,
          ),
          await AuthorityKeyIdentifierExtension.create(keys.publicKey),
          new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
          ...(names.length > 0 ? [new SubjectAlternativeNameExtension(names)] : []),
        ],
      });
      return { cert: pem(leaf), key: await privatePem(leafKeys) };
    },
  };
}

/**
 * An authority as cert-controller makes it for Gatekeeper: `CN=gatekeeper-ca,O=gatekeeper`, RSA 2048, serial 0,
 * leaves of serial 1. A second one has the same name and other keys, as after a rotation; it is a stranger too.
 * @see pkg/rotator/rotator.go of github.com/open-policy-agent/cert-controller
 */
export const createGatekeeperAuthority = async (): Promise<Authority> =>
  await createAuthority({
    subject: "CN=gatekeeper-ca,O=gatekeeper",
    algorithm: RSA,
    serialNumber: "00",
    leafSerialNumber: "01",
    usage:
      KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment | KeyUsageFlags.keyCertSign,
    dns: "gatekeeper-ca",
  });

/** An authority for the provider's serving certificates: P-256, as cert-manager would be asked for. */
export const createProviderAuthority = async (): Promise<Authority> =>
  await createAuthority({
    subject: "CN=notation-provider-ca",
    algorithm: P256,
    serialNumber: "01",
    usage: KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign,
  });

/** A serving certificate for the provider on loopback and in a cluster. */
export const issueServing = async (
  provider: Authority,
  times: Pick<LeafOptions, "notBefore" | "notAfter"> = {},
): Promise<Pair> =>
  await provider.issue({
    name: PROVIDER_NAME,
    dns: [PROVIDER_NAME, `${PROVIDER_NAME}.svc`, "localhost"],
    ip: ["127.0.0.1"],
    ...times,
  });

/** A certificate that nobody but itself vouches for, for some addresses. */
export async function issueSelfSigned({ name, ip = [] }: LeafOptions): Promise<Pair> {
  const keys = await generateKeys(P256);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    notBefore: new Date(Date.now() - HOUR),
    notAfter: new Date(Date.now() + DAY),
    signingAlgorithm: signingAlgorithm(P256),
    extensions: [
      new SubjectAlternativeNameExtension(ip.map((value) => ({ type: "ip" as const, value }))),
    ],
  });
  return { cert: pem(certificate), key: await privatePem(keys) };
}

/** Both sides' certificates, new keys each time. @param namespace where Gatekeeper runs */
export async function createAuthorities(namespace?: string): Promise<Authorities> {
  const [provider, authority] = await Promise.all([
    createProviderAuthority(),
    createGatekeeperAuthority(),
  ]);
  const [serving, leaf] = await Promise.all([
    issueServing(provider),
    authority.issue({ name: gatekeeperName(namespace) }),
  ]);
  return { ca: provider.ca, serving, provider, gatekeeper: { ...authority, ...leaf } };
}
