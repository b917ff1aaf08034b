import { collectDefaultMetrics, Counter, Gauge, Registry } from "prom-client";
import type { AwsEvent } from "../aws/aws.ts";
import type { CertificatesState } from "../kubernetes/certificates.ts";
import type { CertificatesEvent } from "../kubernetes/reconcile.ts";
import type { NotationEvent } from "../notation/judge.ts";
import type { RegistryEvent } from "../registry/options.ts";
import type { SignerEvent } from "../signer/ask.ts";
import type { PolicyState } from "../trust/trust.ts";
import { FAILURE_REASONS, REJECT_REASONS } from "../verdict/reasons.ts";
import type { Verdict } from "../verdict/verdict.ts";
import type { CacheUse, Decision, Pin } from "../verify/decision.ts";
import { bindCounter, bindHistogram, product } from "./bound.ts";
import { COARSE, LONG, SHORT } from "./buckets.ts";
import { defineAwsMetrics, type AwsSources } from "./metrics-aws.ts";
import { defineCertificatesMetrics } from "./metrics-certificates.ts";

/** One HTTP request that was answered, or whose caller had gone. */
export interface RequestEvent {
  /** `none`: it came to no route. */
  readonly route: (typeof ROUTES)[number];
  /** HTTP status; 499 when the caller had gone before there was an answer. */
  readonly status: number;
  readonly durationMs: number;
}

/** States that are asked for when `/metrics` is read. */
interface Sources {
  /** What the caches hold. */
  readonly caches: () => readonly CacheState[];
  /** Keys that wait to be decided. */
  readonly waiting: () => number;
  readonly trust: () => readonly PolicyState[];
  /** Milliseconds since each policy in force was last read and found good. */
  readonly trustAges: () => ReadonlyMap<string, number>;
  /** Versions of the provider and of Notation, `undefined` while Notation cannot be run. */
  readonly versions: () => { readonly provider: string; readonly notation?: string | undefined };
  readonly certificate: () => { readonly notAfter: Date };
  readonly connections: () => ConnectionState;
  readonly droppedLines: () => number;
  readonly aws: AwsSources;
}

interface CacheState {
  readonly cache: (typeof CACHES)[number];
  readonly entries: number;
  readonly bytes: number;
}

interface ConnectionState {
  readonly handshaking: number;
  readonly idle: number;
  readonly active: number;
  /** Since the start. */
  readonly dropped: number;
  /** Since the start. */
  readonly failedHandshakes: number;
}

/** The observers of the other rooms, and the text that Prometheus reads. */
export interface Metrics {
  readonly observeRequest: (event: RequestEvent) => void;
  readonly observeDecision: (decision: Decision) => void;
  readonly observePin: (pin: Pin) => void;
  /** A verdict that was asked for anew before its life ended. */
  readonly observeRefresh: (kind: Verdict["kind"]) => void;
  readonly observeRegistry: (event: RegistryEvent) => void;
  readonly observeNotation: (event: NotationEvent) => void;
  readonly observeCertificates: (event: CertificatesEvent) => void;
  readonly observeAws: (event: AwsEvent | SignerEvent) => void;
  /** Names where the state of certificates of the provider's own comes from, which is there long before the others. */
  watchCertificates(source: () => CertificatesState): void;
  /** Names where states come from; until then they are 0. */
  watch(sources: Sources): void;
  text(): Promise<string>;
  /** Media type of {@link text}. */
  readonly contentType: string;
}

export interface MetricsOptions {
  /** Hosts of the configured registries: with what is closed by itself, the only values that labels have. */
  readonly registries: readonly string[];
  /** Regions of AWS that the configuration names; those that signatures name besides are `other`. */
  readonly regions: readonly string[];
}

const ROUTES = ["validate", "mutate", "none"] as const;
const CODES = ["200", "400", "403", "404", "405", "408", "413", "415", "431", "499", "500"];
const CACHES = ["verdicts", "tags", "evidence"] as const;
const CACHE_USES = ["hit", "joined", "miss", "none"] as const satisfies readonly CacheUse[];
const KINDS = [
  "verified",
  "skipped",
  "rejected",
  "undecided",
] as const satisfies readonly Verdict["kind"][];
const OPERATIONS = [
  "subject",
  "referrers",
  "manifest",
  "blob",
  "token",
] as const satisfies readonly RegistryEvent["operation"][];
const POLICY_STATES = [
  "current",
  "stale",
  "never",
] as const satisfies readonly PolicyState["state"][];

/** What an observed registry is called that is not configured; there is none, and no text may make one. */
const OTHER = "other";

/**
 * Makes the metrics in a registry of their own. Every label has a closed list of values, and every combination that can
 * occur begins at 0, so that a rate sees the first event.
 * @see docs/metrics.md, which names each
 */
export function createMetrics({ registries, regions }: MetricsOptions): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const hosts = new Set(registries);
  const hostOf = (host: string): string => (hosts.has(host) ? host : OTHER);

  const verdicts = [
    ...product(["rejected"], REJECT_REASONS),
    ...product(["undecided"], FAILURE_REASONS),
  ];
  const requests = bindCounter({
    name: "notation_provider_requests_total",
    help: "HTTP requests by route and status",
    labelNames: ["route", "code"],
    combinations: product(ROUTES, CODES),
    registers,
  });
  const requestSeconds = bindHistogram({
    name: "notation_provider_request_duration_seconds",
    help: "From the arrival of a request to its answer",
    labelNames: ["route"],
    combinations: product(ROUTES),
    buckets: LONG,
    registers,
  });
  const verifications = bindCounter({
    name: "notation_provider_verifications_total",
    help: "Verdicts by outcome and reason",
    labelNames: ["outcome", "reason"],
    combinations: [["verified", ""], ["skipped", ""], ...verdicts],
    registers,
  });
  const verificationSeconds = bindHistogram({
    name: "notation_provider_verification_duration_seconds",
    help: "From the arrival of a request to the verdict of a key",
    labelNames: ["outcome", "cache"],
    combinations: product(KINDS, CACHE_USES),
    buckets: LONG,
    registers,
  });
  const cacheUses = bindCounter({
    name: "notation_provider_cache_requests_total",
    help: "Where verdicts came from",
    labelNames: ["use"],
    combinations: product(CACHE_USES),
    registers,
  });
  const refreshes = bindCounter({
    name: "notation_provider_cache_refreshes_total",
    help: "Verdicts that were made anew before their life ended, by outcome",
    labelNames: ["outcome"],
    combinations: product(KINDS),
    registers,
  });
  const pins = bindCounter({
    name: "notation_provider_pins_total",
    help: "Images of mutation requests by outcome and reason",
    labelNames: ["outcome", "reason"],
    combinations: [["pinned", ""], ...verdicts],
    registers,
  });
  const registryRequests = bindCounter({
    name: "notation_provider_registry_requests_total",
    help: "What was asked of registries, by outcome",
    labelNames: ["registry", "operation", "outcome"],
    combinations: product(registries, OPERATIONS, [
      "ok",
      "IMAGE_NOT_FOUND",
      ...FAILURE_REASONS.filter(isOfRegistry),
    ]),
    registers,
  });
  const registrySeconds = bindHistogram({
    name: "notation_provider_registry_request_duration_seconds",
    help: "Duration of what was asked of registries",
    labelNames: ["registry", "operation"],
    combinations: product(registries, OPERATIONS),
    buckets: COARSE,
    registers,
  });
  const judgements = bindCounter({
    name: "notation_provider_notation_judgements_total",
    help: "Judgements of one envelope by Notation, one or two runs each",
    labelNames: ["outcome"],
    combinations: product(["passed", ...REJECT_REASONS, ...FAILURE_REASONS]),
    registers,
  });
  const plain = { labelNames: [], combinations: [[]], registers };
  const judgementSeconds = bindHistogram({
    ...plain,
    name: "notation_provider_notation_duration_seconds",
    help: "From the question about one envelope to its judgement",
    buckets: LONG,
  });
  const queueSeconds = bindHistogram({
    ...plain,
    name: "notation_provider_notation_queue_seconds",
    help: "Wait of a judgement for its place",
    buckets: LONG,
  });
  const spawnSeconds = bindHistogram({
    ...plain,
    name: "notation_provider_notation_spawn_seconds",
    help: "How long the starter took to start Notation",
    buckets: SHORT,
  });

  let sources: Sources | undefined;
  let certificates: (() => CertificatesState) | undefined;
  defineStates(registers, () => sources);
  const observeAws = defineAwsMetrics({ registers, regions, sources: () => sources?.aws });
  const observeCertificates = defineCertificatesMetrics({
    registers,
    source: () => certificates,
  });

  return {
    observeRequest({ route, status, durationMs }) {
      requests(route, String(status));
      requestSeconds(durationMs / 1000, route);
    },
    observeDecision({ verdict, cache, durationMs }) {
      verifications(verdict.kind, "reason" in verdict ? verdict.reason : "");
      cacheUses(cache);
      verificationSeconds(durationMs / 1000, verdict.kind, cache);
    },
    observePin({ result }) {
      pins(result.kind, "reason" in result ? result.reason : "");
    },
    observeRefresh: refreshes,
    observeRegistry({ registry: host, operation, outcome, durationMs }) {
      registryRequests(hostOf(host), operation, outcome);
      registrySeconds(durationMs / 1000, hostOf(host), operation);
    },
    observeNotation({ outcome, durationMs, spawnMs, queueMs }) {
      judgements(outcome);
      judgementSeconds(durationMs / 1000);
      queueSeconds(queueMs / 1000);
      spawnSeconds(spawnMs / 1000);
    },
    observeAws,
    observeCertificates,
    watchCertificates(source) {
      certificates = source;
    },
    watch(all) {
      sources = all;
    },
    text: async () => await registry.metrics(),
    contentType: registry.contentType,
  };
}

const isOfRegistry = (reason: string): boolean =>
  reason.startsWith("REGISTRY_") || reason === "TIMEOUT" || reason === "OVERLOADED";

/** Gauges, and counters that others count: read from their sources when somebody reads them. */
function defineStates(registers: Registry[], sources: () => Sources | undefined): void {
  const caches = (name: string, help: string, read: (state: CacheState) => number): void => {
    void new Gauge({
      name,
      help,
      labelNames: ["cache"],
      registers,
      collect() {
        for (const cache of CACHES) this.set({ cache }, 0);
        for (const state of sources()?.caches() ?? [])
          this.set({ cache: state.cache }, read(state));
      },
    });
  };
  caches("notation_provider_cache_entries", "Entries of a cache", ({ entries }) => entries);
  caches("notation_provider_cache_bytes", "Bytes that a cache holds", ({ bytes }) => bytes);

  void new Gauge({
    name: "notation_provider_waiting_keys",
    help: "Keys that wait to be decided",
    registers,
    collect() {
      this.set(sources()?.waiting() ?? 0);
    },
  });
  void new Gauge({
    name: "notation_provider_trust_policy_state",
    help: "1 for the state that a trust policy is in",
    labelNames: ["policy", "state"],
    registers,
    collect() {
      this.reset();
      for (const { name, state } of sources()?.trust() ?? []) {
        for (const each of POLICY_STATES) {
          this.set({ policy: name, state: each }, each === state ? 1 : 0);
        }
      }
    },
  });
  void new Gauge({
    name: "notation_provider_trust_policy_age_seconds",
    help: "Seconds since a trust policy was last read and found good",
    labelNames: ["policy"],
    registers,
    collect() {
      this.reset();
      for (const [policy, ageMs] of sources()?.trustAges() ?? [])
        this.set({ policy }, ageMs / 1000);
    },
  });
  void new Gauge({
    name: "notation_provider_build_info",
    help: "1 for the versions of the provider and of Notation",
    labelNames: ["version", "notation"],
    registers,
    collect() {
      this.reset();
      const versions = sources()?.versions();
      if (versions === undefined) return;
      this.set({ version: versions.provider, notation: versions.notation ?? "" }, 1);
    },
  });
  void new Gauge({
    name: "notation_provider_serving_certificate_expiry_seconds",
    help: "Seconds until the serving certificate expires, negative afterwards",
    registers,
    collect() {
      const notAfter = sources()?.certificate().notAfter;
      this.reset();
      if (notAfter !== undefined) this.set((notAfter.getTime() - Date.now()) / 1000);
    },
  });
  void new Gauge({
    name: "notation_provider_connections",
    help: "Connections of callers by what they do",
    labelNames: ["state"],
    registers,
    collect() {
      const { handshaking = 0, idle = 0, active = 0 } = sources()?.connections() ?? {};
      this.set({ state: "handshaking" }, handshaking);
      this.set({ state: "idle" }, idle);
      this.set({ state: "active" }, active);
    },
  });

  const totals = (name: string, help: string, read: () => number | undefined): void => {
    void new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read() ?? 0);
      },
    });
  };
  totals(
    "notation_provider_dropped_connections_total",
    "Connections that were closed to make room",
    () => sources()?.connections().dropped,
  );
  totals(
    "notation_provider_failed_handshakes_total",
    "TLS handshakes that failed: no certificate, an unknown CA, an old TLS",
    () => sources()?.connections().failedHandshakes,
  );
  totals(
    "notation_provider_dropped_log_lines_total",
    "Lines that were not written because nobody read them",
    () => sources()?.droppedLines(),
  );
}
