import "reflect-metadata";
import { isIP } from "node:net";
import { createPrivateKey, KeyObject, randomBytes, type webcrypto } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { Validity } from "../lib/validity.ts";
import { type Pair, type ServingPair, sortedNames } from "./state.ts";

const P256: webcrypto.EcKeyGenParams = { name: "ECDSA", namedCurve: "P-256" };
const SIGNATURE: webcrypto.EcdsaParams = { name: "ECDSA", hash: "SHA-256" };

/**
 * Makes a CA for serving certificates and nothing below them (RFC 5280 4.2.1.9). Its name is its own, so that the CA that
 * follows it is another to whoever looks CAs up by name.
 */
export async function issueAuthority(validity: Validity): Promise<Pair> {
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=notation-provider-ca-${randomBytes(4).toString("hex")}`,
    keys,
    ...datesOf(validity),
    signingAlgorithm: SIGNATURE,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return pairOf(certificate, keys);
}

/** Makes a serving certificate. It ends with its CA at the latest. @param names DNS names and IP addresses, at least one */
export async function issueServing(
  authority: Pair,
  names: readonly string[],
  validity: Validity,
): Promise<ServingPair> {
  const issuer = new X509Certificate(authority.certificate);
  const keys = await generateKeys();
  const signingKey = createPrivateKey(authority.key).toCryptoKey(P256, false, ["sign"]);
  const certificate = await X509CertificateGenerator.create({
    subject: "CN=notation-provider",
    issuer: issuer.subject,
    publicKey: keys.publicKey,
    signingKey,
    ...datesOf({ ...validity, ends: Math.min(validity.ends, authority.ends) }),
    signingAlgorithm: SIGNATURE,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? "dns" : "ip", value })),
      ),
      await AuthorityKeyIdentifierExtension.create(issuer),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { ...pairOf(certificate, keys), names: sortedNames(names) };
}

const generateKeys = async (): Promise<webcrypto.CryptoKeyPair> =>
  await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);

const datesOf = ({ begins, ends }: Validity) => ({
  notBefore: new Date(begins),
  notAfter: new Date(ends),
});

const pairOf = (certificate: X509Certificate, { privateKey }: webcrypto.CryptoKeyPair): Pair => ({
  certificate: `${certificate.toString("pem")}\n`,
  key: KeyObject.from(privateKey).export({ type: "pkcs8", format: "pem" }),
  begins: certificate.notBefore.getTime(),
  ends: certificate.notAfter.getTime(),
});
