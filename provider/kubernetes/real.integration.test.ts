// On a real API server with the rights of the chart and no other: patches, their conflicts, watches and authorization are its own.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { CHART, NAMESPACE } from "../../testing/chart/helm.ts";
import { expectSuccess, type KubernetesObject } from "../../testing/cluster/api.ts";
import { createLifetime } from "../../testing/cluster/lifetime.ts";
import { providerOf } from "../../testing/cluster/policy.ts";
import { createGatekeeperAuthority } from "../../testing/gatekeeper/certificates.ts";
import { ACCOUNT, rights, writeAccountKubeconfig } from "../../testing/kubernetes/account.ts";
import { startProviderPlane } from "../../testing/kubernetes/plane.ts";
import { encode } from "../../testing/kubernetes/world.ts";
import { certificatesOf } from "../lib/pem.ts";
import { type Certificates, createCertificates } from "./certificates.ts";
import { createClient } from "./client.ts";
import { createAnnouncer } from "./events.ts";
import type { CertificatesEvent } from "./reconcile.ts";

const PROVIDER = providerOf("notation");
const OWN = {
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "notation-provider-certificates", namespace: NAMESPACE },
};
const CLIENT_CA = {
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "gatekeeper-webhook-server-cert", namespace: NAMESPACE },
};
const [authority, rotated] = [await createGatekeeperAuthority(), await createGatekeeperAuthority()];
/** One that has ended, whose key nobody has. */
const placeholder = await readFile(join(CHART, "files/placeholder-ca.crt"), "utf8");

const lifetime = await createLifetime(() => undefined);
const { plane, kubeconfig } = await lifetime.start(async () => {
  const started = await startProviderPlane(lifetime, { isAudited: true, objects: await rights() });
  return {
    plane: started,
    kubeconfig: await writeAccountKubeconfig(started.api, started.kubeconfigs.admin),
  };
});
after(lifetime.end);
const { api } = plane;
const { wait } = lifetime;

const apply = async (object: KubernetesObject): Promise<void> =>
  void expectSuccess(await api.apply(object), object.kind);
const applyProvider = async (): Promise<void> =>
  await apply({
    ...PROVIDER,
    spec: { url: "https://127.0.0.1:1/validate", timeout: 2, caBundle: encode(placeholder) },
  });
const applyClientCA = async (ca: string): Promise<void> =>
  await apply({ ...CLIENT_CA, data: { "ca.crt": encode(ca), "ca.key": encode("never") } });

/** PEM under a key of the provider's Secret. */
async function secret(key: string): Promise<string | undefined> {
  const data = (await api.read(OWN))?.["data"] as Record<string, string> | undefined;
  return data?.[key] === undefined ? undefined : Buffer.from(data[key], "base64").toString();
}
/** Subjects of the CAs in the Provider's bundle that are valid. */
async function trusted(): Promise<readonly string[]> {
  const { caBundle } = { caBundle: "", ...((await api.read(PROVIDER))?.["spec"] as object) };
  const all = certificatesOf(Buffer.from(caBundle, "base64").toString());
  return all.filter((each) => Date.parse(each.validTo) > Date.now()).map(({ subject }) => subject);
}
/** As Gatekeeper reports that it goes by the Provider as it is. */
async function ingest(): Promise<void> {
  const generation = (await api.read(PROVIDER))?.metadata.generation;
  const byPod = [{ id: "webhook", active: true, observedGeneration: generation }];
  const answer = await api.send(`/apis/${PROVIDER.apiVersion}/providers/notation/status`, {
    method: "PATCH",
    body: { status: { byPod } },
    contentType: "application/merge-patch+json",
  });
  expectSuccess(answer, "reporting");
}

interface Replicas extends AsyncDisposable {
  readonly all: readonly Certificates[];
  readonly events: readonly CertificatesEvent[];
  readonly changes: () => readonly string[];
}

/** Starts replicas at once, in a cluster that has what the chart and Gatekeeper have made. */
async function startReplicas(count: number): Promise<Replicas> {
  await api.remove(OWN);
  await api.remove(PROVIDER);
  await applyProvider();
  await applyClientCA(authority.ca);
  return await joinReplicas(count);
}

/** The same, in the cluster as it is. */
async function joinReplicas(count: number): Promise<Replicas> {
  const parts = new AsyncDisposableStack();
  const events: CertificatesEvent[] = [];
  const clients = await Promise.all(
    Array.from({ length: count }, async () => parts.use(await createClient({ kubeconfig }))),
  );
  const all = clients.map((client) =>
    parts.use(
      createCertificates({
        client,
        secret: { namespace: NAMESPACE, name: OWN.metadata.name },
        clientCA: { namespace: NAMESPACE, name: CLIENT_CA.metadata.name, key: "ca.crt" },
        providers: ["notation"],
        names: ["127.0.0.1"],
        authorityMs: 31_536_000_000,
        servingMs: 7_776_000_000,
        observe: (event) => events.push(event),
        now: () => performance.now(),
        wallNow: () => Date.now(),
        random: Math.random,
        // What is told by no watch would be seen after an hour.
        limits: {
          rereadEveryMs: 3_600_000,
          spacingMs: 10,
          firstPauseMs: 10,
          longestPauseMs: 100,
          deferenceMs: 100,
          handoverMs: 10,
        },
      }),
    ),
  );
  return {
    all,
    events,
    changes: () => events.flatMap((event) => (event.kind === "changed" ? [event.change] : [])),
    [Symbol.asyncDispose]: async () => await parts.disposeAsync(),
  };
}

const ready = async ({ all }: Replicas): Promise<void> =>
  void (await Promise.all(all.map(async (each) => await each.ready(AbortSignal.timeout(20_000)))));
const served = async ({ all }: Replicas): Promise<readonly string[]> =>
  await Promise.all(all.map(async ({ source }) => (await source.read()).certificate));
const subjectOf = (pem: string): string => new X509Certificate(pem).subject;
const oneTrusted = async (): Promise<string> =>
  await wait("one CA in the Provider", async () => {
    const found = await trusted();
    return found.length === 1 ? found[0] : undefined;
  });

for (const count of [2, 5]) {
  test(`T-66 ${count} replicas that start at once make one CA`, async () => {
    await using replicas = await startReplicas(count);
    await ready(replicas);
    assert.deepEqual(replicas.changes(), ["begin"]);
    assert.equal(new Set(await served(replicas)).size, 1);
    assert.equal(await oneTrusted(), subjectOf((await secret("ca.crt")) ?? ""));
    const failed = replicas.events.filter(({ kind }) => kind === "failed");
    assert.deepEqual(failed, []);
  });
}

test("the provider owns the bundle of a Provider and no other field, and takes it back from whoever puts another there", async () => {
  await using replicas = await startReplicas(2);
  await ready(replicas);
  const right = await oneTrusted();
  const owned = async (manager: string): Promise<unknown> => {
    const provider = await api.read(PROVIDER);
    const all = provider?.metadata["managedFields"] as readonly {
      manager: string;
      fieldsV1: object;
    }[];
    return all.find((each) => each.manager === manager)?.fieldsV1;
  };
  assert.deepEqual(await owned("notation-provider"), { "f:spec": { "f:caBundle": {} } });
  // As a GitOps tool does: it is told of the conflict, unless it forces its own.
  const other = { ...PROVIDER, spec: { url: "https://127.0.0.1:2/validate", timeout: 1 } };
  await apply(other);
  const path = `/apis/${PROVIDER.apiVersion}/providers/notation?fieldManager=gitops`;
  const sent = {
    method: "PATCH",
    contentType: "application/apply-patch+yaml",
    body: { ...other, spec: { ...other.spec, caBundle: encode(placeholder) } },
  };
  assert.equal((await api.send(path, sent)).status, 409);
  assert.equal((await api.send(`${path}&force=true`, sent)).status, 200);
  await wait("the repair", async () => (await trusted()).includes(right) || undefined);
  const spec = (await api.read(PROVIDER))?.["spec"] as Record<string, unknown>;
  assert.deepEqual([spec["url"], spec["timeout"]], ["https://127.0.0.1:2/validate", 1]);
  await wait("word of it", () =>
    replicas.events.some((event) => event.kind === "applied" && event.isRepair) ? true : undefined,
  );
});

test("a Provider that is deleted and made anew gets its bundle", async () => {
  await using replicas = await startReplicas(2);
  await ready(replicas);
  const right = await oneTrusted();
  await api.remove(PROVIDER);
  await wait("word of it", () =>
    replicas.all.every((each) => each.state().problem === "provider_missing: notation")
      ? true
      : undefined,
  );
  await applyProvider();
  assert.equal(await oneTrusted(), right);
});

test("F-30 a Secret that is deleted comes back, once, with another CA to follow, which takes over when Gatekeeper trusts it", async () => {
  await using replicas = await startReplicas(5);
  await ready(replicas);
  const before = await oneTrusted();
  const [leaf] = await served(replicas);
  await api.remove(OWN);
  await wait("two CAs", async () => ((await trusted()).length === 2 ? true : undefined));
  assert.equal(await secret("tls.crt"), leaf);
  await ingest();
  await wait("another certificate everywhere", async () => {
    const found = new Set(await served(replicas));
    return found.size === 1 && !found.has(leaf ?? "") ? true : undefined;
  });
  await wait("the one before behind it", async () =>
    (await trusted())[1] === before ? true : undefined,
  );
  assert.deepEqual(replicas.changes(), ["begin", "replace", "promote"]);
});

test("F-42 watches that end with the API server begin again, and tell of what changes then", async () => {
  await using replicas = await startReplicas(2);
  await ready(replicas);
  const right = await oneTrusted();
  const good = await served(replicas);
  await plane.stopApiServer();
  assert.deepEqual(await served(replicas), good);
  await plane.startApiServer();
  await applyClientCA(rotated.ca);
  await wait("Gatekeeper's CA", async () => {
    const found = await Promise.all(replicas.all.map(async ({ source }) => await source.read()));
    return found.every(({ clientCA }) => clientCA === rotated.ca) ? true : undefined;
  });
  const caBundle = encode(placeholder);
  expectSuccess(await api.patch(PROVIDER, { spec: { caBundle } }), "editing the Provider");
  await wait("the repair", async () => (await trusted()).includes(right) || undefined);
  assert.deepEqual(await served(replicas), good);
  assert.deepEqual(replicas.changes(), ["begin"]);
});

test("F-42 replicas that start while the API server is away go on with what is there when it comes", async () => {
  await using first = await startReplicas(1);
  await ready(first);
  await oneTrusted();
  const [leaf] = await served(first);
  await first[Symbol.asyncDispose]();
  await plane.stopApiServer();
  await using replicas = await joinReplicas(2);
  await wait("word of it", () =>
    replicas.all.every((each) => each.state().problem !== undefined) ? true : undefined,
  );
  await plane.startApiServer();
  await ready(replicas);
  assert.deepEqual(new Set(await served(replicas)), new Set([leaf]));
  assert.deepEqual(replicas.changes(), []);
});

test("T-33 the rights of the chart are those that are used: none is missing, and none is there for nothing", async () => {
  // An API server that has just started refuses for a moment, as it has not read the roles yet.
  const { length: earlier } = await plane.audited();
  await using replicas = await startReplicas(2);
  await ready(replicas);
  await oneTrusted();
  expectSuccess(await api.patch(OWN, { data: { "tls.key": "" } }), "breaking the Secret");
  await wait("its restoration", () => (replicas.changes().includes("restore") ? true : undefined));
  using client = await createClient({ kubeconfig });
  const end = new AbortController();
  createAnnouncer({
    client,
    pod: { namespace: NAMESPACE, name: "notation-provider-0" },
    now: () => performance.now(),
    wallNow: () => Date.now(),
    signal: end.signal,
  })({ type: "Normal", reason: "CertificateRenewed", note: "There is another." });
  const user = `system:serviceaccount:${NAMESPACE}:${ACCOUNT}`;
  const asked = await wait("an Event", async () => {
    const all = (await plane.audited()).slice(earlier).filter((each) => each.user === user);
    return all.some(({ resource }) => resource === "events") ? all : undefined;
  });
  assert.deepEqual(
    asked.filter(({ isAllowed }) => !isAllowed),
    [],
  );
  // Who creates names nothing in the path.
  const used = asked.map(({ verb, group, resource, name }) =>
    [verb, group, resource, verb === "create" ? "" : name].join(" "),
  );
  assert.deepEqual([...new Set(used)].toSorted(), await granted());
  end.abort();
});

/** What the chart's roles allow, a line each. The second Provider object is there for nothing where one is kept. */
async function granted(): Promise<readonly string[]> {
  interface Rule {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly resourceNames?: readonly string[];
    readonly verbs: readonly string[];
  }
  const roles = (await rights()).filter(({ kind }) => /^(?:Cluster)?Role$/.test(kind));
  const lines = roles
    .flatMap((role) => role["rules"] as readonly Rule[])
    .flatMap(({ apiGroups, resources, resourceNames = [""], verbs }) =>
      verbs.flatMap((verb) =>
        resourceNames.map((name) => [verb, apiGroups[0], resources[0], name].join(" ")),
      ),
    );
  return lines.filter((line) => !line.endsWith(" notation-digest")).toSorted();
}
