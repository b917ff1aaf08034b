import { createAws, type Aws, type AwsEvent } from "./aws/aws.ts";
import { parseEcrHost } from "./aws/ecr-host.ts";
import { opensRegistries } from "./config/aws.ts";
import { awsVariables } from "./config/environment.ts";
import type { Config } from "./config/schema.ts";
import { REAL_AGES, type Ages } from "./lib/clock.ts";
import { readCertificates } from "./lib/pem.ts";
import { rejected, undecided, type Refusal } from "./verdict/verdict.ts";
import type { WhyUnsigned } from "./verify/judge-subject.ts";

/** @throws with a sentence when a file that the configuration names cannot be read */
export function createAwsParts(
  config: Config,
  observe?: (event: AwsEvent) => void,
  ages: Ages = REAL_AGES,
): Aws {
  const { ca, ...rest } = config.aws;
  return createAws({
    ...rest,
    ...(ca !== undefined && { ca: readCertificates(ca, "the ca under aws") }),
    variables: awsVariables(),
    ...ages,
    ...(observe !== undefined && { observe }),
  });
}

/** Whether anything of AWS is needed before a signature names the plugin. */
export const usesEcr = ({ aws, registries }: Config): boolean =>
  opensRegistries(aws) || registries.some(({ credentials }) => "aws" in credentials);

/** Regions of AWS that the configuration names, by themselves or in the host of a registry. */
export const regionsOf = ({ aws, registries }: Config): readonly string[] => {
  const ofHosts = registries.flatMap(({ host }) => parseEcrHost(host)?.region ?? []);
  return [...new Set([...aws.regions, ...ofHosts])];
};

/** What Amazon ECR says of an image for which it lists no signature. */
export const whyUnsigned =
  ({ ecr }: Aws): WhyUnsigned =>
  async ({ registry, repository }, digest, signal): Promise<Refusal | undefined> => {
    const status = await ecr.signingStatus(registry, repository, digest, signal);
    switch (status?.kind) {
      case "inProgress":
        return undecided("SIGNING_IN_PROGRESS", `Amazon ECR is signing it with ${status.profile}`);
      case "failed":
        return rejected("UNSIGNED", `Amazon ECR could not sign it: ${status.sentence}`);
      case "archived":
        return rejected(
          "UNSIGNED",
          `${status.count} signatures are in archive storage, where a lifecycle rule put them: restore them`,
        );
      case "none":
      case "unknown":
      case undefined:
        return undefined;
    }
  };
