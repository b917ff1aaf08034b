import { blobHostOf as bucketOf, parseEcrHost } from "./aws/ecr-host.ts";
import type { Ecr } from "./aws/ecr.ts";
import { opensRegistries } from "./config/aws.ts";
import {
  REQUEST_TIMEOUT_MS,
  withoutEntry,
  type Config,
  type RegistryConfig,
} from "./config/schema.ts";
import { readCertificates } from "./lib/pem.ts";
import { anonymous, fromFile, type CredentialSource } from "./registry/credentials.ts";
import { fromDockerConfig } from "./registry/docker-config.ts";
import type { RegistryOptions } from "./registry/options.ts";

/** Docker Hub answers under other names than its images have, and serves blobs from yet others. */
const WELL_KNOWN: ReadonlyMap<
  string,
  { endpoint: string; tokenHosts: string[]; blobHosts: string[] }
> = new Map([
  [
    "docker.io",
    {
      endpoint: "https://registry-1.docker.io",
      tokenHosts: ["auth.docker.io"],
      blobHosts: [
        "production.cloudflare.docker.com",
        "docker-images-prod.6aa30f8b08e16409b46e0173d6de2f56.r2.cloudflarestorage.com",
      ],
    },
  ],
]);

/**
 * One registry of the configuration, with its files read and the names that everybody knows filled in.
 * @throws with a sentence when a file that it names cannot be read, or is not what it should be
 */
export function toRegistryOptions(
  registry: RegistryConfig,
  ecr: Pick<Ecr, "sourceFor"> | undefined,
): RegistryOptions {
  const known = WELL_KNOWN.get(registry.host);
  const bucket = blobHostOf(registry.host);
  const scheme = registry.plainHttp ? "http" : "https";
  return {
    host: registry.host,
    endpoint: registry.endpoint ?? known?.endpoint ?? `${scheme}://${registry.host}`,
    ...(registry.ca !== undefined && {
      ca: readCertificates(registry.ca, `the ca of registry ${registry.host}`),
    }),
    credentials: credentialsOf(registry, ecr),
    tokenHosts: [...registry.tokenHosts, ...(known?.tokenHosts ?? [])],
    blobHosts: [
      ...registry.blobHosts,
      ...(known?.blobHosts ?? []),
      ...(bucket === undefined ? [] : [bucket]),
    ],
    allowedAddresses: registry.allowedAddresses,
    concurrency: registry.concurrency,
    maxWaiting: registry.maxWaiting,
    requestTimeoutMs: registry.requestTimeout ?? REQUEST_TIMEOUT_MS,
  };
}

/** What metrics call the registries of a region that have no entry: a thousand accounts are one label. */
const labelOfRegion = (region: string): string => `amazon-ecr/${region}`;

/**
 * Registries of Amazon ECR that have no entry, of the accounts and regions under `aws`.
 * @returns undefined where accounts and regions are not listed
 */
export function openEcr(
  config: Config,
  ecr: Pick<Ecr, "sourceFor">,
): ((host: string) => RegistryOptions | undefined) | undefined {
  if (!opensRegistries(config.aws)) return undefined;
  const common = withoutEntry("registry.example.com", config);
  return (host) => {
    const parsed = parseEcrHost(host);
    // Of the accounts and the regions that are listed; Amazon's public registry has no account.
    if (parsed === undefined || ecr.sourceFor(host) === undefined) return undefined;
    return { ...toRegistryOptions({ ...common, host }, ecr), label: labelOfRegion(parsed.region) };
  };
}

/** What metrics call the registries of a configuration. */
export const labelsOf = ({ registries, aws }: Config): readonly string[] => [
  ...registries.map(({ host }) => host),
  ...(opensRegistries(aws) ? aws.regions.map(labelOfRegion) : []),
];

/** The bucket to which Amazon ECR redirects for blobs, of a host that is ECR's. */
function blobHostOf(host: string): string | undefined {
  const parsed = parseEcrHost(host);
  return parsed === undefined ? undefined : bucketOf(parsed);
}

function credentialsOf(
  { host, credentials }: RegistryConfig,
  ecr: Pick<Ecr, "sourceFor"> | undefined,
): CredentialSource {
  if ("usernameFile" in credentials) {
    return fromFile(credentials.usernameFile, credentials.passwordFile);
  }
  if ("dockerConfig" in credentials) return fromDockerConfig(credentials.dockerConfig, host);
  if ("aws" in credentials) {
    const source = ecr?.sourceFor(host);
    if (source !== undefined) return source;
    throw new Error(
      `registry ${host} has credentials {aws: true}, and is none of Amazon ECR in the accounts and regions under aws`,
    );
  }
  return anonymous();
}
