/**
 * What the provider's own certificates are about, on the double of the API server: Gatekeeper's Secret, a Provider object, and
 * replicas that start when a test says so.
 */
import { rootCertificates } from "node:tls";
import { isDeepStrictEqual } from "node:util";
import {
  type Certificates,
  type CertificatesLimits,
  type CertificatesOptions,
  createCertificates,
} from "../../provider/kubernetes/certificates.ts";
import { createClient } from "../../provider/kubernetes/client.ts";
import type { CertificatesEvent } from "../../provider/kubernetes/reconcile.ts";
import { certificatesOf } from "../../provider/lib/pem.ts";
import { type ApiServer, startApiServer } from "./api-server.ts";

/** The provider's own Secret. */
export const OWN = "/api/v1/namespaces/gatekeeper-system/secrets/certificates";
/** Gatekeeper's. */
export const CLIENT_CA =
  "/api/v1/namespaces/gatekeeper-system/secrets/gatekeeper-webhook-server-cert";
export const PROVIDER = "/apis/externaldata.gatekeeper.sh/v1beta1/providers/notation";
const DAY = 86_400_000;

/** Short enough that nothing waits, long enough that a watch is what tells of changes. */
const LIMITS: Partial<CertificatesLimits> = {
  rereadEveryMs: 60_000,
  spacingMs: 5,
  firstPauseMs: 5,
  longestPauseMs: 20,
  deferenceMs: 10,
  handoverMs: 10,
};

export const encode = (text: string): string => Buffer.from(text).toString("base64");

export interface World extends AsyncDisposable {
  readonly api: ApiServer;
  readonly events: CertificatesEvent[];
  start(options?: Partial<CertificatesOptions>): Promise<Certificates>;
  /** PEM under a key of the provider's Secret. */
  secret(key: string): string | undefined;
  /** PEM of the CAs in the Provider's bundle. */
  bundle(): string;
  /** Their subjects. */
  trusted(): readonly string[];
  /** Whether Gatekeeper goes by the Provider as it is, whenever that changes; it does unless told otherwise. */
  ingest(isIngested: boolean): void;
}

/** @param clientCA PEM of Gatekeeper's CA */
export async function startWorld(clientCA: string): Promise<World> {
  const parts = new AsyncDisposableStack();
  const api = parts.use(await startApiServer());
  const events: CertificatesEvent[] = [];
  let isIngesting = true;
  // Nothing but `ca.crt` may be looked at, and what is a root elsewhere is none here.
  const other = encode(rootCertificates[0] ?? "");
  api.put(CLIENT_CA, {
    data: { "ca.crt": encode(clientCA), "ca.key": encode("never"), "tls.crt": other },
  });
  api.put(PROVIDER, { spec: { url: "https://x", caBundle: "" } });

  /** As Gatekeeper reports. */
  const report = (): void => {
    const provider = api.get(PROVIDER);
    const generation = Number(provider?.metadata?.["generation"]);
    const observedGeneration = isIngesting ? generation : generation - 1;
    const byPod = [{ id: "webhook", active: true, observedGeneration }];
    const status = { byPod };
    if (provider === undefined || isDeepStrictEqual(provider["status"], status)) return;
    api.put(PROVIDER, { ...provider, status });
  };
  const gatekeeper = async (): Promise<never> => {
    for (;;) {
      report();
      await api.changed();
    }
  };
  void gatekeeper();

  const secret: World["secret"] = (key) => {
    const data = api.get(OWN)?.["data"] as Record<string, string> | undefined;
    return data?.[key] === undefined ? undefined : Buffer.from(data[key], "base64").toString();
  };
  const bundle = (): string => {
    const { caBundle } = { caBundle: "", ...(api.get(PROVIDER)?.["spec"] as object) };
    return Buffer.from(caBundle, "base64").toString();
  };
  return {
    api,
    events,
    async start(options = {}) {
      const client = parts.use(await createClient({ kubeconfig: api.kubeconfig, timeoutMs: 500 }));
      return parts.use(
        createCertificates({
          client,
          secret: { namespace: "gatekeeper-system", name: "certificates" },
          clientCA: {
            namespace: "gatekeeper-system",
            name: "gatekeeper-webhook-server-cert",
            key: "ca.crt",
          },
          providers: ["notation"],
          names: ["notation-provider.gatekeeper-system"],
          authorityMs: 365 * DAY,
          servingMs: 90 * DAY,
          observe: (event) => events.push(event),
          now: () => performance.now(),
          wallNow: () => Date.now(),
          random: () => 0.5,
          ...options,
          limits: { ...LIMITS, ...options.limits },
        }),
      );
    },
    secret,
    bundle,
    trusted: () => certificatesOf(bundle()).map(({ subject }) => subject),
    ingest(isIngested) {
      isIngesting = isIngested;
      report();
    },
    [Symbol.asyncDispose]: async () => await parts.disposeAsync(),
  };
}

/** Lets the event loop go round once. */
const turn = async (): Promise<void> =>
  await new Promise((resolve) => {
    setImmediate(resolve);
  });

/** Milliseconds: a wait that goes on would keep the process of its test alive for ever. */
const LONGEST_WAIT_MS = 30_000;

/** Resolves when a condition holds; it is looked at as the loop turns. @throws when it never does */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + LONGEST_WAIT_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${String(holds)}`);
    await turn();
  }
}
