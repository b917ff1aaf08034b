import { Gauge, type Registry } from "prom-client";
import type { CertificatesState } from "../kubernetes/certificates.ts";
import { FAILURES } from "../kubernetes/objects.ts";
import { CHANGES } from "../kubernetes/plan.ts";
import type { CertificatesEvent } from "../kubernetes/reconcile.ts";
import { bindCounter, product } from "./bound.ts";

export interface CertificatesMetricsOptions {
  readonly registers: Registry[];
  /** Undefined where certificates are files. */
  readonly source: () => (() => CertificatesState) | undefined;
}

/** Defines the metrics about certificates that the provider makes itself. @returns what counts an event */
export function defineCertificatesMetrics({
  registers,
  source,
}: CertificatesMetricsOptions): (event: CertificatesEvent) => void {
  const failures = bindCounter({
    name: "notation_provider_certificates_failures_total",
    help: "What of the cluster could not be read or written for the provider's own certificates",
    labelNames: ["failure"],
    combinations: product(FAILURES),
    registers,
  });
  const changes = bindCounter({
    name: "notation_provider_certificates_changes_total",
    help: "Changes of the Secret of the provider's own certificates that this replica made",
    labelNames: ["change"],
    combinations: product(CHANGES),
    registers,
  });
  const state = (name: string, help: string, read: (state: CertificatesState) => number): void => {
    void new Gauge({
      name,
      help,
      registers,
      collect() {
        const own = source()?.();
        this.set(own === undefined ? 0 : read(own));
      },
    });
  };
  state(
    "notation_provider_authority_certificate_expiry_seconds",
    "Seconds until the provider's own CA expires, 0 where it has none",
    ({ authorityEnds }) =>
      authorityEnds === undefined ? 0 : (authorityEnds.getTime() - Date.now()) / 1000,
  );
  state(
    "notation_provider_certificates_age_seconds",
    "Since all was last seen to be as it should be; 0 where certificates are files",
    ({ ageMs }) => (ageMs === undefined ? Infinity : ageMs / 1000),
  );
  return (event) => {
    if (event.kind === "failed") failures(event.failure);
    if (event.kind === "changed") changes(event.change);
  };
}
