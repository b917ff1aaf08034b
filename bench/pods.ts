import { KIND, TEMPLATE } from "../testing/cluster/policy.ts";
import { startBalancer } from "../testing/cluster/balancer.ts";
import { expectSuccess } from "../testing/cluster/api.ts";
import { startCluster, type Cluster } from "../testing/cluster/cluster.ts";
import type { RunningProvider } from "../testing/provider/start.ts";
import { sumOf, watchCost } from "./processes.ts";
import type { Row } from "./report.ts";

/** Replicas of the Deployment. */
const PODS = 1_000;
const NODES = 20;

/** How the controller manager and the scheduler are told to go: Kubernetes' own rates, and as fast as they can. */
const RATES = [
  { name: "default rates", rates: {} },
  {
    name: "raised rates",
    rates: { controllerManager: { qps: 500, burst: 1_000 }, scheduler: { qps: 500, burst: 1_000 } },
  },
] as const;

interface Outcome {
  readonly seconds: number;
  /** Creations of Pods that were refused, by the event of each. */
  readonly refused: number;
}

/** Rolls a Deployment out and waits until every Pod is on a node. */
async function rollOut(cluster: Cluster, name: string): Promise<Outcome> {
  await cluster.namespaces(name);
  const began = performance.now();
  const labels = { app: name };
  const deployment = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: name },
    spec: {
      replicas: PODS,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { containers: [{ name: "app", image: cluster.samples.signed }] },
      },
    },
  };
  expectSuccess(await cluster.api.create(deployment), "the Deployment");
  await cluster.wait(
    `${PODS} Pods`,
    async () => {
      const { readyReplicas = 0 } = ((await cluster.api.read(deployment))?.["status"] ?? {}) as {
        readonly readyReplicas?: number;
      };
      return readyReplicas === PODS ? true : undefined;
    },
    600,
  );
  const seconds = (performance.now() - began) / 1000;
  const events = await cluster.api.list({ apiVersion: "v1", kind: "Event" }, name);
  const refused = events.filter(({ reason }) => reason === "FailedCreate").length;
  await cluster.api.remove({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
  return { seconds, refused };
}

/** Keys that a provider left undecided, and requests that it answered. */
async function countsOf({
  admin,
}: RunningProvider): Promise<{ undecided: number; requests: number }> {
  const text = await (await fetch(`${admin}/metrics`)).text();
  return {
    undecided: sumOf(text, "notation_provider_verifications_total", 'outcome="undecided".*'),
    requests: sumOf(text, "notation_provider_requests_total", '.*route="validate".*'),
  };
}

/** A Deployment of 1,000 Pods, with one and three providers behind one address, and without any webhook. */
export async function manyPods(progress: (text: string) => void): Promise<Row[]> {
  const rows: Row[] = [];
  await using cluster = await startCluster({
    nodes: NODES,
    progress,
    gatekeeper: { auditIntervalSeconds: 3600, failurePolicy: "Fail" },
  });
  const row = (id: string, what: string, measured: string, met?: boolean): void => {
    const target = met === undefined ? "" : "none refused, none undecided";
    rows.push({
      id,
      what,
      measured,
      target,
      met,
      limit: "rates of the controllers; two calls of Gatekeeper for each Pod",
    });
    progress(`${id}: ${what}: ${measured}`);
  };
  const bare = new Map<string, number>();

  for (const kind of ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"] as const) {
    const apiVersion = "admissionregistration.k8s.io/v1";
    for (const { metadata } of await cluster.api.list({ apiVersion, kind })) {
      await cluster.api.remove({ apiVersion, kind, metadata });
    }
  }
  for (const [index, { name, rates }] of RATES.entries()) {
    await cluster.setRates(rates);
    const { seconds } = await rollOut(cluster, `bare-${index}`);
    bare.set(name, seconds);
    row(
      "pods",
      `${PODS} Pods of one Deployment, ${name}, no webhook at all`,
      `${seconds.toFixed(1)} s`,
    );
  }

  await cluster.gatekeeper.configure({});
  await cluster.applyFile(TEMPLATE);
  await cluster.established(KIND);
  const constraint = {
    apiVersion: "constraints.gatekeeper.sh/v1beta1",
    kind: KIND,
    metadata: { name: "signed-images" },
    spec: {
      match: {
        kinds: [{ apiGroups: ["", "apps"], kinds: ["Pod", "Deployment", "ReplicaSet"] }],
        excludedNamespaces: ["kube-system", "gatekeeper-system"],
      },
      parameters: { rules: [{ images: ["*"] }] },
    },
  };
  await cluster.apply(constraint);
  await cluster.enforced(KIND, constraint.metadata.name);

  const replicas: RunningProvider[] = [cluster.provider.process()];
  await using others = new AsyncDisposableStack();
  for (const count of [1, 3]) {
    while (replicas.length < count) {
      replicas.push(others.use(await cluster.provider.replicate()));
    }
    await using balancer = await startBalancer(replicas.map(({ url }) => url));
    await cluster.point({ url: balancer.url });
    for (const [index, { name, rates }] of RATES.entries()) {
      await cluster.setRates(rates);
      // Each run begins with nothing in Gatekeeper's cache, and ends with what one did.
      await cluster.gatekeeper.restart();
      const before = await Promise.all(replicas.map(countsOf));
      const pids = replicas.map(({ pid }) => pid);
      const [outcome, cost] = await watchCost(
        pids,
        async () => await rollOut(cluster, `guarded-${count}-${index}`),
      );
      const after = await Promise.all(replicas.map(countsOf));
      const delta = (member: "undecided" | "requests"): number =>
        after.reduce((sum, each, at) => sum + each[member] - (before[at]?.[member] ?? 0), 0);
      const { seconds, refused } = outcome;
      row(
        "pods",
        `the same with failurePolicy Fail, ${count === 1 ? "1 provider" : `${count} providers`}, ${name}`,
        `${seconds.toFixed(1)} s (${(seconds - (bare.get(name) ?? 0)).toFixed(1)} s more than without), ` +
          `${refused} refused, ${delta("undecided")} undecided, ${delta("requests")} requests to the provider, ` +
          `its processes: ${cost.cpuSeconds.toFixed(1)} s of processor, ${cost.peakMiB.toFixed(0)} MiB at most`,
        refused === 0 && delta("undecided") === 0,
      );
    }
  }
  await cluster.point();
  return rows;
}
