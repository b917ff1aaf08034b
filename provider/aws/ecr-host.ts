import { partitionOf } from "./partition.ts";

/** What the host of a private registry of Amazon ECR says. */
export interface EcrHost {
  /** Twelve digits. */
  readonly account: string;
  /** As ARNs have it: `aws-us-gov`. */
  readonly partition: string;
  readonly region: string;
  readonly fips: boolean;
  readonly dualStack: boolean;
}

/** Longest name: the longest region and suffix fit twice. */
const MAX_LENGTH = 128;

/**
 * `<account>.dkr.ecr[-fips].<region>.<suffix>`, or `<account>.dkr-ecr[-fips].<region>.on.<suffix>` where IPv6 is answered
 * as well. Anchored at both ends and of lower-case ASCII alone, so that nothing stands before, behind or between:
 * no port, no user, no dot at the end, no escapes. Which regions and suffixes belong together is checked afterwards.
 * @see awslabs/amazon-ecr-credential-helper, whose own pattern takes more
 */
const HOST =
  /^(?<account>[0-9]{12})\.dkr(?:\.ecr|(?<dual>-ecr))(?<fips>-fips)?\.(?<region>[a-z]{2,6}(?:-[a-z]{1,16}){1,3}-[1-9])\.(?<suffix>[a-z0-9.-]+)$/;

/**
 * Reads the host of a private registry of ECR. Whoever gets a token by this gets it for AWS's own names alone: CVE-2025-27403
 * was a pattern without an end.
 * @returns undefined for everything else, also for ECR's own hosts in another spelling
 */
export function parseEcrHost(host: string): EcrHost | undefined {
  if (host.length > MAX_LENGTH) return undefined;
  const { account, dual, fips, region, suffix } = HOST.exec(host)?.groups ?? {};
  if (account === undefined || region === undefined) return undefined;
  const partition = partitionOf(region);
  if (partition === undefined) return undefined;
  const expected = dual === undefined ? partition.suffix : partition.registrySuffix;
  if (suffix === undefined || suffix !== expected) return undefined;
  return {
    account,
    partition: partition.name,
    region,
    fips: fips !== undefined,
    dualStack: dual !== undefined,
  };
}

/**
 * The registry of an account in a region, under its first name.
 * @returns undefined for a region of no partition that is known
 */
export function ecrHostOf(account: string, region: string): string | undefined {
  const partition = partitionOf(region);
  return partition && `${account}.dkr.ecr.${region}.${partition.suffix}`;
}

const PUBLIC_HOSTS: ReadonlySet<string> = new Set(["public.ecr.aws", "ecr-public.aws.com"]);

/** Whether a host is Amazon's public registry, which anyone may read. */
export const isPublicEcr = (host: string): boolean => PUBLIC_HOSTS.has(host);

/**
 * The one host that a registry of ECR sends us to for blobs: the bucket of its region.
 * @see Amazon ECR User Guide, "Amazon ECR interface VPC endpoints", on the gateway for Amazon S3
 */
export function blobHostOf({ region }: EcrHost): string | undefined {
  const partition = partitionOf(region);
  if (partition === undefined) return undefined;
  return `prod-${region}-starport-layer-bucket.s3.${region}.${partition.suffix}`;
}
