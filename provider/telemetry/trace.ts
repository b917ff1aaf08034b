import type { Attributes, SpanKind as Kind, SpanStatus, Tracer } from "@opentelemetry/api";
import type { AwsEvent } from "../aws/aws.ts";
import type { NotationEvent } from "../notation/judge.ts";
import type { RegistryEvent } from "../registry/options.ts";
import type { SignerEvent } from "../signer/ask.ts";
import { isRefusal, type Refusal, type Verdict } from "../verdict/verdict.ts";
import type { DecideBatch, PinBatch } from "../verify/decision.ts";
import type { AroundKey } from "../verify/verifier.ts";

/** Spans of OpenTelemetry: wrappers of what others are asked in, and observers of what is done for it. */
export interface Tracing {
  readonly decide: (decide: DecideBatch) => DecideBatch;
  readonly pin: (pin: PinBatch) => PinBatch;
  readonly aroundKey: AroundKey;
  readonly observeRegistry: (event: RegistryEvent) => void;
  readonly observeNotation: (event: NotationEvent) => void;
  readonly observeAws: (event: AwsEvent | SignerEvent) => void;
}

export interface TracingOptions {
  /** Hosts and regions that the configuration names; others are `other`. */
  readonly registries: readonly string[];
  readonly regions: readonly string[];
}

/** Where every copy of OpenTelemetry's API of major version 1 finds the SDK that somebody registered. */
const REGISTERED = Symbol.for("opentelemetry.js.api.1");

const OTHER = "other";

/** Keeps names that the configuration has, and no other text. */
function among(known: readonly string[]): (name: string) => string {
  const names = new Set(known);
  return (name) => (names.has(name) ? name : OTHER);
}

/**
 * Makes the tracing if the process was started with an SDK of OpenTelemetry (`node --import`), and nothing otherwise: nobody then pays for
 * spans, and not even the API is loaded.
 * @see docs/tracing.md, which names each span and attribute
 */
export async function createTracing(options: TracingOptions): Promise<Tracing | undefined> {
  if (!(REGISTERED in globalThis)) return undefined;
  const { SpanKind, SpanStatusCode, trace } = await import("@opentelemetry/api");
  const tracer = trace.getTracer("notation-gatekeeper-provider");
  const hostOf = among(options.registries);
  const regionOf = among(options.regions);
  const failed: SpanStatus = { code: SpanStatusCode.ERROR };

  /** A span around work, of which more is known at its end. */
  async function around<T>(
    { name, kind }: { readonly name: string; readonly kind: Kind },
    work: () => Promise<T>,
    end: (result: T) => { readonly attributes: Attributes; readonly isFailure: boolean },
  ): Promise<T> {
    return await tracer.startActiveSpan(name, { kind }, async (span) => {
      try {
        const result = await work();
        const { attributes, isFailure } = end(result);
        span.setAttributes(attributes);
        if (isFailure) span.setStatus(failed);
        return result;
      } finally {
        span.end();
      }
    });
  }

  /** A span of what has just ended, below the one that it was done in. */
  const past = (
    name: string,
    kind: Kind,
    { durationMs, isFailure }: { readonly durationMs: number; readonly isFailure: boolean },
    attributes: Attributes,
  ): void => pastSpan(tracer, { name, kind, durationMs, attributes, ...(isFailure && { failed }) });

  return {
    decide: (decide) => async (keys, signal, began) =>
      await around(
        { name: "validate", kind: SpanKind.SERVER },
        async () => await decide(keys, signal, began),
        (decisions) => ({
          attributes: {
            "notation_provider.keys": decisions.length,
            "notation_provider.cached": decisions.filter(({ cache }) => cache === "hit").length,
            ...counts(decisions.map(({ verdict }) => verdict.kind)),
          },
          isFailure: decisions.some(({ verdict }) => verdict.kind === "undecided"),
        }),
      ),
    pin: (pin) => async (keys, signal, began) =>
      await around(
        { name: "mutate", kind: SpanKind.SERVER },
        async () => await pin(keys, signal, began),
        (pins) => ({
          attributes: {
            "notation_provider.keys": pins.length,
            ...counts(pins.map(({ result }) => result.kind)),
          },
          isFailure: pins.some(({ result }) => result.kind === "undecided"),
        }),
      ),
    aroundKey: async ({ key, isAllowed }, work) =>
      await around({ name: "verify", kind: SpanKind.INTERNAL }, work, (outcome) => ({
        attributes: {
          "notation_provider.registry": isAllowed ? hostOf(key.reference.registry) : OTHER,
          "notation_provider.outcome": outcome.verdict.kind,
          "notation_provider.cache": outcome.cache,
          ...reasonOf(outcome.verdict),
          ...(outcome.digest !== undefined && { "notation_provider.digest": outcome.digest }),
        },
        isFailure: outcome.verdict.kind === "undecided",
      })),
    observeRegistry: ({ registry, operation, outcome, durationMs }) =>
      past(
        `registry ${operation}`,
        SpanKind.CLIENT,
        { durationMs, isFailure: outcome !== "ok" && outcome !== "IMAGE_NOT_FOUND" },
        { "notation_provider.registry": hostOf(registry), "notation_provider.outcome": outcome },
      ),
    observeNotation: ({ outcome, durationMs, queueMs, spawnMs }) =>
      past(
        "notation verify",
        SpanKind.INTERNAL,
        { durationMs, isFailure: outcome === "NOTATION_FAILED" },
        {
          "notation_provider.outcome": outcome,
          "notation_provider.queue_ms": Math.round(queueMs),
          "notation_provider.spawn_ms": Math.round(spawnMs),
        },
      ),
    observeAws: (event) =>
      past(
        `${event.service} ${event.operation}`,
        SpanKind.CLIENT,
        {
          durationMs: event.durationMs,
          isFailure: event.outcome !== "ok" && event.outcome !== "revoked",
        },
        {
          "notation_provider.outcome": event.outcome,
          ...("region" in event && { "notation_provider.region": regionOf(event.region) }),
        },
      ),
  };
}

interface PastSpan {
  readonly name: string;
  readonly kind: Kind;
  readonly durationMs: number;
  readonly attributes: Attributes;
  /** What a failure is marked with; without it there is none. */
  readonly failed?: SpanStatus;
}

function pastSpan(tracer: Tracer, { name, kind, durationMs, attributes, failed }: PastSpan): void {
  const endTime = Date.now();
  const span = tracer.startSpan(name, { kind, startTime: endTime - durationMs, attributes });
  if (failed !== undefined) span.setStatus(failed);
  span.end(endTime);
}

/** How many of each kind, of those that occur. */
function counts(kinds: readonly (Verdict["kind"] | "pinned")[]): Attributes {
  const found: Record<string, number> = {};
  for (const kind of kinds) {
    const name = `notation_provider.${kind}`;
    found[name] = (found[name] ?? 0) + 1;
  }
  return found;
}

const reasonOf = (verdict: Verdict | Refusal): Attributes =>
  isRefusal(verdict) ? { "notation_provider.reason": verdict.reason } : {};
