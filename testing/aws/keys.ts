// Who is who to AWS on loopback: keys, and whether a request was signed with them.
import { randomBytes } from "node:crypto";
import type { CommonError } from "./protocol.ts";
import { amzDate, isSignedBy, parseAmzDate, type Scope, type SignedRequest } from "./sigv4.ts";

/** Keys as clients have them. */
export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Only of temporary ones. */
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

/** The variables by which a process gets long-lived keys. */
export const variablesOf = ({ accessKeyId, secretAccessKey }: Keys) => ({
  AWS_ACCESS_KEY_ID: accessKeyId,
  AWS_SECRET_ACCESS_KEY: secretAccessKey,
});

export interface IssueOptions {
  /** Default `111122223333`. */
  readonly account?: string;
  /** Role that is assumed. Default `provider`. */
  readonly role?: string;
  /** Name of the session. Default `session`. */
  readonly session?: string;
  /** Milliseconds until they expire. Default an hour. */
  readonly lifeMs?: number;
}

/** Makes temporary credentials. */
export interface Issuer {
  issue(options?: IssueOptions): Required<Keys>;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** What AWS says of keys that have ended. */
export const EXPIRED = "The security token included in the request is expired";
const UNKNOWN_KEY = "The security token included in the request is invalid.";
const WRONG_SIGNATURE =
  "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";

const HOUR_MS = 3_600_000;
/** How far the date of a signature may be from the server's clock. */
const SKEW_MS = 5 * 60_000;
const ACCOUNT = "111122223333";

interface Holder extends Keys {
  readonly principal: string;
  readonly account: string;
  expiresAt: number;
}

/** Who is asking, and what a request has to be signed for. */
interface Claim {
  /** `ecr` */
  readonly service: string;
  /** The only one that is taken; undefined for any. */
  readonly region: string | undefined;
  readonly scope: Scope | undefined;
  readonly request: SignedRequest;
}

export interface KeyringOptions {
  /** Milliseconds since the epoch: the clock that dates of signatures are held against. */
  readonly now: () => number;
  /** The clock that temporary keys end on. */
  readonly lifeNow: () => number;
  /** `aws` */
  readonly partition: string;
}

/** Whose keys there are. */
export interface Keyring extends Issuer {
  /** Of a user, without an end: `arn:aws:iam::111122223333:user/provider`. */
  readonly credentials: Keys;
  /** Ends keys before their time. */
  expire(accessKeyId: string): void;
  /** @returns who signed, or which of AWS's errors says why nobody did, with its words */
  readonly authenticate: (claim: Claim) => Holder | readonly [CommonError, string];
}

export function createKeyring({ now, lifeNow, partition }: KeyringOptions): Keyring {
  const holders = new Map<string, Holder>();
  const hold = (keys: Keys, account: string, principal: string): void => {
    const expiresAt = keys.expiration?.getTime() ?? Infinity;
    holders.set(keys.accessKeyId, { ...keys, account, principal, expiresAt });
  };
  const credentials: Keys = {
    accessKeyId: `AKIA${randomName()}`,
    secretAccessKey: randomBytes(30).toString("base64"),
  };
  hold(credentials, ACCOUNT, `arn:${partition}:iam::${ACCOUNT}:user/provider`);

  return {
    now,
    issue({ account = ACCOUNT, role = "provider", session = "session", lifeMs = HOUR_MS } = {}) {
      const keys = {
        accessKeyId: `ASIA${randomName()}`,
        secretAccessKey: randomBytes(30).toString("base64"),
        sessionToken: randomBytes(120).toString("base64"),
        // AWS knows no fractions of a second here.
        expiration: new Date(Math.floor((lifeNow() + lifeMs) / 1000) * 1000),
      };
      hold(keys, account, `arn:${partition}:sts::${account}:assumed-role/${role}/${session}`);
      return keys;
    },
    credentials,
    expire(accessKeyId) {
      const holder = holders.get(accessKeyId);
      if (holder !== undefined) holder.expiresAt = -Infinity;
    },
    authenticate({ service, region, scope, request }) {
      const { headers } = request;
      if (scope === undefined) return ["missing", "Request is missing Authentication Token"];
      const holder = holders.get(scope.accessKeyId);
      if (holder === undefined) return ["unrecognized", UNKNOWN_KEY];
      if (headers["x-amz-security-token"] !== holder.sessionToken) {
        return ["unrecognized", UNKNOWN_KEY];
      }
      if (lifeNow() >= holder.expiresAt) return ["expired", EXPIRED];
      const date = String(headers["x-amz-date"] ?? "");
      const skewMs = parseAmzDate(date) - now();
      if (!(Math.abs(skewMs) <= SKEW_MS)) {
        const limit = `${amzDate(now() + Math.sign(skewMs) * SKEW_MS)} (${amzDate(now())} ${skewMs < 0 ? "-" : "+"} 5 min.)`;
        return [
          "signature",
          skewMs < 0
            ? `Signature expired: ${date} is now earlier than ${limit}`
            : `Signature not yet current: ${date} is still later than ${limit}`,
        ];
      }
      if (scope.date !== date.slice(0, 8)) {
        return [
          "signature",
          "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP",
        ];
      }
      if (region !== undefined && scope.region !== region) {
        return [
          "signature",
          `Credential should be scoped to a valid region, not '${scope.region}'. `,
        ];
      }
      if (scope.service !== service) {
        return ["signature", `Credential should be scoped to correct service: '${service}'. `];
      }
      if (!isSignedBy(holder.secretAccessKey, scope, request))
        return ["signature", WRONG_SIGNATURE];
      return holder;
    },
  };
}

/** Sixteen capitals and digits. */
const randomName = (): string =>
  Array.from(randomBytes(16), (byte) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[byte % 32]).join("");
