/**
 * ECR's own interface on loopback: GetAuthorizationToken, DescribeImageSigningStatus, ListImageReferrers.
 *
 *   const ecr = createEcrDouble();
 *   await using aws = await startAws({ services: [ecr.service] });
 *   ecr.state.lifeMs = 60_000;                              // of the next tokens; 12 hours unless set
 *   ecr.accepts("Basic …")                                  // "ok", "expired" or "unknown": what a registry asks
 *   ecr.revokeTokens();                                     // ends all that were given out
 *   ecr.signing("app", digest, { status: "IN_PROGRESS" });
 *   ecr.archived("app", digest, 1);
 *   aws.on("GetAuthorizationToken", throttled(), pass());
 */
import { randomBytes } from "node:crypto";
import { json11 } from "./protocol.ts";
import type { Issuer } from "./keys.ts";
import { refusal, type Call, type Service } from "./service.ts";

const TARGET = "AmazonEC2ContainerRegistry_V20150921";
const TWELVE_HOURS_MS = 12 * 3_600_000;
const SIGNATURE = "application/vnd.cncf.notary.signature";

/** Status of one profile, as ECR has it. */
export interface Signing {
  readonly status: "IN_PROGRESS" | "COMPLETE" | "FAILED";
  /** Default `arn:aws:signer:us-east-1:111122223333:/signing-profiles/app`. */
  readonly profile?: string;
  readonly failureCode?: string;
  readonly failureReason?: string;
}

/** What can be changed while it runs. */
export interface EcrState {
  /** Milliseconds that the next tokens last. Default twelve hours. */
  lifeMs: number;
  /** Characters of the next passwords; AWS promises no size. Default 1600. */
  passwordLength: number;
}

/** A token that was given out. */
export interface GivenToken {
  readonly region: string;
  readonly account: string;
  /** `Basic …` */
  readonly authorization: string;
  expiresAt: number;
}

export interface EcrDouble {
  readonly service: Service;
  readonly state: EcrState;
  readonly tokens: readonly GivenToken[];
  /** What a registry thinks of an `Authorization`. @param region tokens of other regions are unknown; any region unless given */
  accepts(authorization: string, region?: string): "ok" | "expired" | "unknown";
  /** Ends every token that was given out, before its time. */
  revokeTokens(): void;
  signing(repository: string, digest: string, ...statuses: readonly Signing[]): void;
  archived(repository: string, digest: string, count: number): void;
}

export interface EcrDoubleOptions extends Partial<EcrState> {
  /** Milliseconds since the epoch: the clock that tokens end on. Default that of the server. */
  readonly now?: () => number;
}

export function createEcrDouble({ now, ...options }: EcrDoubleOptions = {}): EcrDouble {
  const state: EcrState = { lifeMs: TWELVE_HOURS_MS, passwordLength: 1600, ...options };
  const tokens: GivenToken[] = [];
  const signings = new Map<string, readonly Signing[]>();
  const archives = new Map<string, number>();
  let clock: Issuer["now"] = now ?? Date.now;

  const service: Service = {
    name: "ecr",
    protocol: json11(TARGET),
    operations: new Map([
      [
        "GetAuthorizationToken",
        {
          answer: ({ region, account }, aws) => {
            clock = now ?? (() => aws.now());
            const password = randomBytes(state.passwordLength)
              .toString("base64")
              .slice(0, state.passwordLength);
            const authorizationToken = Buffer.from(`AWS:${password}`).toString("base64");
            const expiresAt = clock() + state.lifeMs;
            const authorization = `Basic ${authorizationToken}`;
            tokens.push({ region, account, authorization, expiresAt });
            const proxyEndpoint = `https://${account}.dkr.ecr.${region}.amazonaws.com`;
            return {
              authorizationData: [
                { authorizationToken, expiresAt: expiresAt / 1000, proxyEndpoint },
              ],
            };
          },
        },
      ],
      [
        "DescribeImageSigningStatus",
        {
          resource: repositoryArn,
          answer: (call) => {
            const statuses = signings.get(imageOf(call, "imageId"));
            if (statuses === undefined) {
              return refusal(400, "ImageNotFoundException", "The image does not exist.");
            }
            return {
              repositoryName: call.input["repositoryName"],
              imageId: call.input["imageId"],
              registryId: call.input["registryId"],
              signingStatuses: statuses.map(toStatus),
            };
          },
        },
      ],
      [
        "ListImageReferrers",
        {
          resource: repositoryArn,
          answer: (call) => {
            const filter = call.input["filter"] as { readonly artifactStatus?: string };
            const count = archives.get(imageOf(call, "subjectId")) ?? 0;
            // Only active ones are listed unless it is asked for more.
            const listed = filter.artifactStatus === "ANY" ? count : 0;
            return {
              referrers: Array.from({ length: listed }, (_, index) => ({
                digest: `sha256:${String(index).padStart(64, "0")}`,
                mediaType: "application/vnd.oci.image.manifest.v1+json",
                artifactType: SIGNATURE,
                size: 700,
                artifactStatus: "ARCHIVED",
              })),
            };
          },
        },
      ],
    ]),
  };

  return {
    service,
    state,
    tokens,
    accepts(authorization, region) {
      const given = tokens.find((token) => token.authorization === authorization);
      if (given === undefined || (region !== undefined && given.region !== region))
        return "unknown";
      return clock() < given.expiresAt ? "ok" : "expired";
    },
    revokeTokens() {
      for (const token of tokens) token.expiresAt = -Infinity;
    },
    signing: (repository, digest, ...statuses) =>
      void signings.set(`${repository}@${digest}`, statuses),
    archived(repository, digest, count) {
      archives.set(`${repository}@${digest}`, count);
      if (!signings.has(`${repository}@${digest}`)) signings.set(`${repository}@${digest}`, []);
    },
  };
}

const PROFILE = "arn:aws:signer:us-east-1:111122223333:/signing-profiles/app";

/** A member of an input that is text. */
const textOf = ({ input }: Call, member: string): string | undefined => {
  const value = input[member];
  return typeof value === "string" ? value : undefined;
};

const repositoryArn = (call: Call): string =>
  `arn:aws:ecr:${call.region}:${textOf(call, "registryId") ?? call.account}:repository/${textOf(call, "repositoryName")}`;

/** `app@sha256:…` @param member that holds the digest */
const imageOf = (call: Call, member: string): string => {
  const { imageDigest } = call.input[member] as { readonly imageDigest?: string };
  return `${textOf(call, "repositoryName")}@${imageDigest}`;
};

/** As it is on the wire. */
const toStatus = ({ status, profile = PROFILE, failureCode, failureReason }: Signing): object => ({
  signingProfileArn: profile,
  status,
  ...(failureCode !== undefined && { failureCode, failureReason }),
});
