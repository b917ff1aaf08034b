/**
 * Signatures as AWS Signer makes them, from an authority in memory that stands for AWS's.
 *
 * - `createSigningAuthority()`: a root, an intermediate and leaves of P-384, as AWS Signer has them
 * - `authority.sign(options)`: an envelope with the profile version, the job, the plugin, the signing time and the expiry
 * - `profileArn(options)`, `jobArn(options)`: ARNs of either
 * - `signerTrust(authority)`: who trusts the profile
 * - `pushSigned(authority, place)`: an image that it signed
 */
import { randomUUID } from "node:crypto";
import type { Descriptor } from "../../provider/image/descriptor.ts";
import { createAuthority, type SigningIdentity } from "../signing/authority.ts";
import { attachSignature, pushImage, type Place } from "../registry/push.ts";
import {
  awsSigner,
  jws,
  JWS,
  type EnvelopeOptions,
  type SignedSubject,
} from "../signing/envelope.ts";
import { statement, type TrustContent } from "../signing/trust.ts";

/** Whose profile it is, and where. */
export interface ProfileOptions {
  /** Default `aws`. */
  readonly partition?: string;
  /** Default `us-east-1`. */
  readonly region?: string;
  /** Default `111122223333`. */
  readonly account?: string;
  /** Default `app`. */
  readonly name?: string;
}

const SIGNER_REGION = "us-east-1";
const VERSION = "Ver1on0001";
const DAY_MS = 86_400_000;
/** The longest that a profile may let its signatures live, and its default: 135 months. */
const VALIDITY_MS = 135 * 30 * DAY_MS;

/** `arn:aws:signer:us-east-1:111122223333:/signing-profiles/app`: what a trust policy names. */
export function profileArn(options: ProfileOptions = {}): string {
  return `${start(options)}:/signing-profiles/${options.name ?? "app"}`;
}

/** The same with a version: what a signature names. */
export const profileVersionArn = (options: ProfileOptions = {}, version = VERSION): string =>
  `${profileArn(options)}/${version}`;

/** `arn:aws:signer:us-east-1:111122223333:/signing-jobs/<uuid>`, another one each time unless the uuid is given. */
export const jobArn = (options: ProfileOptions = {}, uuid: string = randomUUID()): string =>
  `${start(options)}:/signing-jobs/${uuid}`;

const start = ({ partition = "aws", region = SIGNER_REGION, account = "111122223333" }) =>
  `arn:${partition}:signer:${region}:${account}`;

export interface SignOptions {
  readonly subject: SignedSubject;
  /** Default {@link profileVersionArn}. */
  readonly profileVersion?: string;
  /** Default a job of its own. */
  readonly job?: string;
  /** Default a minute ago. */
  readonly signedAt?: Date;
  /** Default as late as a profile allows. */
  readonly expiry?: Date;
  /** Further critical attributes, or others in place of Signer's. */
  readonly critical?: Readonly<Record<string, unknown>>;
  /** Other options of the envelope, for signatures that Signer would not make. */
  readonly other?: Partial<EnvelopeOptions>;
}

/** A signature, and what it names. */
export interface SignedEnvelope {
  readonly bytes: Buffer;
  readonly profileVersion: string;
  readonly job: string;
  /** DER, leaf first. */
  readonly chain: readonly Buffer[];
}

export interface SigningAuthority {
  /** What the trust store holds, DER. */
  readonly root: Buffer;
  readonly signer: SigningIdentity;
  sign(options: SignOptions): SignedEnvelope;
}

/** Makes an authority with one leaf; its keys live as long as the value. */
export async function createSigningAuthority(): Promise<SigningAuthority> {
  const authority = await createAuthority({
    name: "Code Signing Root",
    organization: "Amazon",
    keyType: "P-384",
    intermediate: true,
  });
  const signer = await authority.issue({ commonName: "AWS Signer", organization: "Amazon" });
  return {
    root: authority.root,
    signer,
    sign({ subject, other, critical, ...options }) {
      const { profileVersion = profileVersionArn(), job = jobArn() } = options;
      const signedAt = options.signedAt ?? new Date(Date.now() - 60_000);
      const expiry = options.expiry ?? new Date(signedAt.getTime() + VALIDITY_MS);
      const bytes = jws(
        awsSigner({
          signer,
          subject,
          profileVersion,
          job,
          signedAt,
          expiry,
          ...(critical !== undefined && { critical }),
          ...other,
        }),
      );
      return { bytes, profileVersion, job, chain: (other?.signer ?? signer).chain };
    },
  };
}

/** A trust policy for all images that trusts {@link profileArn} alone, strictly, with the authority's root in `signingAuthority:aws`. */
export const signerTrust = ({ root }: Pick<SigningAuthority, "root">): TrustContent => ({
  statements: [
    statement({ trustStores: ["signingAuthority:aws"], trustedIdentities: [profileArn()] }),
  ],
  stores: { "signingAuthority:aws": [root] },
});

/** Pushes an image, and its signature. */
export async function pushSigned(
  authority: SigningAuthority,
  place: Place,
  how: Omit<SignOptions, "subject"> = {},
): Promise<{ readonly subject: Descriptor; readonly signed: SignedEnvelope }> {
  const subject = await pushImage({ ...place, tag: "v1" });
  const signed = authority.sign({ subject, ...how });
  await attachSignature({ ...place, subject, mediaType: JWS, envelope: signed.bytes });
  return { subject, signed };
}
