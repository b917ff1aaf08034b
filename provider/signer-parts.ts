import { join } from "node:path";
import { endpointOf, type Aws } from "./aws/aws.ts";
import { isFailure } from "./aws/failure.ts";
import type { Config } from "./config/schema.ts";
import type { Claims } from "./evidence/evidence.ts";
import { now } from "./lib/clock.ts";
import { realTime } from "./lib/deadline.ts";
import type { CommandOptions } from "./notation/command.ts";
import { createAsk, type Ask, type SignerEvent } from "./signer/ask.ts";
import { createSignerClients, type SignerClients } from "./signer/client.ts";
import { layOutPlugin } from "./signer/install.ts";
import { pluginEnvironmentOf } from "./signer/plugin-environment.ts";
import { SIGNER_PLUGIN } from "./signer/plugin.ts";
import { createSignerPlugin, type SignerPlugin } from "./signer/inquiry.ts";
import { createRevocationWatch, type RevocationWatch } from "./signer/watch.ts";

/** Questions to AWS Signer at once in a region, and those that may wait. */
const SIGNER_CONCURRENCY = 32;
const SIGNER_WAITING = 2000;
/** Questions that are asked again and again. */
const MAX_WATCHED = 20_000;
const CONNECT_MS = 1000;
/** A launcher says what it wants as soon as it runs. */
const READ_MS = 5000;

/** The Signer plugin as Notation finds it, and how it is asked. */
export interface SignerParts {
  /** For `NOTATION_LIBEXEC`. */
  readonly pluginDirectory: string;
  /** The built-in plugin; undefined for AWS's own. */
  readonly plugin: SignerPlugin | undefined;
  /** For AWS's own plugin. */
  readonly environment: CommandOptions["pluginEnvironment"];
  readonly ask: Ask;
}

export interface SignerPartsOptions {
  readonly config: Config;
  readonly aws: Aws;
  /** Of our own; the plugin is laid out there. */
  readonly directory: string;
  /** Takes what has to be ended. */
  readonly parts: AsyncDisposableStack;
  readonly observe?: (event: SignerEvent) => void;
}

/** AWS Signer in each region, as the provider asks it. */
export function createClients({ aws: settings }: Config, aws: Aws): SignerClients {
  const { fips, dualStack, endpoints } = settings;
  return createSignerClients({
    credentials: () => aws.credentials.provide(),
    async replaceCredentials(refused, signal) {
      const others = await aws.credentials.replace(undefined, refused, signal);
      return !isFailure(others) && others !== refused;
    },
    connectMs: CONNECT_MS,
    useFips: fips,
    useDualStack: dualStack,
    endpoint: endpointOf(endpoints, "signer"),
    ...(aws.ca !== undefined && { ca: aws.ca }),
  });
}

/** @throws with a sentence when a file that the configuration names cannot be read */
export async function createSigner(options: SignerPartsOptions): Promise<SignerParts> {
  const { config, aws, directory, parts, observe } = options;
  const { signer } = config;
  const { fips, dualStack, ca, endpoints } = config.aws;
  const clients = parts.use(createClients(config, aws));
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
    const environment = async (claims: Claims): Promise<Readonly<Record<string, string>>> => {
      const { accessKeyId, secretAccessKey, sessionToken } = await aws.credentials.provide();
      return {
        ...pluginEnvironmentOf(claims, {
          endpoint: endpointOf(endpoints, "signer"),
          fips,
          dualStack,
          ...(ca !== undefined && { ca }),
        }),
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
