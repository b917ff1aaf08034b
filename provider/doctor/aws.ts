import { regionsOf, usesEcr } from "../aws-parts.ts";
import type { Aws } from "../aws/aws.ts";
import { ecrHostOf, parseEcrHost } from "../aws/ecr-host.ts";
import { isFailure, type AwsFailure } from "../aws/failure.ts";
import type { Config } from "../config/schema.ts";
import type { SigningProfile } from "../signer/arn.ts";
import { isRefusal } from "../verdict/verdict.ts";
import { error, ok, warning, type Finding } from "./finding.ts";
import type { Trial } from "./trial.ts";

const CREDENTIALS = "aws credentials";

/** Tokens that are tried: a configuration may name thousands of pairs of region and role. */
const MAX_TOKENS = 64;

/** Who the provider is to AWS, whom it may be besides, and the tokens that it needs. Nothing where nothing of AWS is used. */
export function awsTrials(
  config: Config,
  aws: Aws,
  profiles: readonly SigningProfile[],
): readonly Trial[] {
  if (!usesEcr(config) && profiles.length === 0) return [];
  const roles = [...new Set(Object.values(config.aws.roles))];
  return [
    { subject: CREDENTIALS, run: async (signal) => [await identity(aws, signal)] },
    ...roles.map((role) => ({
      subject: `aws.roles ${role}`,
      run: async (signal: AbortSignal) => [await assumption(aws, role, signal)],
    })),
    ...(usesEcr(config) ? tokenTrials(config, aws) : []),
    {
      subject: "aws.endpoints",
      run: () => Promise.resolve(unusedEndpoints(config, profiles)),
    },
  ];
}

async function identity({ credentials }: Aws, signal: AbortSignal): Promise<Finding> {
  const arn = await credentials.identity(signal);
  const source = credentials.states().find(({ role }) => role === undefined)?.source ?? "none";
  return isFailure(arn)
    ? error(CREDENTIALS, `${source}: ${wordsOf(arn)}`)
    : ok(CREDENTIALS, `${source}: the provider is ${arn}`);
}

async function assumption({ credentials }: Aws, role: string, signal: AbortSignal) {
  const keys = await credentials.current(role, signal);
  const subject = `aws.roles ${role}`;
  return isFailure(keys) ? error(subject, wordsOf(keys)) : ok(subject, "can be assumed");
}

/** One for each region and role that registries need, by one of the hosts that need it. */
function tokenTrials(config: Config, aws: Aws): readonly Trial[] {
  const hosts = new Map<string, string>();
  for (const host of hostsOf(config)) {
    const parsed = parseEcrHost(host);
    if (parsed === undefined) continue;
    const role = config.aws.roles[parsed.account];
    const as = role === undefined ? "" : ` as ${role}`;
    hosts.set(`aws ecr ${parsed.region}${as}`, host);
  }
  return [...hosts].slice(0, MAX_TOKENS).map(([subject, host]) => ({
    subject,
    run: async () => {
      const token = await aws.ecr.sourceFor(host)?.();
      if (token === undefined) return [];
      if (!isRefusal(token)) return [ok(subject, "gives a token")];
      const { region } = parseEcrHost(host) ?? {};
      const why = aws.ecr.states().find((state) => state.region === region && state.why)?.why;
      return [error(subject, why === undefined ? token.sentence : wordsOf(why))];
    },
  }));
}

function hostsOf({ aws, registries }: Config): readonly string[] {
  // Of every account the provider's own token is tried; which accounts there are nobody knows.
  const accounts = aws.accounts.map((account) => (account === "*" ? "000000000000" : account));
  return [
    ...registries.filter(({ credentials }) => "aws" in credentials).map(({ host }) => host),
    ...accounts.flatMap((account) => aws.regions.map((region) => ecrHostOf(account, region) ?? "")),
  ];
}

/** Addresses that nothing of the configuration leads to: a region that is misspelt, mostly. */
function unusedEndpoints(config: Config, profiles: readonly SigningProfile[]): readonly Finding[] {
  const ofEcr = regionsOf(config);
  const ofSigner = profiles.map(({ region }) => region);
  return config.aws.endpoints.flatMap(({ service, region }, index) => {
    const used = service === "signer" ? ofSigner : ofEcr;
    // STS is asked in the region of the environment or of a role, too.
    if (region === undefined || service === "sts" || used.includes(region)) return [];
    const what = service === "signer" ? "trusts a signing profile there" : "has a registry there";
    return [warning(`aws.endpoints[${index}]`, `of ${service} in ${region}: nothing ${what}`)];
  });
}

const wordsOf = ({ sentence, words }: AwsFailure): string =>
  words === undefined ? sentence : `${sentence} (AWS said ${words})`;
