import { hostname } from "node:os";
import type { Config } from "./config/schema.ts";
import { createCertificates, type Certificates } from "./kubernetes/certificates.ts";
import { createClient } from "./kubernetes/client.ts";
import { type Announce, createAnnouncer } from "./kubernetes/events.ts";
import type { CertificatesEvent } from "./kubernetes/reconcile.ts";
import { now, wallNow } from "./lib/clock.ts";
import type { Log } from "./telemetry/log.ts";
import type { Metrics } from "./telemetry/metrics.ts";

/** What a provider has beside, when it looks after its own certificates. */
export interface OwnCertificates extends AsyncDisposable {
  readonly certificates: Certificates;
  /** Writes Events; the API server is at hand anyway. */
  readonly announce: Announce;
}

/** What an Event says of each change. */
const WORDS = {
  begin: ["CertificateAuthorityCreated", "A CA and a serving certificate were made."],
  restore: ["CertificatesRestored", "The Secret was broken and is as it was."],
  replace: [
    "CertificateAuthorityAnnounced",
    "The Secret was deleted: another CA takes over when Gatekeeper trusts it.",
  ],
  renew: ["CertificateRenewed", "There is another serving certificate of the same CA."],
  announce: [
    "CertificateAuthorityAnnounced",
    "The CA grows old: another takes over when Gatekeeper trusts it.",
  ],
  promote: [
    "CertificateAuthorityReplaced",
    "Another CA signs; the one before stays trusted for a while.",
  ],
  retire: ["CertificateAuthorityRetired", "The CA before is trusted no more."],
} as const satisfies Record<
  Extract<CertificatesEvent, { kind: "changed" }>["change"],
  readonly [reason: string, note: string]
>;

/** Begins to look after the certificates of the configuration. @throws when there is no API server to be found */
export async function createOwnCertificates(
  { names, secret, clientCA, providers, ...more }: NonNullable<Config["certificates"]>,
  log: Log,
  metrics: Pick<Metrics, "observeCertificates" | "watchCertificates">,
): Promise<OwnCertificates> {
  const { authorityLife, servingLife, kubeconfig } = more;
  const parts = new AsyncDisposableStack();
  const client = parts.use(await createClient(kubeconfig === undefined ? {} : { kubeconfig }));
  const end = new AbortController();
  parts.defer(() => end.abort());
  const announce = createAnnouncer({
    client,
    // Kubernetes gives a Pod's name to its host.
    pod: { namespace: secret.namespace, name: hostname() },
    now,
    wallNow,
    signal: end.signal,
  });
  const tell = createTeller(log, announce);
  const certificates = parts.use(
    createCertificates({
      client,
      secret,
      clientCA,
      providers,
      names,
      authorityMs: authorityLife,
      servingMs: servingLife,
      observe: (event) => {
        metrics.observeCertificates(event);
        tell(event);
      },
      now,
      wallNow,
      random: Math.random,
    }),
  );
  metrics.watchCertificates(() => certificates.state());
  return {
    certificates,
    announce,
    [Symbol.asyncDispose]: async () => await parts.disposeAsync(),
  };
}

/** Writes events to the log and the cluster. A failure that goes on is written once. */
function createTeller(log: Log, announce: Announce): (event: CertificatesEvent) => void {
  const failing = new Map<string, string>();
  return (event) => {
    switch (event.kind) {
      case "changed": {
        const [reason, note] = WORDS[event.change];
        const expiresAt = new Date(event.state.serving.ends).toISOString();
        log.info("the provider's certificates changed", { reason, expiresAt });
        announce({ type: "Normal", reason, note: `${note} Serving until ${expiresAt}.` });
        return;
      }
      case "applied": {
        const { provider, isRepair } = event;
        const reason = isRepair ? "ProviderRepaired" : "ProviderUpdated";
        log.info("a Provider object has the CA", { reason, provider });
        announce({
          type: isRepair ? "Warning" : "Normal",
          reason,
          note: `spec.caBundle of Provider ${provider} ${isRepair ? "had been changed and is as it should be again" : "names the CAs in force"}.`,
        });
        return;
      }
      case "failed":
        if (failing.get(event.failure) === event.problem) return;
        failing.set(event.failure, event.problem);
        if (event.error === undefined) {
          log.warn("the provider's certificates could not be looked after", {
            reason: event.failure,
            problem: event.problem,
          });
        } else log.error("looking after the provider's certificates failed", {}, event.error);
        return;
      case "good":
        failing.clear();
    }
  };
}
