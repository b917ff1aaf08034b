import { readdir, readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { KIND, TEMPLATE } from "../testing/cluster/policy.ts";
import { startBalancer } from "../testing/cluster/balancer.ts";
import { expectSuccess } from "../testing/cluster/api.ts";
import { startCluster, type Cluster } from "../testing/cluster/cluster.ts";
import type { RunningProvider } from "../testing/provider/start.ts";
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

/** What a run cost the provider's processes and their children. */
interface Cost {
  readonly cpuSeconds: number;
  readonly peakMiB: number;
}

interface Stat {
  readonly pid: number;
  readonly parent: number;
  /** Of itself and of children that have ended, seconds. */
  readonly cpuSeconds: number;
  readonly residentMiB: number;
}

/** Clock ticks a second and bytes of a page, as Linux has them on amd64 and arm64. @see proc_pid_stat(5) */
const TICKS = 100;
const PAGE = 4_096;

async function statOf(pid: number): Promise<Stat | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, "utf8");
    const fields = text
      .slice(text.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number);
    const [parent = 0] = fields.slice(1);
    const ticks = fields.slice(11, 15).reduce((sum, each) => sum + each, 0);
    const [pages = 0] = fields.slice(21);
    return { pid, parent, cpuSeconds: ticks / TICKS, residentMiB: (pages * PAGE) / 2 ** 20 };
  } catch {
    return undefined;
  }
}

/** Processes and everything below them. */
async function family(roots: readonly number[]): Promise<readonly Stat[]> {
  const names = (await readdir("/proc")).map(Number).filter((pid) => pid > 0);
  const stats = (await Promise.all(names.map(statOf))).filter((stat) => stat !== undefined);
  const members = new Set(roots);
  // A child may have a smaller number than its parent.
  for (let size = 0; size !== members.size;) {
    size = members.size;
    for (const { pid, parent } of stats) if (members.has(parent)) members.add(pid);
  }
  return stats.filter(({ pid }) => members.has(pid));
}

/** Looks at processes while something runs. */
async function watchCost<T>(pids: readonly number[], work: () => Promise<T>): Promise<[T, Cost]> {
  const cpu = async (): Promise<number> =>
    (await family(pids)).reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  const before = await cpu();
  let peakMiB = 0;
  const ended = new AbortController();
  const looking = (async () => {
    while (!ended.signal.aborted) {
      const resident = (await family(pids)).reduce((sum, stat) => sum + stat.residentMiB, 0);
      peakMiB = Math.max(peakMiB, resident);
      await setTimeout(100);
    }
  })();
  try {
    const result = await work();
    return [result, { cpuSeconds: (await cpu()) - before, peakMiB }];
  } finally {
    ended.abort();
    await looking;
  }
}

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
  const sum = (pattern: RegExp): number =>
    text.matchAll(pattern).reduce((total, [, count]) => total + Number(count), 0);
  return {
    undecided: sum(/^notation_provider_verifications_total\{outcome="undecided".*\} (\d+)$/gm),
    requests: sum(/^notation_provider_requests_total\{.*route="validate".*\} (\d+)$/gm),
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
