import { assemble, type Judging } from "./assemble.ts";
import { createAwsHealth } from "./aws-health.ts";
import { regionsOf } from "./aws-parts.ts";
import { packageVersion } from "./commands/package-version.ts";
import type { Config } from "./config/schema.ts";
import { createAdmin, type Check } from "./http/admin.ts";
import { createApp } from "./http/app.ts";
import { certificateFiles, type TlsFiles } from "./http/certificate-files.ts";
import { createTlsServer, SERVER_LIMITS, type TlsServer } from "./http/server.ts";
import { now, REAL_AGES, type Ages } from "./lib/clock.ts";
import { createObservers } from "./observers.ts";
import type { OwnCertificates } from "./own-certificates.ts";
import { createOwnDirectory } from "./own-directory.ts";
import { labelsOf } from "./registry-options.ts";
import { announceChanges, readinessOf, startingChecks } from "./readiness.ts";
import type { Log } from "./telemetry/log.ts";
import { createMetrics, type Metrics } from "./telemetry/metrics.ts";
import { createTracing } from "./telemetry/trace.ts";

/** A provider that serves. */
export interface Service {
  /** `https://127.0.0.1:8443`: where Gatekeeper calls. */
  readonly url: string;
  /** `http://127.0.0.1:8080`: readiness and metrics. */
  readonly admin: string;
  /** Answers on for a while, then ends everything in order; the same promise however often it is called. */
  readonly stop: () => Promise<void>;
  /** Answers what is under way as undecided, and ends everything at once: for a fault after which nothing is to be trusted. */
  readonly abort: () => Promise<void>;
}

/** Milliseconds that answers of an aborted service may take on their way out. */
const ABORT_MS = 1000;

/**
 * Milliseconds that a request's body may take at most, within the request's deadline: less than the server's own limit, so
 * that the caller gets an answer and not a reset.
 */
const BODY_TIMEOUT_MS = 4000;

export interface ServeOptions {
  /** What is kept grows old on them: real time, but for a test that has hours pass in minutes. */
  readonly ages?: Ages | undefined;
  /** Ends a start that waits for certificates, which may be for long. */
  readonly stopping?: AbortSignal;
}

/**
 * Starts the service: reads what it needs, listens, and watches what may change. Top to bottom this is the map of the
 * provider's parts. When it fails, what was begun by then is ended again.
 *
 * Where the provider makes its certificates itself, it waits for the API server for as long as that takes, alive and not ready.
 * To give up and start anew would help nobody, and the pauses between one start and the next grow to minutes.
 * @throws with a sentence when the certificates, the runtime directory or an address cannot be had; or the reason of `stopping`
 */
export async function serve(
  config: Config,
  log: Log,
  { ages = REAL_AGES, stopping = new AbortController().signal }: ServeOptions = {},
): Promise<Service> {
  // Ended in the reverse order.
  await using parts = new AsyncDisposableStack();
  const directory = parts.use(createOwnDirectory(config.runtimeDirectory));
  if (!directory.isMemory) {
    log.warn("runtimeDirectory is not on a memory file system, verifications wait for a disk");
  }
  const names = { registries: labelsOf(config), regions: regionsOf(config) };
  const metrics = createMetrics(names);
  const tracing = await createTracing(names);
  const awsHealth = createAwsHealth(log, now);
  let isDraining = false;

  // Begun first, because others have to agree.
  const own = await ownCertificatesOf(config, log, metrics);
  if (own !== undefined) parts.use(own);

  const observers = createObservers({ metrics, log, awsHealth, tracing, announce: own?.announce });

  const judging = await assemble({
    config,
    directory,
    deadlineMs: config.server.deadline,
    observers,
    ...(tracing && { aroundKey: tracing.aroundKey }),
    ages,
  });
  parts.defer(async () => await judging.close());

  let checks = (): readonly Check[] => startingChecks(own?.certificates);
  const admin = parts.use(
    createAdmin({
      ...splitAddress(config.admin.address),
      checks: () => checks(),
      metrics: async () => await metrics.text(),
      metricsType: metrics.contentType,
      onError: (error) => log.error("an admin request failed", {}, error),
    }),
  );
  const adminUrl = urlOf("http", await admin.listen());
  if (own !== undefined) {
    log.info("waiting for certificates", { admin: adminUrl });
    await own.certificates.ready(stopping);
  }

  const { server: options } = config;
  const server = await createTlsServer({
    handler: createApp({
      decide: tracing?.decide(judging.verifier.decide) ?? judging.verifier.decide,
      pin: tracing?.pin(judging.verifier.pin) ?? judging.verifier.pin,
      clientNames: options.clientNames,
      limits: {
        bodyBytes: options.maxBody,
        bodyTimeoutMs: Math.min(BODY_TIMEOUT_MS, options.deadline),
        maxKeys: options.maxKeys,
      },
      now,
      observeRequest: metrics.observeRequest,
      observeDecisions: observers.decisions,
      observePins: observers.pins,
      onError: (error) => log.error("a request failed", {}, error),
    }),
    clientNames: options.clientNames,
    source: own?.certificates.source ?? certificateFiles(filesOf(config)),
    ...splitAddress(options.address),
    now: ages.now,
    limits: { ...SERVER_LIMITS, maxConnections: options.maxConnections },
    observeRequest: metrics.observeRequest,
    onChange: observers.certificates,
  });

  // Of one that was drained nothing is left to end.
  parts.defer(async () => await server.drain({ announced: AbortSignal.abort(), graceMs: 0 }));

  const look = (): readonly Check[] =>
    readinessOf({
      ...judging,
      awsHealth,
      isDraining: () => isDraining,
      certificates: () => server.certificates(),
      ...(own !== undefined && { ownCertificates: () => own.certificates.state() }),
    });
  watch(metrics, { judging, server, log });

  const urls = { url: urlOf("https", await server.listen()), admin: adminUrl };
  log.info("listening", urls);
  checks = announceChanges(look, log, urls);
  checks();
  const owned = parts.move();
  let stopped: Promise<void> | undefined;
  const end = async (announced: AbortSignal, graceMs: number): Promise<void> => {
    isDraining = true;
    // Whoever ends it says so in the log.
    checks = look;
    await server.drain({ announced, graceMs });
    await owned.disposeAsync();
  };
  return {
    ...urls,
    stop: async () =>
      await (stopped ??= end(AbortSignal.timeout(options.drainDelay), options.drainTimeout)),
    async abort() {
      judging.verifier.close();
      await (stopped ??= end(AbortSignal.abort(), ABORT_MS));
    },
  };
}

/** What looks after the provider's own certificates, if the configuration wants that; only then the room is loaded. */
async function ownCertificatesOf(
  { certificates }: Config,
  log: Log,
  metrics: Metrics,
): Promise<OwnCertificates | undefined> {
  if (certificates === undefined) return undefined;
  const { createOwnCertificates } = await import("./own-certificates.ts");
  return await createOwnCertificates(certificates, log, metrics);
}

/** The schema has one of the two given. */
function filesOf({ server: { tls } }: Config): TlsFiles {
  if (tls === undefined) throw new Error("server.tls must be given");
  return tls;
}

interface Watched {
  readonly judging: Judging;
  readonly server: TlsServer;
  readonly log: Log;
}

function watch(metrics: Metrics, { judging, server, log }: Watched): void {
  const { verifier, trust } = judging;
  const version = packageVersion();
  metrics.watch({
    caches: () => {
      const { verdicts, tags } = verifier.stats();
      return [
        { cache: "verdicts", ...verdicts },
        { cache: "tags", ...tags },
        { cache: "evidence", ...judging.contents.stats() },
      ];
    },
    waiting: () => verifier.stats().waiting,
    trust: () => trust.states(),
    trustAges: () => trust.ages(),
    versions: () => ({ provider: version, notation: judging.notation.state().version }),
    certificate: () => server.certificates(),
    connections: () => server.counts(),
    droppedLines: () => log.dropped(),
    aws: judging.aws,
  });
}

/** `host:port`, the brackets of an IPv6 address taken off. */
function splitAddress(text: string): { readonly address: string; readonly port: number } {
  const colon = text.lastIndexOf(":");
  return {
    address: text.slice(0, colon).replace(/^\[|\]$/g, ""),
    port: Number(text.slice(colon + 1)),
  };
}

function urlOf(
  scheme: string,
  { address, port, family }: { address: string; port: number; family: string },
): string {
  return `${scheme}://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}
