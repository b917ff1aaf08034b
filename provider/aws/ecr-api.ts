import type { ECRClient } from "@aws-sdk/client-ecr";
import type { Digest } from "../image/digest.ts";
import { createDeadlines, untilAborted } from "../lib/deadline.ts";
import { isObject } from "../lib/strict-json.ts";
import type { Credentials } from "./credentials.ts";
import { failureOf, isFailure, type Attempt, type AwsFailure } from "./failure.ts";
import { AwsCredentialsError, type AwsCredentials } from "./keys.ts";
import { apiHost, type EndpointKind } from "./partition.ts";
import type { Clocks, Lent } from "./renewed.ts";
import type { SdkSettings } from "./sdk.ts";

/** Where and as whom ECR's own interface is asked. */
export interface EcrCaller {
  readonly region: string;
  /** ARN of the role to assume; the provider's own otherwise. */
  readonly role: string | undefined;
}

/** An image in ECR. */
export interface EcrImage {
  /** Twelve digits: whose registry it is. */
  readonly account: string;
  readonly repository: string;
  readonly digest: Digest;
}

/** What ECR says of one signing profile and an image. */
export interface ProfileStatus {
  readonly profile: string;
  /** `IN_PROGRESS`, `COMPLETE` or `FAILED`. */
  readonly status: string;
  /** ECR's own words, one line, when it failed. */
  readonly why: string;
}

/** ECR's own interface, one question each; attempts and bounds are this side's. Nothing rejects but for the signal. */
export interface EcrApi extends Disposable {
  /** A token for every registry of the region that the caller may read: the password of the user `AWS`. */
  token(caller: EcrCaller, signal: AbortSignal): Promise<Lent<string> | AwsFailure>;
  signing(
    caller: EcrCaller,
    image: EcrImage,
    signal: AbortSignal,
  ): Promise<readonly ProfileStatus[] | AwsFailure>;
  /** How many signatures of the image are in archive storage, or on their way out of it. The first page counts. */
  archived(caller: EcrCaller, image: EcrImage, signal: AbortSignal): Promise<number | AwsFailure>;
}

export interface EcrApiOptions extends Clocks, EndpointKind {
  readonly credentials: Pick<Credentials, "current" | "replace">;
  readonly sdk: SdkSettings;
  /** `https://host` in place of AWS's own in a region. */
  readonly endpoint?: (region: string) => string | undefined;
  /** Milliseconds that one attempt may take. */
  readonly requestTimeoutMs: number;
}

const ATTEMPTS = 2;

/** Milliseconds before the second attempt: the least, and how much more it may be. */
const BACKOFF_MS = 100;
const BACKOFF_SPREAD_MS = 200;

/** `AWS:<password>`, and what it may be in base64. Sent in a header, so it has to fit into one. */
const PASSWORD = /^AWS:(?<password>[\u0021-\u007e]{1,12288})$/;

/** @see OCI Distribution Specification 1.1 and the Notary Project's signature specification */
const SIGNATURE = "application/vnd.cncf.notary.signature";

const POLICY = "in the IAM policy of the provider's role";

/** Loads the SDK with the first question. */
export function createEcrApi(options: EcrApiOptions): EcrApi {
  const { credentials, sdk, requestTimeoutMs, schedule, random } = options;
  const late = new DOMException("the attempt took too long", "AbortError");
  const deadlines = createDeadlines(requestTimeoutMs, late, schedule);
  const clients = new Map<string, ECRClient>();

  const clientFor = async ({ region, role }: EcrCaller): Promise<ECRClient> => {
    const { ECRClient } = await import("@aws-sdk/client-ecr");
    const name = `${region} ${role ?? ""}`;
    const known = clients.get(name);
    if (known !== undefined) return known;
    const made = new ECRClient({
      ...sdk,
      region,
      // Said even where it is AWS's own, so that no variable and no file says another.
      endpoint: options.endpoint?.(region) ?? `https://${apiHost("ecr", region, options)}`,
      // They have just been asked for, so they come from memory. The SDK keeps what does not say when it expires for ever.
      credentials: async () => {
        const keys = await credentials.current(role, NEVER);
        if (isFailure(keys)) throw new AwsCredentialsError(keys);
        return { ...keys, expiration: new Date(0) };
      },
    });
    clients.set(name, made);
    return made;
  };

  /** One attempt, which ends with its own time or the signal, whichever is first. */
  const once = async <T>(
    caller: EcrCaller,
    attempt: Attempt,
    call: (client: ECRClient, abortSignal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T | AwsFailure> => {
    const own = deadlines.begin();
    const either = AbortSignal.any([own.signal, signal]);
    try {
      return await untilAborted(call(await clientFor(caller), either), either);
    } catch (error) {
      signal.throwIfAborted();
      return error instanceof AwsCredentialsError ? error.failure : failureOf(error, attempt);
    } finally {
      own.end();
    }
  };

  /** Asks, and once more where that may help: with other credentials, or a little later. */
  const ask = async <T extends object>(
    caller: EcrCaller,
    attempt: Attempt,
    call: (client: ECRClient, abortSignal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T | AwsFailure> => {
    for (let left = ATTEMPTS - 1; ; left -= 1) {
      const keys = await credentials.current(caller.role, signal);
      if (isFailure(keys)) return keys;
      const answer = await once(caller, attempt, call, signal);
      if (!isFailure(answer) || left === 0) return answer;
      const isWorthIt = await prepare(answer, keys, caller, signal);
      if (!isWorthIt) return answer;
    }
  };

  /** @returns whether another attempt may end otherwise */
  const prepare = async (
    { failure, words }: AwsFailure,
    keys: AwsCredentials,
    { role }: EcrCaller,
    signal: AbortSignal,
  ): Promise<boolean> => {
    if (failure === "expired") return (await credentials.replace(role, keys, signal)) !== keys;
    // The SDK has set its clock by the answer's date.
    if (failure === "denied") return words !== undefined && SKEWED.test(words);
    if (failure !== "throttled" && failure !== "unreachable") return false;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = schedule(BACKOFF_MS + BACKOFF_SPREAD_MS * random(), resolve);
    await untilAborted(promise, signal).finally(() => timer.cancel());
    return true;
  };

  return {
    async token(caller, signal) {
      const attempt = {
        service: "ECR",
        action: "ecr:GetAuthorizationToken",
        remedy: `on * ${POLICY}`,
      };
      const { GetAuthorizationTokenCommand } = await import("@aws-sdk/client-ecr");
      const command = (client: ECRClient, abortSignal: AbortSignal) =>
        client.send(new GetAuthorizationTokenCommand({}), { abortSignal });
      const answer = await ask(caller, attempt, command, signal);
      if (isFailure(answer)) return answer;
      const [{ authorizationToken, expiresAt } = {}] = recordsOf(answer.authorizationData);
      const text = Buffer.from(textOf(authorizationToken), "base64").toString("latin1");
      const password = PASSWORD.exec(text)?.groups?.["password"];
      if (password === undefined) {
        return { failure: "unreachable", sentence: "ECR gave an answer without a token" };
      }
      const endsAt = expiresAt instanceof Date ? expiresAt.getTime() : Number.NaN;
      return {
        value: password,
        expiresAt: Number.isNaN(endsAt) ? options.wallNow() + HOUR_MS : endsAt,
      };
    },
    async signing(caller, { account, repository, digest }, signal) {
      const action = "ecr:DescribeImageSigningStatus";
      const attempt = { service: "ECR", action, remedy: `on the repository ${POLICY}` };
      const { DescribeImageSigningStatusCommand } = await import("@aws-sdk/client-ecr");
      const answer = await ask(
        caller,
        attempt,
        (client, abortSignal) =>
          client.send(
            new DescribeImageSigningStatusCommand({
              registryId: account,
              repositoryName: repository,
              imageId: { imageDigest: digest },
            }),
            { abortSignal },
          ),
        signal,
      );
      if (isFailure(answer)) return answer;
      return recordsOf(answer.signingStatuses).map(
        ({ signingProfileArn, status, failureCode, failureReason }) => ({
          profile: textOf(signingProfileArn),
          status: textOf(status),
          why: [failureCode, failureReason].map(textOf).filter(Boolean).join(": "),
        }),
      );
    },
    async archived(caller, { account, repository, digest }, signal) {
      const attempt = {
        service: "ECR",
        action: "ecr:BatchGetImage",
        remedy: `on the repository ${POLICY}`,
      };
      const { ListImageReferrersCommand } = await import("@aws-sdk/client-ecr");
      const answer = await ask(
        caller,
        attempt,
        (client, abortSignal) =>
          client.send(
            new ListImageReferrersCommand({
              registryId: account,
              repositoryName: repository,
              subjectId: { imageDigest: digest },
              filter: { artifactTypes: [SIGNATURE], artifactStatus: "ANY" },
            }),
            { abortSignal },
          ),
        signal,
      );
      if (isFailure(answer)) return answer;
      return recordsOf(answer.referrers).filter(
        ({ artifactType, artifactStatus }) =>
          artifactType === SIGNATURE &&
          (artifactStatus === "ARCHIVED" || artifactStatus === "ACTIVATING"),
      ).length;
    },
    [Symbol.dispose]() {
      deadlines.abort(late);
      for (const client of clients.values()) client.destroy();
      clients.clear();
    },
  };
}

/** The SDK hands on what it was sent, whatever its types say: the objects of what should be a list of them. */
const recordsOf = (list: unknown): readonly Readonly<Record<string, unknown>>[] =>
  Array.isArray(list) ? list.filter(isObject) : [];

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

const NEVER = new AbortController().signal;
const HOUR_MS = 3_600_000;

/** What AWS says of a signature whose date is too far from its clock. */
const SKEWED = /Signature (?:expired|not yet current)/;
