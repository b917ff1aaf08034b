import "reflect-metadata";
import assert from "node:assert/strict";
import {
  createPrivateKey,
  generateKeyPairSync,
  KeyObject,
  type webcrypto,
  X509Certificate,
} from "node:crypto";
import { test } from "node:test";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { issueAuthority, issueServing } from "./issue.ts";
import { bundleOf, type Pair, readState, sortedNames, type State, writeState } from "./state.ts";

const NAMES = ["127.0.0.1", "notation-provider.gatekeeper-system"];
/** Whole seconds, as certificates have them. */
const NOW = Math.floor(Date.now() / 1000) * 1000;
const validity = { begins: NOW - 300_000, ends: NOW + 86_400_000 };

const authority = await issueAuthority(validity);
const serving = await issueServing(authority, NAMES, validity);
const next = await issueAuthority(validity);
const former = { certificate: (await issueAuthority(validity)).certificate, until: NOW };
const whole: State = { authority, serving, next, former };

const encode = (text: string): string => Buffer.from(text).toString("base64");
/** The Secret of a state, with other texts under some of its keys. */
function secretOf(state: State, texts: Record<string, string> = {}): Record<string, string> {
  const data = Object.entries(writeState(state)).flatMap(([key, value]) =>
    value === null ? [] : [[key, value] as const],
  );
  const others = Object.entries(texts).map(([key, text]) => [key, encode(text)] as const);
  return Object.fromEntries([...data, ...others]);
}
const keyOf = (namedCurve: string): string =>
  generateKeyPairSync("ec", { namedCurve }).privateKey.export({ type: "pkcs8", format: "pem" });

const CA = { name: "ECDSA", namedCurve: "P-256" };
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" };

interface ByHand {
  /** A CA, and its name where a certificate says another. */
  readonly signer: Pick<Pair, "certificate" | "key">;
  readonly issuer?: string;
  readonly algorithm?: typeof CA | webcrypto.RsaHashedKeyGenParams;
  readonly usage?: string;
  readonly san?: ConstructorParameters<typeof SubjectAlternativeNameExtension>[0];
}

const HOSTS = [
  { type: "ip", value: "127.0.0.1" },
  { type: "dns", value: "notation-provider.gatekeeper-system" },
] as const;

/** A serving certificate as somebody makes it by hand, under keys of the Secret. */
async function signByHand(options: ByHand): Promise<Record<string, string>> {
  const { signer, algorithm = CA, usage = ExtendedKeyUsage.serverAuth, san = [...HOSTS] } = options;
  const keys = await crypto.subtle.generateKey(CA, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.create({
    subject: "CN=by hand",
    issuer: options.issuer ?? new X509Certificate(signer.certificate).subject,
    publicKey: keys.publicKey,
    signingKey: createPrivateKey(signer.key).toCryptoKey(algorithm, false, ["sign"]),
    notBefore: new Date(validity.begins),
    notAfter: new Date(validity.ends),
    signingAlgorithm: algorithm === CA ? SIGNATURE : algorithm,
    extensions: [new ExtendedKeyUsageExtension([usage]), new SubjectAlternativeNameExtension(san)],
  });
  return {
    "tls.crt": `${certificate.toString("pem")}\n`,
    "tls.key": KeyObject.from(keys.privateKey).export({ type: "pkcs8", format: "pem" }),
  };
}

const RSA = {
  name: "RSASSA-PKCS1-v1_5",
  hash: "SHA-256",
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
};

/** A CA as openssl makes one unless told otherwise. */
async function issueRsaAuthority(): Promise<Pick<Pair, "certificate" | "key">> {
  const keys = await crypto.subtle.generateKey(RSA, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: "CN=by hand",
    keys,
    notBefore: new Date(validity.begins),
    notAfter: new Date(validity.ends),
    signingAlgorithm: RSA,
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  });
  return {
    certificate: `${certificate.toString("pem")}\n`,
    key: KeyObject.from(keys.privateKey).export({ type: "pkcs8", format: "pem" }),
  };
}

test("what is written is read as it was", () => {
  assert.deepEqual(readState(secretOf(whole)), whole);
  assert.deepEqual(readState(secretOf({ authority, serving })), { authority, serving });
});

const byHand = await signByHand({ signer: authority });
const rsa = await issueRsaAuthority();
const signedByRsa = await signByHand({ signer: rsa, algorithm: RSA });

const broken: readonly (readonly [string, Record<string, string>])[] = [
  ["nothing under ca.crt", { "ca.crt": "" }],
  ["no key of the CA", { "ca.key": "" }],
  ["the key of another curve", { "ca.key": keyOf("P-384") }],
  ["the key of another certificate", { "tls.key": keyOf("P-256") }],
  ["a next CA without its key", { "next-ca.key": "" }],
  ["a CA that may not sign", { "ca.crt": serving.certificate, "ca.key": serving.key }],
  ["a certificate that another CA signed", { "ca.crt": next.certificate, "ca.key": next.key }],
  [
    "a certificate that says another issuer",
    await signByHand({ signer: authority, issuer: "CN=other" }),
  ],
  [
    "a certificate for callers",
    await signByHand({ signer: authority, usage: ExtendedKeyUsage.clientAuth }),
  ],
];
for (const [title, texts] of broken) {
  test(`a Secret with ${title} is none`, () => {
    assert.equal(readState(secretOf(whole, texts)), undefined);
  });
}

const others: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["IPv6 addresses", ["::1", "2001:DB8:0::1"], ["2001:db8::1", "::1"]],
  ["IPv4 as IPv6", ["::ffff:192.0.2.1"], ["::ffff:c000:201"]],
  ["capitals", ["Provider.Example.com"], ["provider.example.com"]],
];
for (const [title, names, want] of others) {
  test(`${title} are the names that were asked for, so that nothing seems to be missing`, async () => {
    const asked = sortedNames(names);
    assert.deepEqual(asked, want);
    const other = await issueServing(authority, asked, validity);
    assert.deepEqual(readState(secretOf({ authority, serving: other }))?.serving.names, want);
  });
}

test("of a certificate of something that is no host there are no names", async () => {
  const san = [{ type: "email", value: "somebody@example.com" }] as const;
  const texts = await signByHand({ signer: authority, san: [...san] });
  assert.deepEqual(readState(secretOf(whole, texts))?.serving.names, []);
});

test("what somebody signed with the CA, rightly, is a state", () => {
  assert.deepEqual(readState(secretOf(whole, byHand))?.serving.names, NAMES);
});

test("a CA with which the provider cannot sign is none, though all of it is valid", () => {
  const { certificate, key } = rsa;
  const texts = { "ca.crt": certificate, "ca.key": key, ...signedByRsa };
  assert.equal(readState(secretOf({ authority, serving }, texts)), undefined);
});

const besides: readonly (readonly [string, (pem: string, key: string) => string])[] = [
  ["its key", (pem, key) => `${pem}${key}`],
  ["its key before it", (pem, key) => `${key}${pem}`],
  ["another certificate", (pem) => `${pem}${serving.certificate}`],
  ["words", (pem) => `subject=CN\n${pem}-- \n`],
  ["Windows' line ends", (pem) => pem.replaceAll("\n", "\r\n")],
];
for (const [title, write] of besides) {
  test(`T-66 of a CA with ${title} in its text, Provider objects get the certificate alone`, () => {
    const texts = {
      "ca.crt": write(authority.certificate, authority.key),
      "next-ca.crt": write(next.certificate, next.key),
      "former-ca.crt": write(former.certificate, keyOf("P-256")),
    };
    const state = readState(secretOf(whole, texts));
    assert.ok(state !== undefined);
    assert.equal(bundleOf(state), bundleOf(whole));
  });
}
