import { realTime } from "../lib/deadline.ts";
import { createCredentials, type Credentials, type CredentialsEvent } from "./credentials.ts";
import { createEcr, type Ecr, type EcrEvent } from "./ecr.ts";
import { toAwsEnvironment } from "./environment.ts";
import type { Clocks } from "./renewed.ts";
import { createSdk } from "./sdk.ts";

/** An address in place of AWS's own: an interface endpoint of a VPC, or a double. */
export interface AwsEndpoint {
  readonly service: "ecr" | "sts" | "signer";
  /** For this region alone; for every region that has none of its own otherwise. */
  readonly region?: string | undefined;
  /** `https://host[:port]` */
  readonly url: string;
}

export interface AwsOptions extends Pick<Clocks, "now" | "wallNow"> {
  readonly accounts: readonly string[];
  readonly regions: readonly string[];
  /** Account → ARN of the role to assume for it. */
  readonly roles: Readonly<Record<string, string>>;
  readonly endpoints: readonly AwsEndpoint[];
  readonly fips: boolean;
  readonly dualStack: boolean;
  readonly instanceMetadata: boolean;
  /** Variables of the process that begin with `AWS_`. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Roots for the endpoints, PEM; the public ones are then not trusted. */
  readonly ca?: string;
  readonly observe?: (event: AwsEvent) => void;
  /** Default real time, and chance. */
  readonly schedule?: Clocks["schedule"];
  readonly random?: Clocks["random"];
}

/** What was asked of AWS, and what became of it. */
export type AwsEvent = EcrEvent | CredentialsEvent;

/** AWS, as far as the provider needs it. Nothing is loaded, read or called before the first question, or {@link Ecr.prefetch}. */
export interface Aws {
  readonly ecr: Ecr;
  readonly credentials: Credentials;
  /** Of {@link AwsOptions}; AWS Signer is asked under the same. */
  readonly ca: string | undefined;
  close(): void;
}

/** Milliseconds of one attempt, and of a token or of credentials with what they need first. A request waits less than two seconds. */
const REQUEST_TIMEOUT_MS = 1500;
const DEADLINE_MS = 5000;

/** Puts together what speaks to AWS. */
export function createAws(options: AwsOptions): Aws {
  const { endpoints, variables, ca, observe, roles } = options;
  const sdk = createSdk({ requestTimeoutMs: REQUEST_TIMEOUT_MS, ...(ca !== undefined && { ca }) });
  const common = {
    now: options.now,
    wallNow: options.wallNow,
    schedule: options.schedule ?? realTime,
    random: options.random ?? Math.random,
    fips: options.fips,
    dualStack: options.dualStack,
    sdk: sdk.settings,
    deadlineMs: DEADLINE_MS,
    ...(observe !== undefined && { observe }),
  };
  const [region] = options.regions;
  const credentials = createCredentials({
    ...common,
    environment: toAwsEnvironment(variables),
    instanceMetadata: options.instanceMetadata,
    stsEndpoint: endpointOf(endpoints, "sts"),
    ...(region !== undefined && { region }),
  });
  const ecr = createEcr({
    ...common,
    accounts: options.accounts,
    regions: options.regions,
    roles: new Map(Object.entries(roles)),
    credentials,
    endpoint: endpointOf(endpoints, "ecr"),
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
  });
  return {
    ecr,
    credentials,
    ca,
    close() {
      ecr.close();
      credentials.close();
      sdk[Symbol.dispose]();
    },
  };
}

/** Which address stands for a service in a region; undefined where it is AWS's own. */
export const endpointOf =
  (endpoints: readonly AwsEndpoint[], service: AwsEndpoint["service"]) =>
  (region: string): string | undefined => {
    const own = endpoints.filter((endpoint) => endpoint.service === service);
    const exact = own.find((endpoint) => endpoint.region === region);
    return (exact ?? own.find((endpoint) => endpoint.region === undefined))?.url;
  };
