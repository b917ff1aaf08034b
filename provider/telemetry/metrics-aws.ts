import { Gauge, type Registry } from "prom-client";
import type { AwsEvent } from "../aws/aws.ts";
import type { CredentialsState } from "../aws/credentials.ts";
import type { TokenState } from "../aws/ecr.ts";
import type { FailureKind } from "../aws/failure.ts";
import type { SignerEvent } from "../signer/ask.ts";
import { bindCounter, bindHistogram, product } from "./bound.ts";
import { COARSE } from "./buckets.ts";

/** States of AWS that are asked for when `/metrics` is read. */
export interface AwsSources {
  readonly credentials: () => readonly CredentialsState[];
  readonly tokens: () => readonly TokenState[];
  /** What is asked of AWS Signer again and again. */
  readonly watch: () => { readonly size: number; readonly oldestAnswerMs: number };
}

export interface AwsMetricsOptions {
  readonly registers: Registry[];
  /** Regions that the configuration names; those that signatures name besides are `other`. */
  readonly regions: readonly string[];
  readonly sources: () => AwsSources | undefined;
}

const AWS_OUTCOMES = [
  "ok",
  "denied",
  "expired",
  "missing",
  "throttled",
  "unreachable",
] as const satisfies readonly ("ok" | FailureKind)[];
const SIGNER_OUTCOMES = [
  "ok",
  "revoked",
  "denied",
  "unknown",
] as const satisfies readonly SignerEvent["outcome"][];

/** A region that the configuration does not name; no text from outside may make a label. */
const OTHER = "other";

/** Defines the metrics about AWS. @returns what counts a call */
export function defineAwsMetrics({
  registers,
  regions,
  sources,
}: AwsMetricsOptions): (event: AwsEvent | SignerEvent) => void {
  const namedRegions = new Set(regions);
  const regionOf = (region: string): string => (namedRegions.has(region) ? region : OTHER);
  const awsRequests = bindCounter({
    name: "notation_provider_aws_requests_total",
    help: "What was asked of AWS, by outcome",
    labelNames: ["service", "operation", "region", "outcome"],
    combinations: [
      ...product(["credentials"], ["own", "role"], [""], AWS_OUTCOMES),
      ...product(["ecr"], ["token", "signingStatus"], regions, AWS_OUTCOMES),
      ...product(["signer"], ["revocation"], [...regions, OTHER], SIGNER_OUTCOMES),
    ],
    registers,
  });
  const awsSeconds = bindHistogram({
    name: "notation_provider_aws_request_duration_seconds",
    help: "Duration of what was asked of AWS, with waiting and a second attempt",
    labelNames: ["service", "operation"],
    combinations: [
      ...product(["credentials"], ["own", "role"]),
      ...product(["ecr"], ["token", "signingStatus"]),
      ["signer", "revocation"],
    ],
    buckets: COARSE,
    registers,
  });
  defineStates(registers, regionOf, sources);

  return (event) => {
    const { service, operation, outcome, durationMs } = event;
    awsRequests(service, operation, "region" in event ? regionOf(event.region) : "", outcome);
    awsSeconds(durationMs / 1000, service, operation);
  };
}

/** What is held of AWS. Of several tokens of a region, and of several roles, the one that expires first is told. */
function defineStates(
  registers: Registry[],
  regionOf: (region: string) => string,
  sources: () => AwsSources | undefined,
): void {
  /** Seconds by label; what could not be had is 0, and what does not expire infinite. */
  const expiries = (
    name: string,
    help: string,
    label: string,
    read: (aws: AwsSources) => readonly (readonly [value: string, leftMs: number | undefined])[],
  ): void => {
    void new Gauge({
      name,
      help,
      labelNames: [label],
      registers,
      collect() {
        this.reset();
        const aws = sources();
        const least = new Map<string, number>();
        for (const [value, leftMs = 0] of aws === undefined ? [] : read(aws)) {
          least.set(value, Math.min(leftMs, least.get(value) ?? Infinity));
        }
        for (const [value, leftMs] of least) this.set({ [label]: value }, leftMs / 1000);
      },
    });
  };
  expiries(
    "notation_provider_aws_token_expiry_seconds",
    "Seconds until the token of a region expires that does so first, 0 when there is none",
    "region",
    ({ tokens }) => tokens().map(({ region, leftMs }) => [regionOf(region), leftMs]),
  );
  expiries(
    "notation_provider_aws_credentials_expiry_seconds",
    "Seconds until credentials expire, 0 when there are none",
    "operation",
    ({ credentials }) =>
      credentials().map(({ role, leftMs }) => [role === undefined ? "own" : "role", leftMs]),
  );
  void new Gauge({
    name: "notation_provider_aws_credentials_source",
    help: "1 for where the provider's own credentials come from",
    labelNames: ["source"],
    registers,
    collect() {
      this.reset();
      const own = sources()
        ?.credentials()
        .find(({ role }) => role === undefined);
      if (own !== undefined) this.set({ source: own.source }, 1);
    },
  });
  void new Gauge({
    name: "notation_provider_signer_watched_questions",
    help: "Questions about revocation that are asked again and again",
    registers,
    collect() {
      this.set(sources()?.watch().size ?? 0);
    },
  });
  void new Gauge({
    name: "notation_provider_signer_oldest_answer_seconds",
    help: "Age of the oldest answer that a cached verdict rests on",
    registers,
    collect() {
      this.set((sources()?.watch().oldestAnswerMs ?? 0) / 1000);
    },
  });
}
