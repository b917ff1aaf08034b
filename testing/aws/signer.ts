/**
 * AWS Signer on loopback, of which things can be revoked.
 *
 *   const signer = createSigner();
 *   await using aws = await startAws({ services: [signer.service] });
 *   signer.revokeJob(job);
 *   signer.revokeProfileVersion(profileVersion, new Date("2026-01-01"));   // of signatures made from then on
 *   signer.revokeCertificate(chain, 0);
 *   signer.restore();                                                       // which the real one cannot
 *   aws.on("GetRevocationStatus", throttled());                             // see wire.ts, answers.ts
 *   aws.deny("signer:GetRevocationStatus");
 *
 * @see AWS Signer API reference, GetRevocationStatus, GetSigningProfile
 */
import { createHash } from "node:crypto";
import { restJson } from "./protocol.ts";
import { refusal, type Call, type Output, type Service } from "./service.ts";

const PLATFORM = "Notation-OCI-SHA384-ECDSA";

export interface SignerOptions {
  /** Which knows nothing of another's signatures. Default `aws`. */
  readonly partition?: string;
}

/** A signing profile as GetSigningProfile tells it. */
export interface SigningProfile {
  /** `arn:aws:signer:us-east-1:111122223333:/signing-profiles/app/Ver1on0001` */
  readonly versionArn: string;
  /** Default `Active`. */
  readonly status?: "Active" | "Canceled" | "Revoked";
}

export interface Signer {
  readonly service: Service;
  revokeJob(arn: string): void;
  /** Revokes the signatures that the version made from a time on; a second time can only be an earlier one. */
  revokeProfileVersion(arn: string, from: Date): void;
  /** @param chain DER, leaf first @param index of the certificate in it */
  revokeCertificate(chain: readonly Uint8Array[], index: number): void;
  /** Nothing is revoked any more. */
  restore(): void;
  addProfile(profile: SigningProfile): void;
}

export function createSigner({ partition = "aws" }: SignerOptions = {}): Signer {
  const jobs = new Set<string>();
  const versions = new Map<string, number>();
  const certificates = new Set<string>();
  const profiles = new Map<string, Required<SigningProfile>>();

  function revocationStatus({ query }: Call): Output {
    const asked = (name: string): string => query.get(name) ?? "";
    const hashes = query.getAll("certificateHashes");
    const version = asked("profileVersionArn");
    const job = asked("jobArn");
    const signedAt = Date.parse(asked("signatureTimestamp"));
    if (Number.isNaN(signedAt) || hashes.length === 0 || version === "" || job === "") {
      return refusal(400, "ValidationException", "A required parameter is missing.");
    }
    if (asked("platformId") !== PLATFORM) {
      return refusal(400, "ValidationException", "The platform is not supported.");
    }
    if (hashes.some((hash) => !/^[0-9a-f]{192}$/.test(hash))) {
      return refusal(400, "ValidationException", "A certificate hash is not valid.");
    }
    if ([version, job].some((arn) => !arn.startsWith(`arn:${partition}:signer:`))) {
      return refusal(400, "ValidationException", "The ARN is not valid.");
    }
    const revokedFrom = versions.get(version) ?? Infinity;
    return {
      revokedEntities: [
        ...(signedAt >= revokedFrom ? [version] : []),
        ...(jobs.has(job) ? [job] : []),
        ...hashes.filter((hash) => certificates.has(hash)),
      ],
    };
  }

  function signingProfile({ input, query, account }: Call): Output {
    const name = String(input["profileName"]);
    const owner = query.get("profileOwner") ?? account;
    const profile = profiles.get(`${owner}/${name}`);
    if (profile === undefined) {
      return refusal(404, "ResourceNotFoundException", "The signing profile was not found.");
    }
    const { versionArn, status } = profile;
    return {
      profileName: name,
      profileVersion: versionArn.slice(versionArn.lastIndexOf("/") + 1),
      profileVersionArn: versionArn,
      arn: versionArn.slice(0, versionArn.lastIndexOf("/")),
      platformId: PLATFORM,
      status,
    };
  }

  return {
    service: {
      name: "signer",
      protocol: restJson([
        {
          method: "GET",
          path: /^\/revocations$/,
          operation: "GetRevocationStatus",
        },
        {
          method: "GET",
          path: /^\/signing-profiles\/(?<profileName>[^/]+)$/,
          operation: "GetSigningProfile",
        },
      ]),
      operations: new Map([
        ["GetRevocationStatus", { answer: revocationStatus }],
        ["GetSigningProfile", { answer: signingProfile }],
      ]),
    },
    revokeJob: (arn) => void jobs.add(arn),
    revokeProfileVersion(arn, from) {
      versions.set(arn, Math.min(versions.get(arn) ?? Infinity, from.getTime()));
    },
    revokeCertificate: (chain, index) => void certificates.add(hashOf(chain, index)),
    restore() {
      jobs.clear();
      versions.clear();
      certificates.clear();
    },
    addProfile({ versionArn, status = "Active" }) {
      const [, , , , account = "", path = ""] = versionArn.split(":");
      profiles.set(`${account}/${path.split("/")[2]}`, { versionArn, status });
    },
  };
}

/** As Signer names a certificate: what its issuer signed of it, and of its issuer's. */
function hashOf(chain: readonly Uint8Array[], index: number): string {
  const own = chain[index] ?? Buffer.alloc(0);
  return [own, chain[index + 1] ?? own]
    .map((der) =>
      createHash("sha384")
        .update(signedPart(Buffer.from(der)))
        .digest("hex"),
    )
    .join("");
}

/** The first element inside the outer one; both are longer than a byte can say. */
function signedPart(der: Buffer): Buffer {
  const headLength = (at: number): number => 2 + ((der[at + 1] ?? 0) & 0x7f);
  const start = headLength(0);
  const head = headLength(start);
  return der.subarray(start, start + head + der.readUIntBE(start + 2, head - 2));
}
