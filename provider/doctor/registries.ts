import type { Aws } from "../aws/aws.ts";
import { ecrHostOf } from "../aws/ecr-host.ts";
import { opensRegistries } from "../config/aws.ts";
import type { Config } from "../config/schema.ts";
import { now } from "../lib/clock.ts";
import { openEcr, toRegistryOptions } from "../registry-options.ts";
import type { RegistryOptions } from "../registry/options.ts";
import { wait } from "../registry/retry.ts";
import { createSession } from "../registry/session.ts";
import { isRefusal, type Undecided } from "../verdict/verdict.ts";
import { error, ok, warning, type Finding } from "./finding.ts";
import { sentenceOf } from "./sentence.ts";
import type { Trial } from "./trial.ts";

/** Registries without an entry that are tried: accounts and regions may be thousands of pairs. */
const MAX_OPENED = 32;

/**
 * Each registry that the configuration names, by an entry or by account and region: whether it answers, and takes the credentials.
 * @param aws undefined where nothing of AWS can be had; those registries are then not tried
 */
export function registryTrials(config: Config, aws: Aws | undefined): readonly Trial[] {
  const named = config.registries
    .map((entry, index) => ({ entry, subject: `registries[${index}] ${entry.host}` }))
    .filter(({ entry }) => aws !== undefined || !("aws" in entry.credentials))
    .map(({ entry, subject }) =>
      trial(subject, "anonymous" in entry.credentials, () => toRegistryOptions(entry, aws?.ecr)),
    );
  return aws === undefined ? named : [...named, ...openedTrials(config, aws)];
}

function openedTrials(config: Config, aws: Aws): readonly Trial[] {
  const open = openEcr(config, aws.ecr);
  if (open === undefined || !opensRegistries(config.aws)) return [];
  const { accounts, regions } = config.aws;
  const entries = new Set(config.registries.map(({ host }) => host));
  const hosts = accounts
    .flatMap((account) => regions.map((region) => ecrHostOf(account, region)))
    .filter((host) => host !== undefined)
    .filter((host) => !entries.has(host));
  const rest = hosts.length - MAX_OPENED;
  const more = `${rest} more registries of aws.accounts and aws.regions were not tried`;
  return [
    ...hosts.slice(0, MAX_OPENED).map((host) => trial(host, false, () => open(host))),
    ...(rest > 0
      ? [{ subject: "aws.accounts", run: () => Promise.resolve([warning("aws.accounts", more)]) }]
      : []),
  ];
}

const trial = (
  subject: string,
  isAnonymous: boolean,
  make: () => RegistryOptions | undefined,
): Trial => ({
  subject,
  async run(signal) {
    let options: RegistryOptions | undefined;
    try {
      options = make();
    } catch (problem) {
      return [error(subject, sentenceOf(problem))];
    }
    return options === undefined ? [] : [await ask(subject, options, isAnonymous, signal)];
  },
});

/** Bytes of the answer at most; there is hardly one. */
const ANSWER_BYTES = 65_536;

/** @see OCI Distribution Specification 1.1, "Determining Support" */
async function ask(
  subject: string,
  registry: RegistryOptions,
  isAnonymous: boolean,
  signal: AbortSignal,
): Promise<Finding> {
  const session = createSession({ registry, observe: () => {}, now, wait });
  try {
    const reply = await session.ask({
      // A token is for a repository; one that nobody has is enough to see whether the credentials are taken.
      repository: "notation-provider/doctor",
      url: new URL("/v2/", session.endpoint),
      limit: ANSWER_BYTES,
      signal,
    });
    if (isRefusal(reply)) return refused(subject, reply, isAnonymous);
    if (reply.status !== 200) {
      return warning(subject, `answers /v2/ with status ${reply.status}: is it a registry?`);
    }
    return ok(subject, isAnonymous ? "answers" : "answers, and takes the credentials");
  } finally {
    await session.close();
  }
}

/** What to do about what a registry's client says. */
const REMEDIES: readonly { readonly match: RegExp; readonly remedy: string }[] = [
  { match: /address is in a range/, remedy: "name its CIDR in allowedAddresses" },
  { match: /TLS certificate/, remedy: "name the roots of its certificate in ca" },
  { match: /has no address/, remedy: "see whether the host is spelt right, and DNS reaches it" },
  {
    match: /in time$|no connection|closed the connection/,
    remedy: "see whether a firewall or a NetworkPolicy keeps it from here",
  },
];

function refused(subject: string, { reason, sentence }: Undecided, isAnonymous: boolean): Finding {
  if (reason === "REGISTRY_UNAUTHORIZED" && isAnonymous) {
    const said = "answers, and wants credentials of somebody who asks for no image in particular";
    return warning(subject, said, "give it credentials, unless its images are public");
  }
  const remedy = REMEDIES.find(({ match }) => match.test(sentence))?.remedy;
  return error(subject, `${reason}: ${sentence}`, remedy);
}
