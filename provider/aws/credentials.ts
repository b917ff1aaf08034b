import { setTimeout } from "node:timers/promises";
import { sourceOf, SESSION_NAME, type AwsEnvironment, type Source } from "./environment.ts";
import { failureOf, isFailure, type AwsFailure } from "./failure.ts";
import { AwsCredentialsError, type AwsCredentials } from "./keys.ts";
import { apiHost, partitionOfArn, partitionOf, type EndpointKind } from "./partition.ts";
import { askPodIdentity } from "./pod-identity.ts";
import {
  createRenewed,
  type Clocks,
  type FetchEvent,
  type Lent,
  type Renewed,
  type RenewedState,
} from "./renewed.ts";
import type { SdkSettings } from "./sdk.ts";
import { readTokenFile } from "./token-file.ts";

export interface CredentialsOptions extends Clocks, EndpointKind {
  readonly environment: AwsEnvironment;
  readonly sdk: SdkSettings;
  /** Whether the role of the machine may be taken when there is nothing else. */
  readonly instanceMetadata: boolean;
  /** Region of STS where neither the environment nor a role's partition says one. */
  readonly region?: string;
  /** `https://host` of STS in place of AWS's own in a region. */
  readonly stsEndpoint?: (region: string) => string | undefined;
  /** Milliseconds that credentials may take. */
  readonly deadlineMs: number;
  readonly observe?: (event: CredentialsEvent) => void;
}

/** What became of an attempt to get credentials. */
export interface CredentialsEvent extends FetchEvent {
  readonly service: "credentials";
  /** The provider's own, or those of a role to assume. */
  readonly operation: "own" | "role";
  readonly source: Source["kind"];
  /** ARN of the role to assume. */
  readonly role?: string;
}

/** Who the provider is to AWS. */
export interface Credentials {
  /**
   * Credentials from memory, fetched anew before they expire. Rejects with the reason of `caller`.
   * @param role ARN of a role to assume; the provider's own otherwise
   * @returns why there are none
   */
  current(role: string | undefined, caller: AbortSignal): Promise<AwsCredentials | AwsFailure>;
  /** Others for ones that AWS no longer takes, unless they are new. */
  replace(
    role: string | undefined,
    refused: AwsCredentials,
    caller: AbortSignal,
  ): Promise<AwsCredentials | AwsFailure>;
  /**
   * The provider's own, as the SDK asks for them, and the Signer plugin.
   * @throws {AwsCredentialsError} named `CredentialsProviderError`
   */
  provide(): Promise<AwsCredentials>;
  /**
   * Who AWS takes the provider for, an ARN: `arn:aws:sts::111122223333:assumed-role/provider/session`. Asked anew each time; AWS
   * lets everybody ask it.
   */
  identity(caller: AbortSignal): Promise<string | AwsFailure>;
  /** Where they come from, how long they last, and why there are none; by role, the provider's own first. */
  states(): readonly CredentialsState[];
  close(): void;
}

export interface CredentialsState extends RenewedState {
  readonly source: Source["kind"];
  readonly role?: string;
}

/** Roles in use at once; a configuration names a few. */
const MAX_ROLES = 1000;

/** Life of credentials that do not say, of a file that may be written anew or of an answer without an end. Milliseconds. */
const UNSAID_LIFE_MS = 300_000;

/** Nothing is loaded, read or called before the first question. @see docs/reliability.md, F-15 and F-16 */
export function createCredentials(options: CredentialsOptions): Credentials {
  const { environment } = options;
  const source = sourceOf(environment, options.instanceMetadata);
  const known = new Map<string | undefined, Renewed<AwsCredentials>>();

  const clientConfig = (region: string) => ({
    ...options.sdk,
    region,
    endpoint: options.stsEndpoint?.(region) ?? `https://${apiHost("sts", region, options)}`,
  });

  /** Region of STS for a role: the provider's own if it is of the role's partition. */
  const regionFor = (roleArn: string | undefined): string => {
    const own = [environment.region, options.region].find((text) => partitionOf(text ?? ""));
    const partition = partitionOfArn(roleArn ?? "");
    if (own !== undefined && (partition ?? partitionOf(own)) === partitionOf(own)) return own;
    return partition?.defaultRegion ?? "us-east-1";
  };

  /** What one of the SDK's providers gives, without what only the SDK needs. */
  const lend = async (
    provide: () => Promise<SdkCredentials>,
    attempt: Parameters<typeof failureOf>[1],
  ): Promise<Lent<AwsCredentials> | AwsFailure> => {
    try {
      const { accessKeyId, secretAccessKey, sessionToken, expiration } = await provide();
      const value = {
        accessKeyId,
        secretAccessKey,
        ...(sessionToken !== undefined && { sessionToken }),
      };
      return { value, expiresAt: expiration?.getTime() ?? options.wallNow() + UNSAID_LIFE_MS };
    } catch (error) {
      if (error instanceof Error && error.name === "CredentialsProviderError") return NOBODY;
      return failureOf(error, attempt);
    }
  };

  const fetchOwn = async (deadline: AbortSignal): Promise<Lent<AwsCredentials> | AwsFailure> => {
    switch (source.kind) {
      case "environment":
        return { value: source.keys };
      case "podIdentity": {
        const { uri, tokenFile } = source;
        if (tokenFile === undefined) return askPodIdentity(uri, undefined, deadline);
        const token = await readTokenFile(tokenFile, (ms) => setTimeout(ms));
        return token === undefined ? noToken("Pod Identity") : askPodIdentity(uri, token, deadline);
      }
      case "webIdentity": {
        const token = await readTokenFile(source.tokenFile, (ms) => setTimeout(ms));
        if (token === undefined) return noToken("web identity");
        const { fromWebToken } = await import("@aws-sdk/credential-providers");
        const provide = fromWebToken({
          roleArn: source.roleArn,
          roleSessionName: source.sessionName,
          webIdentityToken: token,
          clientConfig: clientConfig(regionFor(source.roleArn)),
          logger: options.sdk.logger,
        });
        return lend(provide, {
          service: "STS",
          action: "sts:AssumeRoleWithWebIdentity",
          remedy: "to the provider's ServiceAccount in the trust policy of its role",
        });
      }
      case "profile": {
        const { fromIni } = await import("@aws-sdk/credential-providers");
        const provide = fromIni({
          profile: source.profile,
          clientConfig: clientConfig(regionFor(undefined)),
          ignoreCache: true,
          logger: options.sdk.logger,
        });
        return lend(provide, {
          service: "STS",
          action: "sts:AssumeRole",
          remedy: "to the credentials of the profile",
        });
      }
      case "instanceMetadata": {
        const { fromInstanceMetadata } = await import("@aws-sdk/credential-providers");
        const { requestTimeout } = options.sdk.requestHandler;
        const provide = fromInstanceMetadata({
          timeout: requestTimeout,
          maxRetries: 0,
          logger: options.sdk.logger,
        });
        return lend(provide, {
          service: "the instance's metadata",
          action: "credentials",
          remedy: "by a role of the instance",
        });
      }
    }
  };

  const fetchRole = async (
    role: string,
    deadline: AbortSignal,
  ): Promise<Lent<AwsCredentials> | AwsFailure> => {
    const own = await current(undefined, deadline);
    if (isFailure(own)) return own;
    const { fromTemporaryCredentials } = await import("@aws-sdk/credential-providers");
    const provide = fromTemporaryCredentials({
      masterCredentials: own,
      params: { RoleArn: role, RoleSessionName: SESSION_NAME },
      clientConfig: clientConfig(regionFor(role)),
      logger: options.sdk.logger,
    });
    const lent = await lend(provide, {
      service: "STS",
      action: "sts:AssumeRole",
      remedy: "in the policy of the provider's role and in the trust policy of the role to assume",
    });
    if (isFailure(lent) && lent.failure === "expired") await replace(undefined, own, deadline);
    return lent;
  };

  const renewedOf = (role: string | undefined): Renewed<AwsCredentials> => {
    const found = known.get(role);
    if (found !== undefined) return found;
    if (known.size > MAX_ROLES) throw new TypeError("more roles than any configuration names");
    const made = createRenewed({
      ...options,
      fetch: role === undefined ? fetchOwn : (deadline) => fetchRole(role, deadline),
      late: { failure: "unreachable", sentence: `${LATE[source.kind]} did not answer in time` },
      tell: (event) =>
        options.observe?.({
          service: "credentials",
          operation: role === undefined ? "own" : "role",
          source: source.kind,
          ...(role !== undefined && { role }),
          ...event,
        }),
    });
    known.set(role, made);
    return made;
  };

  const current: Credentials["current"] = (role, caller) => renewedOf(role).current(caller);
  const replace: Credentials["replace"] = (role, refused, caller) =>
    renewedOf(role).replace(refused, caller);

  return {
    current,
    replace,
    async provide() {
      const keys = await current(undefined, NEVER);
      if (isFailure(keys)) throw new AwsCredentialsError(keys);
      return keys;
    },
    async identity(caller) {
      const keys = await current(undefined, caller);
      if (isFailure(keys)) return keys;
      const { GetCallerIdentityCommand, STSClient } = await import("@aws-sdk/client-sts");
      const client = new STSClient({ ...clientConfig(regionFor(undefined)), credentials: keys });
      try {
        const answer = client.send(new GetCallerIdentityCommand({}), { abortSignal: caller });
        return (await answer).Arn ?? UNNAMED;
      } catch (error) {
        caller.throwIfAborted();
        return failureOf(error, {
          service: "STS",
          action: "sts:GetCallerIdentity",
          remedy: "to the provider's credentials",
        });
      }
    },
    states: () =>
      [...known].map(([role, renewed]) =>
        Object.assign(renewed.state(), { source: source.kind }, role === undefined ? {} : { role }),
      ),
    close() {
      for (const renewed of known.values()) renewed[Symbol.dispose]();
    },
  };
}

const UNNAMED: AwsFailure = {
  failure: "unreachable",
  sentence: "STS gave an answer that names nobody",
};

/** A deadline of its own bounds every fetch. */
const NEVER = new AbortController().signal;

const LATE: Readonly<Record<Source["kind"], string>> = {
  environment: "AWS",
  profile: "what the profile names",
  webIdentity: "STS",
  podIdentity: "the Pod Identity agent",
  instanceMetadata: "the instance's metadata",
};

const noToken = (kind: string): AwsFailure => ({
  failure: "missing",
  sentence: `the ${kind} token of the Pod cannot be read: is it mounted?`,
});

interface SdkCredentials extends AwsCredentials {
  readonly expiration?: Date;
}

/** What the SDK's providers say of profiles and instances that have nothing; their own words hold paths. */
const NOBODY: AwsFailure = {
  failure: "missing",
  sentence:
    "there are no AWS credentials: give the ServiceAccount a role (IRSA or EKS Pod Identity), or set AWS_PROFILE or keys in the environment",
};
