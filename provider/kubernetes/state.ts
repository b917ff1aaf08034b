import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { certificatesOf } from "../lib/pem.ts";
import { type Validity, validityOf } from "../lib/validity.ts";

/** A certificate and its key (PKCS #8), PEM. */
export interface Pair extends Validity {
  readonly certificate: string;
  readonly key: string;
}

/** A pair that the server shows. */
export interface ServingPair extends Pair {
  /** DNS names and IP addresses, as {@link sortedNames} has them. */
  readonly names: readonly string[];
}

/** What the provider keeps in its Secret, for all replicas. */
export interface State {
  /** The CA that signed {@link serving}. */
  readonly authority: Pair;
  readonly serving: ServingPair;
  /** The CA that takes over once Gatekeeper trusts it. */
  readonly next?: Pair;
  /** The CA before, or several, which Gatekeeper goes on trusting until every replica has left it. */
  readonly former?: { readonly certificate: string; readonly until: number };
}

/** `data` of a Secret: base64 by key. A key that is `null` is to be removed. */
export type SecretData = Readonly<Record<string, string | null>>;

const KEYS = {
  authority: ["ca.crt", "ca.key"],
  serving: ["tls.crt", "tls.key"],
  next: ["next-ca.crt", "next-ca.key"],
} as const;
const FORMER = "former-ca.crt";
/** RFC 3339. */
const FORMER_UNTIL = "former-ca.until";

/** CAs that Gatekeeper is to trust, as a Provider object has them: base64 of PEM. */
export function bundleOf({ authority, next, former }: State): string {
  const certificates = [authority.certificate, next?.certificate, former?.certificate];
  return encode(certificates.filter((pem) => pem !== undefined).join(""));
}

/** The data that says the whole state: what it has not is removed. */
export function writeState({ authority, serving, next, former }: State): SecretData {
  return {
    ...pairData(KEYS.authority, authority),
    ...pairData(KEYS.serving, serving),
    ...pairData(KEYS.next, next),
    [FORMER]: former === undefined ? null : encode(former.certificate),
    [FORMER_UNTIL]: former === undefined ? null : encode(new Date(former.until).toISOString()),
  };
}

/**
 * Reads a state. What somebody broke by hand is none: a certificate without its key, a serving certificate that the CA did
 * not sign or that is for something else, a CA that may not sign or with which the provider cannot.
 */
export function readState(data: Readonly<Record<string, string>>): State | undefined {
  const authority = readAuthority(data, KEYS.authority);
  const serving = readPair(data, KEYS.serving);
  const next = readAuthority(data, KEYS.next);
  const former = readFormer(data);
  if (authority === undefined || serving === undefined) return undefined;
  if (!isServingOf(serving, authority)) return undefined;
  if (next === undefined && KEYS.next.some((key) => data[key] !== undefined)) return undefined;
  return {
    authority,
    serving: { ...serving, names: namesOf(serving) },
    ...(next !== undefined && { next }),
    ...(former !== undefined && { former }),
  };
}

/**
 * Names in the one order and the one way of writing in which they are compared: of an IPv6 address there are many, and one that
 * seems to be missing would be asked for again and again.
 */
export const sortedNames = (names: readonly string[]): readonly string[] =>
  names
    .map((name) =>
      name.includes(":") ? new URL(`https://[${name}]`).hostname.slice(1, -1) : name.toLowerCase(),
    )
    .toSorted();

const encode = (text: string): string => Buffer.from(text).toString("base64");
const decode = (text: string): string => Buffer.from(text, "base64").toString("utf8");

const pairData = ([certificate, key]: readonly [string, string], pair?: Pair): SecretData => ({
  [certificate]: pair === undefined ? null : encode(pair.certificate),
  [key]: pair === undefined ? null : encode(pair.key),
});

function readPair(
  data: Readonly<Record<string, string>>,
  [certificateKey, keyKey]: readonly [string, string],
): Pair | undefined {
  const [certificate = "", key = ""] = [data[certificateKey], data[keyKey]].map((text) =>
    text === undefined ? "" : decode(text),
  );
  try {
    const parsed = new X509Certificate(certificate);
    const privateKey = createPrivateKey(key);
    if (!isP256(privateKey) || !parsed.checkPrivateKey(privateKey)) return undefined;
    const validity = validityOf(parsed);
    if (validity === undefined) return undefined;
    return {
      // Written anew, because everybody reads Provider objects: a text that holds the key as well must not get there.
      certificate: parsed.toString(),
      key: privateKey.export({ type: "pkcs8", format: "pem" }),
      ...validity,
    };
  } catch {
    return undefined;
  }
}

const isP256 = ({ asymmetricKeyDetails }: KeyObject): boolean =>
  asymmetricKeyDetails?.namedCurve === "prime256v1";

const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";

function isServingOf({ certificate }: Pair, authority: Pair): boolean {
  const leaf = new X509Certificate(certificate);
  const issuer = new X509Certificate(authority.certificate);
  // Node's word for the extended key usage.
  const usages: readonly string[] | undefined = leaf.keyUsage;
  return (
    leaf.checkIssued(issuer) &&
    leaf.verify(issuer.publicKey) &&
    (usages ?? []).includes(SERVER_AUTH)
  );
}

function readAuthority(
  data: Readonly<Record<string, string>>,
  keys: readonly [string, string],
): Pair | undefined {
  const pair = readPair(data, keys);
  return pair !== undefined && new X509Certificate(pair.certificate).ca ? pair : undefined;
}

function readFormer(data: Readonly<Record<string, string>>): State["former"] {
  const authorities = certificatesOf(decode(data[FORMER] ?? "")).filter(({ ca }) => ca);
  const until = Date.parse(decode(data[FORMER_UNTIL] ?? ""));
  // Only the grace of a CA that is leaving is lost.
  if (authorities.length === 0 || Number.isNaN(until)) return undefined;
  return { certificate: authorities.map(String).join(""), until };
}

/** `DNS:a`, or `IP Address:127.0.0.1`; a quotation mark begins what is something else. */
const NAME = /^(?:DNS:([A-Za-z0-9*._-]+)|IP Address:([0-9A-Fa-f.:]+))$/;

function namesOf({ certificate }: Pair): readonly string[] {
  const text = new X509Certificate(certificate).subjectAltName ?? "";
  return sortedNames(
    text.split(", ").flatMap((entry) => {
      const [, host, address] = NAME.exec(entry) ?? [];
      return host ?? address ?? [];
    }),
  );
}
