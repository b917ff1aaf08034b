/**
 * STS on loopback: AssumeRoleWithWebIdentity, AssumeRole and GetCallerIdentity.
 *
 *   const sts = createSts({ webIdentity: "token-of-the-Pod" });
 *   await using aws = await startAws({ services: [sts.service] });
 *   sts.state.webIdentity = "token-after-rotation";
 *   sts.trust("arn:aws:iam::444455556666:role/reader");   // may be assumed by anybody whom the server knows
 *   aws.on("AssumeRole", throttled(), pass());
 */
import { query } from "./protocol.ts";
import type { Issuer } from "./keys.ts";
import { refusal, type Call, type Output, type Service } from "./service.ts";

/** What can be changed while it runs. */
export interface StsState {
  /** What a web identity has to show. Default `web-identity-token`. */
  webIdentity: string;
  /** Milliseconds that credentials last. Default an hour. */
  lifeMs: number;
}

export interface Sts {
  readonly service: Service;
  readonly state: StsState;
  /** Lets a role be assumed by AssumeRole. @param arn `arn:aws:iam::444455556666:role/reader` */
  trust(arn: string): void;
}

const ROLE = /^arn:(?<partition>[a-z-]+):iam::(?<account>[0-9]{12}):role\/(?<role>[\w+=,.@/-]+)$/;

export function createSts(options: Partial<StsState> = {}): Sts {
  const state: StsState = { webIdentity: "web-identity-token", lifeMs: 3_600_000, ...options };
  const trusted = new Set<string>();

  const lend = ({ input }: Call, aws: Issuer): Output => {
    const { partition, account, role } = ROLE.exec(textOf(input["RoleArn"]))?.groups ?? {};
    if (account === undefined || role === undefined) {
      return refusal(400, "ValidationError", "Request ARN is invalid");
    }
    const session = textOf(input["RoleSessionName"]);
    const keys = aws.issue({ account, role, session, lifeMs: state.lifeMs });
    return {
      Credentials: {
        AccessKeyId: keys.accessKeyId,
        SecretAccessKey: keys.secretAccessKey,
        SessionToken: keys.sessionToken,
        Expiration: keys.expiration.toISOString(),
      },
      AssumedRoleUser: {
        Arn: `arn:${partition}:sts::${account}:assumed-role/${role}/${session}`,
        AssumedRoleId: `AROA00000000000000000:${session}`,
      },
    };
  };

  return {
    service: {
      name: "sts",
      protocol: query("https://sts.amazonaws.com/doc/2011-06-15/", "2011-06-15"),
      operations: new Map([
        [
          "AssumeRoleWithWebIdentity",
          {
            isUnsigned: true,
            answer: (call, aws) =>
              call.input["WebIdentityToken"] === state.webIdentity
                ? lend(call, aws)
                : refusal(400, "InvalidIdentityToken", "The ID Token provided is not a valid JWT."),
          },
        ],
        [
          "GetCallerIdentity",
          {
            answer: ({ principal, account }) => ({
              Arn: principal,
              Account: account,
              UserId: "AIDA00000000000000000",
            }),
          },
        ],
        [
          "AssumeRole",
          {
            resource: ({ input }) => textOf(input["RoleArn"]),
            answer: (call, aws) => {
              const arn = textOf(call.input["RoleArn"]);
              return trusted.has(arn)
                ? lend(call, aws)
                : refusal(
                    403,
                    "AccessDenied",
                    `User: ${call.principal} is not authorized to perform: sts:AssumeRole on resource: ${arn}`,
                  );
            },
          },
        ],
      ]),
    },
    state,
    trust: (arn) => void trusted.add(arn),
  };
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
