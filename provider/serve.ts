import { assemble, now, type Judging } from "./assemble.ts";
import type { Config } from "./config/schema.ts";
import { createAdmin, type Check } from "./http/admin.ts";
import { createApp } from "./http/app.ts";
import { createTlsServer, SERVER_LIMITS, type TlsServer } from "./http/server.ts";
import { createOwnDirectory } from "./runtime.ts";
import type { Log } from "./telemetry/log.ts";
import { createMetrics, type Metrics } from "./telemetry/metrics.ts";
import type { Decision, Pin } from "./verify/decision.ts";

/** A provider that serves. */
export interface Service {
  /** `https://127.0.0.1:8443`: where Gatekeeper calls. */
  readonly url: string;
  /** `http://127.0.0.1:8080`: readiness and metrics. */
  readonly admin: string;
  /** Why it is not ready, if it is not. */
  readonly checks: () => readonly Check[];
  /** Answers on for a while, then ends everything in order; the same promise however often it is called. */
  readonly stop: () => Promise<void>;
}

/**
 * For which the body of a request may take, in milliseconds: a little less than the server's own limit, so that the end
 * is an answer. Not shorter, because a busy machine reads late what came in time.
 */
const BODY_TIMEOUT_MS = 4000;

/** A serving certificate that ends sooner is named in `/readyz?verbose`, in milliseconds. */
const EXPIRES_SOON_MS = 7 * 24 * 3_600_000;

/**
 * Starts the service: reads what it needs, listens, and watches what may change. Top to bottom this is the map of the
 * provider's parts.
 * @throws when the certificates, the runtime directory or an address cannot be had
 */
export async function serve(config: Config, log: Log): Promise<Service> {
  const directory = createOwnDirectory(config.runtimeDirectory);
  const metrics = createMetrics({ registries: config.registries.map(({ host }) => host) });
  let isDraining = false;

  const judging = await assemble({
    config,
    runtimeDirectory: directory.path,
    deadlineMs: config.server.deadline,
    observers: observersOf(metrics, log),
  });

  const { server: options } = config;
  const server = await createTlsServer({
    handler: createApp({
      decide: judging.verifier.decide,
      pin: judging.verifier.pin,
      clientNames: options.clientNames,
      limits: {
        bodyBytes: options.maxBody,
        bodyTimeoutMs: BODY_TIMEOUT_MS,
        maxKeys: options.maxKeys,
      },
      now,
      observeRequest: metrics.observeRequest,
      observeDecisions: (decisions: readonly Decision[], request: string) => {
        log.decisions(decisions, request);
        for (const decision of decisions) metrics.observeDecision(decision);
      },
      observePins: (pins: readonly Pin[], request: string) => {
        log.pins(pins, request);
        for (const pin of pins) metrics.observePin(pin);
      },
      onError: (error) => log.error("a request failed", {}, error),
    }),
    files: options.tls,
    ...splitAddress(options.address),
    now,
    limits: { ...SERVER_LIMITS, maxConnections: options.maxConnections },
    observeRequest: metrics.observeRequest,
    onChange: ({ notAfter, problem }) => {
      const expiresAt = notAfter.toISOString();
      if (problem === undefined) log.info("certificates are in force", { expiresAt });
      else log.error("certificates were refused, the old ones stay", { problem, expiresAt });
    },
  });

  const checks = (): readonly Check[] => [
    { name: "serving", ok: !isDraining, ...(isDraining && { detail: "shutting down" }) },
    certificateCheck(server),
    notationCheck(judging),
    ...trustChecks(judging),
  ];
  const admin = createAdmin({
    ...splitAddress(config.admin.address),
    checks,
    metrics: async () => await metrics.text(),
    metricsType: metrics.contentType,
    onError: (error) => log.error("an admin request failed", {}, error),
  });
  watch(metrics, { judging, server, log });

  const [listening, adminListening] = await Promise.all([server.listen(), admin.listen()]);
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    isDraining = true;
    await server.drain({
      announced: AbortSignal.timeout(options.drainDelay),
      graceMs: options.drainTimeout,
    });
    await judging.close();
    await admin.close();
    directory[Symbol.dispose]();
  };
  return {
    url: urlOf("https", listening),
    admin: urlOf("http", adminListening),
    checks,
    stop: async () => await (stopped ??= stop()),
  };
}

/** Who is told what, in metrics and in the log. */
function observersOf(metrics: Metrics, log: Log) {
  return {
    registry: metrics.observeRegistry,
    notation: metrics.observeNotation,
    verifier: (
      event: Parameters<NonNullable<Parameters<typeof assemble>[0]["observers"]["verifier"]>>[0],
    ) => {
      if (event.kind === "refresh") metrics.observeRefresh(event.outcome);
      else log.error("a verification failed unexpectedly", {}, event.error);
    },
  };
}

function watch(
  metrics: Metrics,
  { judging, server, log }: { judging: Judging; server: TlsServer; log: Log },
): void {
  const { verifier, trust } = judging;
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
    certificate: () => server.certificates(),
    connections: () => server.counts(),
    droppedLines: () => log.dropped(),
  });
}

function certificateCheck(server: TlsServer): Check {
  const { notAfter, problem } = server.certificates();
  const endsSoon = notAfter.getTime() - Date.now() < EXPIRES_SOON_MS;
  const detail =
    problem ?? (endsSoon ? `the serving certificate ends ${notAfter.toISOString()}` : undefined);
  // An old certificate that serves is better than none: its caller decides.
  return { name: "certificate", ok: true, ...(detail !== undefined && { detail }) };
}

function notationCheck({ notation }: Judging): Check {
  const { version, problem } = notation.state();
  // Nobody else may ask: what readiness keeps away are the callers whose keys would look at the binary again.
  if (version === undefined) void notation.check();
  return { name: "notation", ok: version !== undefined, detail: problem ?? `version ${version}` };
}

/** Ready when there is a policy to judge under. A stale one judges on and is named; one that was never good refuses its keys alone. */
function trustChecks({ trust }: Judging): readonly Check[] {
  const states = trust.states();
  const hasPolicy = states.some(({ state }) => state !== "never");
  const overall = {
    name: "trust",
    ok: hasPolicy,
    ...(!hasPolicy && { detail: "no trust policy is in force" }),
  };
  return [
    overall,
    ...states.map(({ name, state, problems }): Check => {
      const first = problems.find(({ severity }) => severity === "error");
      const why = first === undefined ? "" : `: ${first.path}: ${first.message}`;
      return { name: `trust/${name}`, ok: true, detail: `${state}${why}` };
    }),
  ];
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
