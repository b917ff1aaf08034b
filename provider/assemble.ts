import type { Aws, AwsEvent } from "./aws/aws.ts";
import { createAwsParts, usesEcr, whyUnsigned } from "./aws-parts.ts";
import type { Config } from "./config/schema.ts";
import { createCollect } from "./evidence/collect.ts";
import { createContents, type Contents } from "./evidence/contents.ts";
import { now, REAL_AGES, type Ages } from "./lib/clock.ts";
import { createNotation, type Notation, type NotationEvent } from "./notation/judge.ts";
import { createStarterClient } from "./notation/starter-client.ts";
import type { OwnDirectory } from "./own-directory.ts";
import { openEcr, toRegistryOptions } from "./registry-options.ts";
import { createRegistryClient } from "./registry/client.ts";
import type { RegistryEvent } from "./registry/options.ts";
import { createSigner, createWatch, usesOwnPlugin } from "./signer-parts.ts";
import type { SignerEvent } from "./signer/ask.ts";
import type { RevocationWatch } from "./signer/watch.ts";
import { createTrust } from "./trust/create-trust.ts";
import type { PolicyState, Trust } from "./trust/trust.ts";
import {
  createVerifier,
  type AroundKey,
  type Verifier,
  type VerifierEvent,
} from "./verify/verifier.ts";

/** What decides, put together from the configuration; the service and the command line use the same. */
export interface Judging {
  readonly trust: Trust;
  readonly notation: Notation;
  readonly verifier: Verifier;
  /** What was fetched from registries and is kept. */
  readonly contents: Pick<Contents, "stats">;
  /** Credentials and tokens of AWS. */
  readonly aws: AwsStates;
  /** Ends what is under way, every child process and every connection, and removes what was written. */
  close(): Promise<void>;
}

/** What is held of AWS, and what could not be had. */
export interface AwsStates {
  readonly credentials: Aws["credentials"]["states"];
  readonly tokens: Aws["ecr"]["states"];
  /** What is asked of AWS Signer again and again. */
  readonly watch: () => Pick<RevocationWatch<string>, "size" | "oldestAnswerMs">;
}

/** Who is told what the parts do. */
export interface Observers {
  readonly aws?: (event: AwsEvent | SignerEvent) => void;
  readonly registry?: (event: RegistryEvent) => void;
  readonly notation?: (event: NotationEvent) => void;
  readonly verifier?: (event: VerifierEvent) => void;
  readonly trust?: (states: readonly PolicyState[]) => void;
}

export interface AssembleOptions {
  readonly config: Config;
  readonly directory: Pick<OwnDirectory, "path" | "cache">;
  /** Milliseconds from a request's arrival to its last answer. */
  readonly deadlineMs: number;
  readonly observers: Observers;
  /** Goes around the deciding of each key that is not answered at once. */
  readonly aroundKey?: AroundKey;
  /** Default real time. */
  readonly ages?: Ages;
}

/** Where somebody else's plugin asks AWS Signer, or nobody does. */
const NOTHING_WATCHED = { size: 0, oldestAnswerMs: 0 };

/** Output of Notation that is kept: some hundred bytes on an ordinary day. */
const OUTPUT_BYTES = 64 * 1024;

/**
 * Puts together what decides. When it fails, what was begun by then is ended again.
 * @throws with a sentence when a directory cannot be written, or a file that the configuration names cannot be read
 */
export async function assemble(options: AssembleOptions): Promise<Judging> {
  const { config, directory, deadlineMs, observers, ages = REAL_AGES } = options;
  const { verification, cache } = config;
  // Ended in the reverse order: nobody is left without what it needs.
  await using parts = new AsyncDisposableStack();

  const bounds = { graceMs: config.notation.grace, outputBytes: OUTPUT_BYTES };
  const aws = createAwsParts(config, observers.aws, ages);
  parts.defer(() => aws.close());
  const signer = usesOwnPlugin(config)
    ? await createSigner({
        config,
        aws,
        directory: directory.path,
        parts,
        ...(observers.aws && { observe: observers.aws }),
      })
    : undefined;
  const open = openEcr(config, aws.ecr);
  const registry = createRegistryClient({
    registries: config.registries.map((entry) => toRegistryOptions(entry, aws.ecr)),
    ...(open !== undefined && { open }),
    now: ages.now,
    ...(observers.registry && { observe: observers.registry }),
  });
  parts.defer(async () => await registry.close());
  const runner = parts.use(createStarterClient(bounds));
  // Neither needs the other, and both read from disk before the first question can be answered.
  const making = [
    createTrust({
      directory: config.trust.directory,
      runtimeDirectory: directory.path,
      rereadEveryMs: config.trust.rereadEvery,
      allowWeak: config.trust.allowWeak,
      ...(observers.trust && { onChange: observers.trust }),
    }),
    createNotation({
      binary: config.notation.binary,
      ...(config.notation.pluginDirectory !== undefined && {
        pluginDirectory: config.notation.pluginDirectory,
      }),
      ...(signer !== undefined && { pluginDirectory: signer.pluginDirectory }),
      ...(signer?.plugin !== undefined && { signer: signer.plugin }),
      ...(signer?.environment !== undefined && { pluginEnvironment: signer.environment }),
      plugins: config.notation.plugins,
      pluginConfig: Object.entries(config.notation.pluginConfig),
      runtimeDirectory: directory.path,
      cacheDirectory: directory.cache,
      concurrency: config.notation.concurrency,
      maxWaiting: config.notation.maxWaiting,
      ...bounds,
      runner,
      now,
      ...(observers.notation && { observe: observers.notation }),
    }),
  ] as const;
  // Where one fails, the other is waited for all the same, and ended.
  for (const made of await Promise.allSettled(making)) {
    if (made.status === "fulfilled") parts.defer(async () => await made.value.close());
  }
  const [trust, notation] = await Promise.all(making);
  const maxEnvelopeBytes = verification.maxEnvelope;
  const maxCacheBytes = cache.maxEvidence;
  const contents = createContents({ registry, maxEnvelopeBytes, maxCacheBytes, now: ages.now });
  const watch =
    signer && createWatch(config, signer.ask, (cacheKeys) => verifier.forget(cacheKeys));
  parts.defer(() => watch?.close());
  const verifier: Verifier = createVerifier({
    trust,
    registry,
    ...(watch !== undefined && {
      watch: {
        hold: ({ question, askedAt }, cacheKey) => watch.hold(question, cacheKey, askedAt),
        intervalMs: config.signer.revocationInterval,
      },
    }),
    ...(usesEcr(config) && { whyUnsigned: whyUnsigned(aws) }),
    collect: createCollect({
      registry,
      contents,
      maxEnvelopeBytes,
      plugins: config.notation.plugins,
      maxSignatures: verification.maxSignatures,
      onFault: (error) => observers.verifier?.({ kind: "error", error }),
    }),
    judge: notation.judge,
    notation: () => notation.state(),
    limits: {
      deadlineMs,
      workDeadlineMs: verification.deadline,
      maxWaiting: verification.maxWaiting,
      concurrency: verification.concurrency,
      maxBytesAside: verification.concurrency * maxEnvelopeBytes,
    },
    lives: { verifiedMs: cache.verified, rejectedMs: cache.rejected, tagMs: cache.tags },
    cache: {
      maxVerdicts: cache.maxVerdicts,
      maxBytes: cache.maxVerdictBytes,
      maxTags: cache.maxTags,
    },
    keepTag: config.mutation.keepTag,
    now,
    wallNow: ages.wallNow,
    ageNow: ages.now,
    ...(observers.verifier && { observe: observers.verifier }),
    ...(options.aroundKey && { aroundKey: options.aroundKey }),
  });
  parts.defer(() => verifier.close());
  if (usesEcr(config)) aws.ecr.prefetch(config.registries.map(({ host }) => host));
  const owned = parts.move();
  return {
    trust,
    notation,
    verifier,
    contents,
    aws: {
      credentials: () => aws.credentials.states(),
      tokens: () => aws.ecr.states(),
      watch: () => watch ?? NOTHING_WATCHED,
    },
    close: async () => await owned.disposeAsync(),
  };
}
