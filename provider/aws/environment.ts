/** Who the provider is to AWS, as the variables say that EKS and AWS's own tools set. */
export interface AwsEnvironment {
  readonly region?: string;
  /** Of the shared files. */
  readonly profile?: string;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  readonly sessionToken?: string;
  /** IAM roles for service accounts. */
  readonly roleArn?: string;
  readonly roleSessionName?: string;
  /** Path. */
  readonly webIdentityTokenFile?: string;
  /** The agent of EKS Pod Identity: a URL, and the path of what it wants to see. */
  readonly containerCredentialsUri?: string;
  readonly containerTokenFile?: string;
}

const VARIABLES: readonly (readonly [keyof AwsEnvironment, ...string[]])[] = [
  ["region", "AWS_REGION", "AWS_DEFAULT_REGION"],
  ["profile", "AWS_PROFILE"],
  ["accessKeyId", "AWS_ACCESS_KEY_ID"],
  ["secretAccessKey", "AWS_SECRET_ACCESS_KEY"],
  ["sessionToken", "AWS_SESSION_TOKEN"],
  ["roleArn", "AWS_ROLE_ARN"],
  ["roleSessionName", "AWS_ROLE_SESSION_NAME"],
  ["webIdentityTokenFile", "AWS_WEB_IDENTITY_TOKEN_FILE"],
  ["containerCredentialsUri", "AWS_CONTAINER_CREDENTIALS_FULL_URI"],
  ["containerTokenFile", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"],
];

/** Reads the variables; an empty one is none. Endpoints and proxies are none of them: those come from the configuration alone. */
export function toAwsEnvironment(
  variables: Readonly<Record<string, string | undefined>>,
): AwsEnvironment {
  const members = VARIABLES.flatMap(([member, ...names]) => {
    const value = names.map((name) => variables[name]).find((text) => text);
    return value === undefined ? [] : [[member, value] as const];
  });
  return Object.fromEntries(members);
}

/** Where credentials come from. */
export type Source =
  | { readonly kind: "profile"; readonly profile: string }
  | { readonly kind: "environment"; readonly keys: StaticKeys }
  | {
      readonly kind: "webIdentity";
      readonly roleArn: string;
      readonly sessionName: string;
      readonly tokenFile: string;
    }
  | { readonly kind: "podIdentity"; readonly uri: string; readonly tokenFile: string | undefined }
  | { readonly kind: "instanceMetadata" };

interface StaticKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** How the provider is called in AWS's logs unless the environment says otherwise. */
export const SESSION_NAME = "notation-gatekeeper-provider";

/**
 * The one source that counts: the first of a profile, keys in the environment, a web identity, Pod Identity. One that fails is not
 * passed over for the next, which would be somebody else. Nothing of these: the instance if the configuration allows it, else the profile
 * `default`, which a laptop may have.
 * @see @aws-sdk/credential-provider-node, whose chain has this order
 */
export function sourceOf(environment: AwsEnvironment, mayAskInstance: boolean): Source {
  const { profile, accessKeyId, secretAccessKey, sessionToken } = environment;
  const { roleArn, webIdentityTokenFile, containerCredentialsUri } = environment;
  if (profile !== undefined) return { kind: "profile", profile };
  if (accessKeyId !== undefined && secretAccessKey !== undefined) {
    const keys = {
      accessKeyId,
      secretAccessKey,
      ...(sessionToken !== undefined && { sessionToken }),
    };
    return { kind: "environment", keys };
  }
  if (roleArn !== undefined && webIdentityTokenFile !== undefined) {
    const sessionName = environment.roleSessionName ?? SESSION_NAME;
    return { kind: "webIdentity", roleArn, sessionName, tokenFile: webIdentityTokenFile };
  }
  if (containerCredentialsUri !== undefined) {
    const tokenFile = environment.containerTokenFile;
    return { kind: "podIdentity", uri: containerCredentialsUri, tokenFile };
  }
  return mayAskInstance ? { kind: "instanceMetadata" } : { kind: "profile", profile: "default" };
}
