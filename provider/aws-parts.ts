import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { createAws, endpointOf, type Aws } from "./aws/aws.ts";
import type { Config } from "./config/schema.ts";
import { now, wallNow } from "./lib/clock.ts";
import { realTime } from "./lib/deadline.ts";
import { createAsk, type Ask, type SignerEvent } from "./signer/ask.ts";
import { createSignerClients } from "./signer/client.ts";
import { layOutPlugin } from "./signer/install.ts";
import { SIGNER_PLUGIN } from "./signer/plugin.ts";
import { createSignerPlugin, type SignerPlugin } from "./signer/socket.ts";
import { createRevocationWatch, type RevocationWatch } from "./signer/watch.ts";
import { rejected, undecided, type Refusal } from "./verdict/verdict.ts";
import type { WhyUnsigned } from "./verify/judge-subject.ts";

/** What a plugin of AWS's own gets besides its credentials: one attempt, and no question to the machine. */
const PLUGIN_ENVIRONMENT = { AWS_MAX_ATTEMPTS: "1", AWS_EC2_METADATA_DISABLED: "true" } as const;

/** Questions to AWS Signer at once in a region, and those that may wait. */
const SIGNER_CONCURRENCY = 32;
const SIGNER_WAITING = 2000;
/** Questions that are asked again and again. */
const MAX_WATCHED = 20_000;
const CONNECT_MS = 1000;
/** A launcher says what it wants as soon as it runs. */
const READ_MS = 5000;

/** @throws with a sentence when a file that the configuration names cannot be read */
export function createAwsParts(config: Config): Aws {
  const { ca, ...rest } = config.aws;
  return createAws({
    ...rest,
    ...(ca !== undefined && { ca: readFileSync(ca, "utf8") }),
    variables: Object.fromEntries(
      Object.entries(process.env).filter(([name]) => name.startsWith("AWS_")),
    ),
    now,
    wallNow,
  });
}

/** The Signer plugin as Notation finds it, and how it is asked. */
export interface SignerParts {
  /** For `NOTATION_LIBEXEC`. */
  readonly pluginDirectory: string;
  /** The built-in plugin; undefined for AWS's own. */
  readonly plugin: SignerPlugin | undefined;
  /** For AWS's own plugin. */
  readonly environment: (() => Promise<Readonly<Record<string, string>>>) | undefined;
  readonly ask: Ask;
}

/**
 * Lays the plugin out in a directory of our own.
 * @param parts takes what has to be ended
 */
export async function createSigner(
  config: Config,
  aws: Aws,
  directory: string,
  parts: AsyncDisposableStack,
  observe?: (event: SignerEvent) => void,
): Promise<SignerParts> {
  const { signer } = config;
  const { fips, dualStack, ca, endpoints } = config.aws;
  const endpoint = endpointOf(endpoints, "signer")("");
  const clients = parts.use(
    createSignerClients({
      credentials: () => aws.credentials.provide(),
      connectMs: CONNECT_MS,
      useFips: fips,
      useDualStack: dualStack,
      ...(endpoint !== undefined && { endpoint }),
      ...(ca !== undefined && { ca: readFileSync(ca, "utf8") }),
    }),
  );
  const ask = createAsk({
    call: clients.call,
    timeoutMs: signer.timeout,
    deadlineMs: 1.5 * signer.timeout,
    freshMs: signer.revocationInterval,
    concurrency: SIGNER_CONCURRENCY,
    maxWaiting: SIGNER_WAITING,
    now,
    schedule: realTime,
    random: Math.random,
    ...(observe !== undefined && { observe }),
  });
  const pluginDirectory = join(directory, "libexec");
  if (signer.plugin !== "builtin") {
    layOutPlugin(pluginDirectory, signer.plugin);
    const environment = async (): Promise<Readonly<Record<string, string>>> => {
      const { accessKeyId, secretAccessKey, sessionToken } = await aws.credentials.provide();
      return {
        ...PLUGIN_ENVIRONMENT,
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: secretAccessKey,
        ...(sessionToken !== undefined && { AWS_SESSION_TOKEN: sessionToken }),
      };
    };
    return { pluginDirectory, plugin: undefined, environment, ask };
  }
  layOutPlugin(pluginDirectory, signer.launcher);
  const plugin = parts.use(
    await createSignerPlugin({
      directory,
      ask,
      readMs: READ_MS,
      schedule: realTime,
      maxWaitingRuns: Math.max(1, Math.floor(config.notation.concurrency / 2)),
    }),
  );
  return { pluginDirectory, plugin, environment: undefined, ask };
}

/** Whether the configuration leaves AWS Signer's plugin to us: it is allowed, and nobody brings a directory of plugins. */
export const usesOwnPlugin = ({ notation }: Config): boolean =>
  notation.plugins.includes(SIGNER_PLUGIN) && notation.pluginDirectory === undefined;

/** Whether anything of AWS is needed before a signature names the plugin. */
export const usesEcr = ({ registries }: Config): boolean =>
  registries.some(({ credentials }) => "aws" in credentials);

/** @param forget drops verdicts by their cache keys */
export function createWatch(
  { signer }: Config,
  ask: Ask,
  forget: (cacheKeys: readonly string[]) => void,
): RevocationWatch<string> {
  return createRevocationWatch<string>({
    ask: async (question, signal) => await ask.askAgain(question, signal),
    onRevoked: (cacheKeys) => forget(cacheKeys),
    // The next question for the image asks AWS Signer itself, and says what it cannot say.
    onUnknown: (cacheKeys) => forget(cacheKeys),
    intervalMs: signer.revocationInterval,
    maxAgeMs: signer.maxRevocationAge,
    perSecond: signer.revocationRate,
    maxQuestions: MAX_WATCHED,
    now,
    schedule: realTime,
    random: Math.random,
  });
}

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
