import type { Aws } from "../aws/aws.ts";
import { createAwsParts } from "../aws-parts.ts";
import type { Config } from "../config/schema.ts";
import { createClients, usesOwnPlugin } from "../signer-parts.ts";
import type { SignerClients } from "../signer/client.ts";
import { awsTrials } from "./aws.ts";
import { error } from "./finding.ts";
import { localTrials } from "./local.ts";
import { registryTrials } from "./registries.ts";
import { sentenceOf } from "./sentence.ts";
import { signerTrials } from "./signer.ts";
import type { Trial } from "./trial.ts";
import { profilesOf, readPolicies, trustTrial } from "./trust.ts";

/**
 * Everything that a configuration names, to be tried.
 * @param parts takes what has to be ended afterwards
 */
export async function trialsOf(
  config: Config,
  parts: AsyncDisposableStack,
): Promise<readonly Trial[]> {
  const policies = await readPolicies(config);
  const here = [trustTrial(config, policies), ...localTrials(config)];
  const made = createAll(config, parts);
  if ("problem" in made) {
    const { problem } = made;
    const failed = { subject: "aws", run: () => Promise.resolve([error("aws", problem)]) };
    return [...here, failed, ...registryTrials(config, undefined)];
  }
  const { aws, clients } = made;
  // Somebody else's plugin asks AWS Signer as somebody else.
  const profiles = usesOwnPlugin(config) ? profilesOf(policies) : [];
  return [
    ...here,
    ...awsTrials(config, aws, profiles),
    ...signerTrials(profiles, clients, config.signer.timeout),
    ...registryTrials(config, aws),
  ];
}

function createAll(
  config: Config,
  parts: AsyncDisposableStack,
): { readonly aws: Aws; readonly clients: SignerClients } | { readonly problem: string } {
  try {
    const aws = createAwsParts(config);
    parts.defer(() => aws.close());
    return { aws, clients: parts.use(createClients(config, aws)) };
  } catch (problem) {
    return { problem: sentenceOf(problem) };
  }
}
