/**
 * Envelopes that must not be believed, each broken in one way, with what our vetting and the real Notation
 * make of it. One table for every test that needs a bad signature.
 *
 * - `brokenEnvelopes(subject)`: the table, and the trust under which a good signature of `signer` passes
 */
import {
  type Authority,
  createAuthority,
  EXTENDED_KEY_USAGE,
  KeyUsageFlags,
  type LeafOptions,
  type SigningIdentity,
} from "./authority.ts";
import {
  COSE,
  cose,
  coseHeader,
  JWS,
  jws,
  jwsHeader,
  payloadOf,
  sealCose,
  sealJws,
  type EnvelopeOptions,
  type SignedSubject,
} from "./envelope.ts";
import { statement, type TrustContent } from "./trust.ts";

/** Media types of envelopes. */
type EnvelopeType = typeof JWS | typeof COSE;

interface BrokenEnvelope {
  readonly name: string;
  readonly mediaType: EnvelopeType;
  readonly bytes: Buffer;
  /** Whether it is refused before Notation sees it; then always as MALFORMED_SIGNATURE. */
  readonly vetted: boolean;
  /** The reason in Notation's words under level strict; undefined where Notation lets it pass, and our vetting alone refuses it. */
  readonly notation: RegExp | undefined;
  /** The code that the provider answers with. */
  readonly code: string;
}

export interface BrokenEnvelopes {
  readonly signer: SigningIdentity;
  readonly trust: TrustContent;
  readonly cases: readonly BrokenEnvelope[];
}

const DAY = 86_400_000;
const ago = (days: number): Date => new Date(Date.now() - days * DAY);

const UNPARSED = /^unable to parse the digital signature, error : /;

/** Makes the table anew: keys, certificates and signatures, some tens of milliseconds. */
export async function brokenEnvelopes(subject: SignedSubject): Promise<BrokenEnvelopes> {
  const authority = await createAuthority({ name: "Example root", intermediate: true });
  const loose = await createAuthority({ name: "Loose root", criticalBasicConstraints: false });
  const signer = await authority.issue({ commonName: "signer" });
  const roots = [authority.root, loose.root];
  const trust: TrustContent = {
    statements: [statement({ trustStores: ["ca:example", "signingAuthority:example"] })],
    stores: { "ca:example": roots, "signingAuthority:example": roots },
  };
  const good = { signer, subject };
  const cases = [
    ...(await unbelieved(good, authority)),
    ...malformedJws(good),
    ...malformedCose(good),
    ...(await wrongCertificates(good, authority, loose)),
  ];
  return { signer, trust, cases };
}

/** Well-formed, and refused by Notation. */
async function unbelieved(
  good: EnvelopeOptions,
  authority: Authority,
): Promise<readonly BrokenEnvelope[]> {
  const { signer, subject } = good;
  const stranger = await createAuthority({ name: "Stranger root" });
  const other = { ...subject, digest: `sha256:${"0".repeat(64)}` };
  const lapsed = { commonName: "lapsed", notBefore: ago(3), notAfter: ago(1) };
  const variants: readonly {
    readonly name: string;
    readonly options: EnvelopeOptions;
    readonly code: string;
    readonly notation: RegExp;
  }[] = [
    {
      name: "signed by a stranger",
      options: { ...good, signer: await stranger.issue({ commonName: "signer" }) },
      code: "UNTRUSTED_SIGNER",
      notation: /^the signature's certificate chain does not contain any trusted certificate$/,
    },
    {
      name: "signed for another digest",
      options: { ...good, subject: other },
      code: "TAMPERED",
      notation: /^content descriptor mismatch$/,
    },
    {
      name: "signed for another size",
      options: { ...good, subject: { ...subject, size: subject.size + 1 } },
      code: "TAMPERED",
      notation: /^content descriptor mismatch$/,
    },
    {
      name: "signed for another media type",
      options: { ...good, subject: { ...subject, mediaType: "application/octet-stream" } },
      code: "TAMPERED",
      notation: /^content descriptor mismatch$/,
    },
    {
      name: "expired",
      options: { ...good, signedAt: ago(2), expiry: ago(1) },
      code: "SIGNATURE_EXPIRED",
      notation: /^digital signature has expired on "/,
    },
    {
      name: "signed with a certificate that has expired",
      options: { ...good, signedAt: ago(2), signer: await authority.issue(lapsed) },
      code: "CERTIFICATE_EXPIRED",
      notation: /^verification time is after certificate ".*" validity period, it was expired at "/,
    },
    {
      name: "signed by a signing authority when the certificate had expired",
      options: {
        ...good,
        scheme: "notary.x509.signingAuthority",
        signer: await authority.issue(lapsed),
      },
      code: "CERTIFICATE_EXPIRED",
      notation: /certificate .* was not valid when the digital signature was produced/,
    },
  ];
  const lie = { ...good, subject: other };
  const believable = {
    vetted: false,
    code: "TAMPERED",
    notation: /^signature is invalid\. Error: /,
  };
  return [
    ...variants.flatMap(({ name, options, code, notation }): BrokenEnvelope[] => [
      { name: `JWS ${name}`, mediaType: JWS, bytes: jws(options), vetted: false, code, notation },
      {
        name: `COSE ${name}`,
        mediaType: COSE,
        bytes: cose(options),
        vetted: false,
        code,
        notation,
      },
    ]),
    {
      name: "JWS with another payload than was signed",
      mediaType: JWS,
      bytes: changed(jws(lie), (envelope) => ({
        ...envelope,
        payload: Buffer.from(JSON.stringify(payloadOf(good))).toString("base64url"),
      })),
      ...believable,
    },
    {
      name: "COSE with another payload than was signed",
      mediaType: COSE,
      bytes: replaced(cose(lie), other.digest, subject.digest),
      ...believable,
    },
    {
      name: "JWS with the chain of another signer",
      mediaType: JWS,
      bytes: sealJws({
        signer,
        header: jwsHeader(good),
        payload: payloadOf(good),
        chain: (await authority.issue({ commonName: "victim" })).chain,
      }),
      ...believable,
    },
  ];
}

function malformedJws(good: EnvelopeOptions): readonly BrokenEnvelope[] {
  const { signer } = good;
  const header = jwsHeader(good);
  const payload = payloadOf(good);
  const scheme = "io.cncf.notary.signingScheme";
  const plugin = "io.cncf.notary.verificationPlugin";
  const crit = [scheme];
  const withHeader = (members: object) =>
    sealJws({ signer, header: { ...header, ...members }, payload });
  const text = jws(good).toString();
  const rows: readonly (readonly [name: string, bytes: Buffer | string, notation?: RegExp])[] = [
    ["that is not JSON", "hello", UNPARSED],
    ["that is empty", "", /./],
    ["of no members", "{}", /^certificate chain is not present$/],
    ["that is a COSE envelope", cose(good), UNPARSED],
    ["without algorithm", withHeader({ alg: "none" }), /./],
    [
      "with an empty list of critical attributes",
      withHeader({ crit: [] }),
      /missing "crit" header/,
    ],
    [
      "of an unknown scheme",
      withHeader({ [scheme]: "notary.x509.other" }),
      /unsupported SigningScheme/,
    ],
    ["with another content type", withHeader({ cty: "application/json" }), /./],
    ["whose scheme is not critical", withHeader({ crit: ["alg"] }), /./],
    [
      "whose algorithm is critical",
      withHeader({ crit: [...crit, "alg"] }),
      /marked critical but not present/,
    ],
    [
      "with a critical attribute that is absent",
      withHeader({ crit: [...crit, "x"] }),
      /not present/,
    ],
    // Notation looks at it only when a plugin was named.
    [
      "with an unknown critical attribute and no plugin",
      withHeader({ crit: [...crit, "x"], x: 1 }),
    ],
    ["with a blank plugin", jws({ ...good, plugin: " " }), /is an empty string/],
    [
      "whose plugin is not critical",
      withHeader({ [plugin]: "p" }),
      /is not a critical Extended attribute/,
    ],
    ["with a signing time that is none", withHeader({ "io.cncf.notary.signingTime": "now" }), /./],
    [
      "with the signing time of the other scheme",
      withHeader({ "io.cncf.notary.authenticSigningTime": "2026-01-01T00:00:00Z" }),
      /must not be present/,
    ],
    [
      "with an expiry before it was signed",
      jws({ ...good, signedAt: ago(1), expiry: ago(2) }),
      /expiry cannot be equal or before the signing time/,
    ],
    ["with a payload that is not an object", sealJws({ signer, header, payload: "[]" }), /./],
    [
      "with a payload of no artifact",
      sealJws({ signer, header, payload: {} }),
      /^content descriptor mismatch$/,
    ],
    // From here on one document has two meanings, and Go's reader takes one without a word.
    ["with a member twice", text.replace("{", '{"payload":"e30",')],
    ["with a member twice, in another case", text.replace("{", '{"PAYLOAD":"e30",')],
    ["with a member spelt with a long s", text.replace('"signature"', '"\u017fignature"')],
    [
      "with a protected member in another case only",
      withHeader({ cty: undefined, CTY: header["cty"] }),
    ],
    ["with members of both JWS forms", text.replace("{", '{"signatures":[],')],
    [
      "with a payload with an artifact twice",
      sealJws({
        signer,
        header,
        payload: JSON.stringify(payload).replace("{", '{"targetArtifact":{},'),
      }),
    ],
  ];
  return rows.map(([name, bytes, notation]) => ({
    name: `JWS ${name}`,
    mediaType: JWS,
    bytes: Buffer.from(bytes),
    vetted: true,
    code: "MALFORMED_SIGNATURE",
    notation,
  }));
}

function malformedCose(good: EnvelopeOptions): readonly BrokenEnvelope[] {
  const { signer } = good;
  const payload = payloadOf(good);
  const scheme = "io.cncf.notary.signingScheme";
  const withHeader = (...members: readonly (readonly [unknown, unknown])[]) =>
    sealCose({ signer, header: new Map([...coseHeader(good), ...members]), payload });
  const whole = cose(good);
  const rows: readonly (readonly [name: string, bytes: Buffer, notation?: RegExp])[] = [
    ["that is empty", Buffer.alloc(0), /./],
    ["that is a JWS", jws(good), /invalid COSE_Sign1_Tagged object/],
    ["that is cut off", whole.subarray(0, -1), UNPARSED],
    ["with bytes after it", Buffer.concat([whole, Buffer.of(0)]), UNPARSED],
    ["without its tag", whole.subarray(1), /invalid COSE_Sign1_Tagged object/],
    ["of an unknown algorithm", withHeader([1, -8]), /./],
    ["with an empty list of critical attributes", withHeader([2, []]), UNPARSED],
    ["of an unknown scheme", withHeader([scheme, "notary.x509.other"]), /./],
    ["with another content type", withHeader([3, "application/json"]), /./],
    ["with a time that is not tagged", withHeader(["io.cncf.notary.signingTime", 1]), /./],
    ["with a blank plugin", cose({ ...good, plugin: " " }), /is an empty string/],
    ["with an unknown critical attribute and no plugin", withHeader([2, [scheme, "x"]], ["x", 1])],
    [
      "with a payload that is not an object",
      sealCose({ signer, header: coseHeader(good), payload: "[]" }),
      /./,
    ],
  ];
  return rows.map(([name, bytes, notation]) => ({
    name: `COSE ${name}`,
    mediaType: COSE,
    bytes,
    vetted: true,
    code: "MALFORMED_SIGNATURE",
    notation,
  }));
}

/** Chains that break a rule of the specification. */
async function wrongCertificates(
  good: EnvelopeOptions,
  authority: Authority,
  loose: Authority,
): Promise<readonly BrokenEnvelope[]> {
  const { digitalSignature, keyEncipherment } = KeyUsageFlags;
  const rows: readonly {
    readonly name: string;
    readonly leaf?: Partial<LeafOptions>;
    readonly issuer?: Authority;
    readonly cut?: boolean;
    readonly vetted: boolean;
    readonly notation?: RegExp;
  }[] = [
    { name: "without the root", cut: true, vetted: false, notation: /./ },
    {
      name: "of a leaf for encryption too",
      leaf: { keyUsage: digitalSignature | keyEncipherment },
      vetted: false,
      notation: /The key usage must be "Digital Signature" only/,
    },
    {
      name: "of a leaf whose key usage is not critical",
      leaf: { criticalKeyUsage: false },
      vetted: false,
      notation: /critical/,
    },
    {
      name: "of a leaf for servers",
      leaf: { extendedKeyUsage: [EXTENDED_KEY_USAGE.serverAuth] },
      vetted: false,
      notation: /./,
    },
    { name: "of a leaf that is a CA", leaf: { ca: true }, vetted: false, notation: /./ },
    {
      name: "of a leaf for any extended usage",
      leaf: { extendedKeyUsage: [EXTENDED_KEY_USAGE.any] },
      vetted: true,
    },
    {
      name: "of an issuer whose basic constraints are not critical",
      issuer: loose,
      vetted: true,
    },
  ];
  const cases: BrokenEnvelope[] = [];
  for (const { name, leaf, issuer = authority, cut, vetted, notation } of rows) {
    const signer = await issuer.issue({ commonName: "signer", ...leaf });
    const options = { ...good, signer };
    const chain = cut ? signer.chain.slice(0, -1) : signer.chain;
    const payload = payloadOf(options);
    const kinds = [
      {
        kind: "JWS",
        mediaType: JWS,
        bytes: sealJws({ signer, header: jwsHeader(options), payload, chain }),
      },
      {
        kind: "COSE",
        mediaType: COSE,
        bytes: sealCose({ signer, header: coseHeader(options), payload, chain }),
      },
    ] as const;
    for (const { kind, mediaType, bytes } of kinds) {
      const code = "MALFORMED_SIGNATURE";
      cases.push({ name: `${kind} ${name}`, mediaType, bytes, vetted, notation, code });
    }
  }
  return cases;
}

/** The JWS with its members changed after it was signed. */
export function changed(
  envelope: Buffer,
  change: (members: Record<string, unknown>) => object,
): Buffer {
  const members = JSON.parse(envelope.toString()) as Record<string, unknown>;
  return Buffer.from(JSON.stringify(change(members)));
}

/** The bytes with one text in them replaced by another of the same length. */
function replaced(bytes: Buffer, text: string, by: string): Buffer {
  const copy = Buffer.from(bytes);
  const at = copy.indexOf(text);
  if (at < 0 || text.length !== by.length) throw new RangeError("nothing to replace");
  copy.write(by, at);
  return copy;
}
