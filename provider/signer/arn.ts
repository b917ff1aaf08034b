/** A signing profile version, or a profile that has only an alias, and where Signer keeps it. */
export interface ProfileArn {
  readonly partition: string;
  readonly region: string;
  /** What a trust policy names to trust every version of it. */
  readonly profile: string;
}

// One ASCII spelling each; nothing of them can end a host name or a line.
const REGION = "(?<region>[a-z]{2,6}(?:-[a-z]{2,12}){1,3}-\\d{1,2})";
const START = `arn:(?<partition>aws(?:-[a-z]{1,12}){0,3}):signer:${REGION}`;
const UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";

const PROFILE_VERSION = new RegExp(
  `^(?<profile>${START}:\\d{12}:/signing-profiles/[a-zA-Z0-9_]{2,64})/[a-zA-Z0-9]{10}$`,
);
const PROFILE = new RegExp(
  `^(?<profile>${START}:(?<account>\\d{12}):/signing-profiles/(?<name>[a-zA-Z0-9_]{2,64}))(?:/[a-zA-Z0-9]{10})?$`,
);
const ALIASED_PROFILE = new RegExp(`^(?<profile>${START}::/aliased-signing-profiles/${UUID})$`);
const JOB = new RegExp(`^${START}:\\d{12}:/signing-jobs/${UUID}$`);
const ALIAS = /^arn:aws(?:-[a-z]{1,12}){0,3}:signer:::\/aliases\/[\x21-\x7e]{1,256}$/;

/** Partitions whose regions have a beginning of their own; every other region is of partition `aws`. */
const PARTITIONS: readonly (readonly [start: string, partition: string])[] = [
  ["cn-", "aws-cn"],
  ["us-gov-", "aws-us-gov"],
  ["eusc-", "aws-eusc"],
  ["us-iso-", "aws-iso"],
  ["us-isob-", "aws-iso-b"],
  ["eu-isoe-", "aws-iso-e"],
  ["us-isof-", "aws-iso-f"],
];

/** The partition that a region belongs to. */
export const partitionOf = (region: string): string =>
  PARTITIONS.find(([start]) => region.startsWith(start))?.[1] ?? "aws";

/**
 * Reads `arn:<partition>:signer:<region>:<account>:/signing-profiles/<name>/<version>`, or the ARN that stands in its
 * place where a profile has only an alias.
 * @returns undefined for anything else, and where the region is not one of the partition's
 * @see AWS Signer API reference, "GetSigningProfile" and "DescribeSigningJob"
 */
export function parseProfileVersion(arn: string): ProfileArn | undefined {
  const groups = (PROFILE_VERSION.exec(arn) ?? ALIASED_PROFILE.exec(arn))?.groups;
  const { partition, region, profile } = groups ?? {};
  if (partition === undefined || region === undefined || profile === undefined) return undefined;
  return partitionOf(region) === partition ? { partition, region, profile } : undefined;
}

/** A signing profile as a trust policy names it. */
export interface SigningProfile {
  readonly partition: string;
  readonly region: string;
  /** Twelve digits: whose profile it is. */
  readonly account: string;
  readonly name: string;
  /** Without a version, `arn:<partition>:signer:<region>:<account>:/signing-profiles/<name>`. */
  readonly arn: string;
}

/**
 * Reads the ARN of a signing profile, with a version or without.
 * @returns undefined for anything else, and where the region is not one of the partition's
 */
export function parseProfile(arn: string): SigningProfile | undefined {
  const { profile, ...groups } = PROFILE.exec(arn)?.groups ?? {};
  const { partition, region, account, name } = groups;
  if (profile === undefined || partition === undefined || region === undefined) return undefined;
  if (account === undefined || name === undefined) return undefined;
  if (partitionOf(region) !== partition) return undefined;
  return { partition, region, account, name, arn: profile };
}

/** `arn:<partition>:signer:<region>:<account>:/signing-jobs/<uuid>`. */
export const isJob = (arn: string): boolean => JOB.test(arn);

/** `arn:<partition>:signer:::/aliases/<alias>`. */
export const isAlias = (arn: string): boolean => ALIAS.test(arn);
