import type { AwsHealth } from "./aws-health.ts";
import type { AwsEvent } from "./aws/aws.ts";
import type { CertificateState } from "./http/server.ts";
import type { Announce } from "./kubernetes/events.ts";
import type { NotationEvent } from "./notation/judge.ts";
import { createPolicyLog } from "./policy-log.ts";
import type { RegistryEvent } from "./registry/options.ts";
import type { SignerEvent } from "./signer/ask.ts";
import type { Log } from "./telemetry/log.ts";
import type { Metrics } from "./telemetry/metrics.ts";
import type { Tracing } from "./telemetry/trace.ts";
import type { PolicyState } from "./trust/trust.ts";
import type { Decision, Pin } from "./verify/decision.ts";
import type { VerifierEvent } from "./verify/verifier.ts";

/** Where what happens is told. */
export interface Tellers {
  readonly metrics: Metrics;
  readonly log: Log;
  readonly awsHealth: AwsHealth;
  /** Where somebody registered an SDK of OpenTelemetry. */
  readonly tracing: Tracing | undefined;
  /** Beside the Pod, as Events; where the provider speaks to the API server. */
  readonly announce: Announce | undefined;
}

/** Who is told what, in metrics, in traces, in the log and beside the Pod. */
export function createObservers({ metrics, log, awsHealth, tracing, announce }: Tellers) {
  const policyLog = createPolicyLog(log);
  return {
    aws: (event: AwsEvent | SignerEvent): void => {
      metrics.observeAws(event);
      awsHealth.observe(event);
      tracing?.observeAws(event);
    },
    registry: (event: RegistryEvent): void => {
      metrics.observeRegistry(event);
      tracing?.observeRegistry(event);
    },
    notation: (event: NotationEvent): void => {
      metrics.observeNotation(event);
      tracing?.observeNotation(event);
    },
    verifier: (event: VerifierEvent): void => {
      if (event.kind === "refresh") metrics.observeRefresh(event.outcome);
      else log.error("a verification failed unexpectedly", {}, event.error);
    },
    trust: (states: readonly PolicyState[]): void => {
      policyLog(states);
      for (const { name, state } of states) {
        if (state === "current") continue;
        const note = `Trust policy ${name} was refused and is ${state}: the log and \`config check\` say why.`;
        announce?.({ type: "Warning", reason: "TrustPolicyRejected", note });
      }
    },
    decisions: (decisions: readonly Decision[], request: string): void => {
      log.decisions(decisions, request);
      for (const decision of decisions) metrics.observeDecision(decision);
      if (announce !== undefined) announceDenials(decisions, announce);
    },
    pins: (pins: readonly Pin[], request: string): void => {
      log.pins(pins, request);
      for (const pin of pins) metrics.observePin(pin);
    },
    certificates: ({ notAfter, problem }: CertificateState): void => {
      const expiresAt = notAfter.toISOString();
      if (problem === undefined) log.info("certificates are in force", { expiresAt });
      else log.error("certificates were refused, the old ones stay", { problem, expiresAt });
    },
  };
}

/** Says beside the Pod that AWS Signer refuses to be asked: then nothing that it signed can be admitted. */
function announceDenials(decisions: readonly Decision[], announce: Announce): void {
  for (const { verdict } of decisions) {
    if (verdict.kind !== "undecided" || verdict.reason !== "SIGNER_DENIED") continue;
    announce({ type: "Warning", reason: "SignerDenied", note: verdict.sentence });
  }
}
