/** A part of AWS that knows nothing of the others: names, accounts and credentials of one mean nothing in another. */
export interface Partition {
  /** As ARNs have it: `aws-cn`. */
  readonly name: string;
  /** Which regions are its own. */
  readonly regions: RegExp;
  /** Behind the names of services: `amazonaws.com.cn`. */
  readonly suffix: string;
  /** Behind the names of services that answer over IPv6 as well. */
  readonly dualStackSuffix: string;
  /** Behind the names of registries that answer over IPv6 as well, where any are known. */
  readonly registrySuffix?: string;
  /** For services that are asked before anybody has named a region. */
  readonly defaultRegion: string;
}

/**
 * The first row that matches a region is its partition.
 * @see awslabs/amazon-ecr-credential-helper for the suffixes of registries, and the endpoint rules of AWS's SDK for the others
 */
const PARTITIONS: readonly Partition[] = [
  {
    name: "aws-cn",
    regions: /^cn-/,
    suffix: "amazonaws.com.cn",
    dualStackSuffix: "api.amazonwebservices.com.cn",
    registrySuffix: "on.amazonwebservices.com.cn",
    defaultRegion: "cn-north-1",
  },
  {
    name: "aws-us-gov",
    regions: /^us-gov-/,
    suffix: "amazonaws.com",
    dualStackSuffix: "api.aws",
    registrySuffix: "on.aws",
    defaultRegion: "us-gov-west-1",
  },
  {
    name: "aws-eusc",
    regions: /^eusc-/,
    suffix: "amazonaws.eu",
    dualStackSuffix: "api.amazonwebservices.eu",
    defaultRegion: "eusc-de-east-1",
  },
  {
    name: "aws-iso",
    regions: /^us-iso-/,
    suffix: "c2s.ic.gov",
    dualStackSuffix: "api.aws.ic.gov",
    defaultRegion: "us-iso-east-1",
  },
  {
    name: "aws-iso-b",
    regions: /^us-isob-/,
    suffix: "sc2s.sgov.gov",
    dualStackSuffix: "api.aws.scloud",
    defaultRegion: "us-isob-east-1",
  },
  {
    name: "aws-iso-e",
    regions: /^eu-isoe-/,
    suffix: "cloud.adc-e.uk",
    dualStackSuffix: "api.cloud-aws.adc-e.uk",
    defaultRegion: "eu-isoe-west-1",
  },
  {
    name: "aws-iso-f",
    regions: /^us-isof-/,
    suffix: "csp.hci.ic.gov",
    dualStackSuffix: "api.aws.hci.ic.gov",
    defaultRegion: "us-isof-south-1",
  },
  {
    name: "aws",
    // An isolated region that is not known here is none of the public ones.
    regions: /^(?!us-iso|eu-iso)/,
    suffix: "amazonaws.com",
    dualStackSuffix: "api.aws",
    registrySuffix: "on.aws",
    defaultRegion: "us-east-1",
  },
];

/** Lower-case words and a digit, `eu-central-1`. */
const REGION = /^[a-z]{2,6}(?:-[a-z]{1,16}){1,3}-[1-9]$/;

/** Whether a text may name a region of AWS. */
const isRegion = (text: string): boolean => REGION.test(text);

/** The partition of a region; undefined for a text that can be no region, or one of a partition that is not known. */
export function partitionOf(region: string): Partition | undefined {
  return isRegion(region) ? PARTITIONS.find(({ regions }) => regions.test(region)) : undefined;
}

/** The partition of an ARN, `arn:aws-cn:…`; undefined for one that is not known. */
export function partitionOfArn(arn: string): Partition | undefined {
  const [, name] = arn.split(":", 2);
  return PARTITIONS.find((partition) => partition.name === name);
}

/** Which kind of endpoint is asked. */
export interface EndpointKind {
  /** One with validated cryptography; AWS has them in some regions only. */
  readonly fips: boolean;
  /** One that answers over IPv6 as well. */
  readonly dualStack: boolean;
}

/**
 * Host of a service's own interface.
 * @returns undefined for a region of no partition that is known
 * @see the endpoint rules of AWS's SDK, against which a test holds this
 */
export function apiHost(
  service: "ecr" | "sts",
  region: string,
  { fips, dualStack }: EndpointKind,
): string | undefined {
  const partition = partitionOf(region);
  if (partition === undefined) return undefined;
  const name = `${service}${fips ? "-fips" : ""}`;
  if (dualStack) return `${name}.${region}.${partition.dualStackSuffix}`;
  // The first word of ECR's name is left out where IPv6 came later.
  return `${service === "ecr" ? "api." : ""}${name}.${region}.${partition.suffix}`;
}
