// The chart on a real API server: what it renders is accepted, and what it installs decides about Pods.
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { KubernetesObject } from "../testing/cluster/api.ts";
import { startCluster, type Cluster } from "../testing/cluster/cluster.ts";
import { KIND, providerOf } from "../testing/cluster/policy.ts";
import {
  CHART,
  createHelm,
  find,
  HELMS,
  type HelmName,
  NAMESPACE,
  parseDocuments,
  scenarios,
} from "../testing/chart/helm.ts";
import { buildImage, type Image } from "../testing/chart/image.ts";
import { startPod, type PodSpec, type RunningPod } from "../testing/chart/kubelet.ts";
import { startNode } from "../testing/chart/node.ts";
import type { Ran } from "../testing/chart/run.ts";
import { pod } from "./objects.ts";
import {
  ADDRESS,
  applyForeignCrds,
  type CertificatesMode,
  HOSTS,
  isTrusted,
  issueCertificates,
  OWN_SECRET,
  PROVIDERS,
  releaseValues,
  trusted,
} from "./release.ts";
import { open, useAll } from "./setting.ts";

const RELEASE = "notation";

suite("the chart", () => {
  const resources = new AsyncDisposableStack();
  let cluster: Cluster;
  let image: Image;
  /** Constraints of the scenarios, whose kind is there only once the chart has been installed. */
  const pending: KubernetesObject[] = [];
  before(async () => {
    // Where answers are kept, a request that cannot reach the provider is not seen to fail.
    const gatekeeper = { responseCacheTtl: "0s" };
    [cluster, image] = await useAll(resources, [
      startCluster({ hosts: HOSTS, gatekeeper }),
      buildImage(),
    ]);
    // As Gatekeeper's own chart labels its namespace.
    await cluster.api.patch(
      { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } },
      { metadata: { labels: { "pod-security.kubernetes.io/enforce": "restricted" } } },
    );
    await applyForeignCrds(cluster);
    // The harness has Provider objects of its own, by the names of the chart's.
    for (const name of PROVIDERS) await cluster.api.remove(providerOf(name));
  });
  after(async () => await resources.disposeAsync());

  const refusal = async (object: KubernetesObject): Promise<string | undefined> => {
    const namespaced = { ...object, metadata: { namespace: NAMESPACE, ...object.metadata } };
    const collection = await pathOf(namespaced);
    const { status, body, warnings } = await cluster.api.send(
      `${collection}?dryRun=All&fieldValidation=Strict`,
      { method: "POST", body: namespaced },
    );
    const refused = status === 201 ? [] : [`${status} ${body.message ?? ""}`];
    const problems = [...refused, ...warnings];
    return problems.length === 0
      ? undefined
      : `${object.kind} ${object.metadata.name}: ${problems.join("; ")}`;
  };
  /** Where objects of a kind are created. */
  const pathOf = async ({ apiVersion, kind, metadata }: KubernetesObject): Promise<string> => {
    const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const { body } = await cluster.api.send(root);
    const resources = body["resources"] as readonly {
      readonly kind: string;
      readonly name: string;
      readonly namespaced: boolean;
    }[];
    const resource = resources.find((row) => row.kind === kind && !row.name.includes("/"));
    assert.ok(resource, `${apiVersion} ${kind}`);
    const scope = resource.namespaced ? `/namespaces/${metadata.namespace}` : "";
    return `${root}${scope}/${resource.name}`;
  };

  test("the API server takes every object of every scenario as it is, under Pod Security restricted", async () => {
    await using helm = await createHelm();
    const constraints: KubernetesObject[] = [];
    let looked = 0;
    for (const { name, file } of await scenarios()) {
      const objects = parseDocuments(await helm.render([file]));
      for (const object of objects) {
        if (object.kind === KIND) {
          constraints.push(object);
          continue;
        }
        looked += 1;
        const asked = object.kind === "Pod" ? withDefaultAccount(object) : object;
        assert.equal(await refusal(asked), undefined, name);
      }
      // A Deployment is only warned of; its Pod is refused.
      const { template } = find(objects, "Deployment")["spec"] as {
        readonly template: { readonly metadata: object; readonly spec: PodSpec };
      };
      const metadata = { ...template.metadata, name: "sample" };
      const sample = { apiVersion: "v1", kind: "Pod", metadata, spec: template.spec };
      assert.equal(await refusal(withDefaultAccount(sample)), undefined, name);
    }
    assert.ok(looked > 40, `${looked} objects`);
    pending.push(...constraints);
    assert.ok(constraints.length > 1);
  });
  test("Pod Security does refuse here: the same Pod, could it raise its rights", async () => {
    await using helm = await createHelm();
    const [scenario] = await scenarios();
    const { template } = find(
      parseDocuments(await helm.render([scenario?.file ?? ""])),
      "Deployment",
    )["spec"] as { readonly template: { readonly spec: PodSpec } };
    const [container] = template.spec.containers;
    const spec = {
      ...template.spec,
      containers: [
        { ...container, name: "provider", securityContext: { allowPrivilegeEscalation: true } },
      ],
    };
    const text = await refusal(
      withDefaultAccount({ apiVersion: "v1", kind: "Pod", metadata: { name: "sample" }, spec }),
    );
    assert.match(text ?? "", /violates PodSecurity "restricted/);
  });

  /** A release that runs, without a constraint yet: the first of the two installations that docs/install.md asks for. */
  async function install(name: HelmName, mode: CertificatesMode): Promise<Release> {
    const parts = new AsyncDisposableStack();
    const helm = parts.use(await createHelm(name, { kubeconfig: cluster.kubeconfig }));
    const before = await inventory(cluster);
    const values = {
      ...(await releaseValues(cluster, mode)),
      policy: { constraint: { enforcementAction: "deny" } },
    };
    const tryTo = async (command: string, ...args: readonly string[]): Promise<Ran> =>
      await helm.helm(command, RELEASE, ...args, `--namespace=${NAMESPACE}`);
    const release = async (command: string, ...args: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await tryTo(command, ...args);
      assert.equal(code, 0, stderr);
      return stdout;
    };
    const withValues = async (more: object = {}) =>
      [CHART, `--values=${await helm.values({ ...values, ...more })}`] as const;

    const notes = await release("install", ...(await withValues()));
    parts.defer(async () => void (await tryTo("uninstall")));
    assert.match(notes, /No constraint yet, so nothing is looked at/);
    assert.match(notes, NOTES[mode]);
    await cluster.established(KIND);
    if (mode === "certManager") {
      await issueCertificates(cluster);
      // The Provider objects wait for the authority.
      await release("upgrade", ...(await withValues()));
    }
    const run = async (): Promise<RunningPod> => {
      const deployment = await read(cluster, "apps/v1", "Deployment");
      const { template } = deployment["spec"] as { readonly template: { readonly spec: PodSpec } };
      const place = { api: cluster.api, namespace: NAMESPACE, image };
      const started = parts.use(
        await startPod({ ...place, spec: template.spec, address: ADDRESS }),
      );
      await started.ready();
      return started;
    };
    let running = await run();
    if (mode === "selfManaged") await cluster.wait("the CA", async () => await isTrusted(cluster));
    for (const provider of PROVIDERS) await cluster.active(provider);
    return {
      release,
      tryTo,
      isAlive: async () => await running.probe("livenessProbe"),
      async replace() {
        await running.stop();
        running = await run();
      },
      async upgrade(more) {
        const said = await release("upgrade", ...(await withValues(more)));
        await cluster.enforced(KIND, "signed-images");
        return said;
      },
      async uninstall() {
        const [, code] = await Promise.all([release("uninstall"), running.stop()]);
        assert.equal(code, 0, running.container.output());
        await cluster.wait("everything of the release to be gone", async () => {
          const left = [...(await inventory(cluster))].filter((row) => !before.has(row));
          return left.length === 0 ? true : undefined;
        });
      },
      [Symbol.asyncDispose]: async () => await parts.disposeAsync(),
    };
  }

  for (const [name, mode] of [
    ["helm", "certManager"],
    ["helm3", "existingSecret"],
  ] as const) {
    test(`${name}, ${mode}: installed, asked by Gatekeeper, upgraded, rolled back, and gone without a trace`, async () => {
      await using installed = await install(name, mode);
      // Now that the kind is known, the same values bring the constraint.
      assert.match(await installed.upgrade(), /Constraint signed-images, enforcementAction deny/);
      for (const object of pending) assert.equal(await refusal(renamed(object)), undefined);
      assert.ok(await installed.isAlive());
      const asking = await startAsking(cluster);
      await asking.answers(1);
      assert.deepEqual(await asking.stop(), []);
      await installed.release("rollback", "1");
      await cluster.wait("the constraint to be gone with its revision", async () => {
        const left = await cluster.api.list({
          apiVersion: "constraints.gatekeeper.sh/v1beta1",
          kind: KIND,
        });
        return left.length === 0 ? true : undefined;
      });
      await installed.uninstall();
    });
  }

  for (const name of HELMS) {
    test(`F-30 ${name}: with certificates of its own, no upgrade and no rollback takes the CA away or has a Pod judged wrongly`, async () => {
      await using installed = await install(name, "selfManaged");
      await installed.upgrade();
      const asking = await startAsking(cluster);
      const [first] = await trusted(cluster);

      // Labels change every object that the chart has.
      await installed.upgrade({ commonLabels: { team: "platform" } });
      await asking.answers(2);
      await installed.release("rollback", "2");
      await asking.answers(2);
      assert.deepEqual(await trusted(cluster), [first]);
      assert.ok(await isTrusted(cluster));

      // Another CA, and back to a revision of the time before it.
      await cluster.api.remove(OWN_SECRET);
      await cluster.wait("another CA to sign", async () => {
        const [now] = await trusted(cluster);
        return now !== first && (await isTrusted(cluster)) ? true : undefined;
      });
      const [second] = await trusted(cluster);
      const { stdout: events } = await cluster.kubectl(...EVENTS.split(" "));
      assert.match(events, /CertificateAuthorityReplaced/);
      await installed.release("rollback", "3");
      await asking.answers(2);
      await installed.upgrade();
      await asking.answers(2);
      assert.equal((await trusted(cluster))[0], second);
      assert.deepEqual(await asking.stop(), []);

      // What cannot be asked any more is refused, until nobody asks.
      const last = await startAsking(cluster);
      await last.answers(1);
      await installed.uninstall();
      const passed = (await last.stop()).filter((answer) => answer.startsWith("unsigned: 201"));
      assert.deepEqual(passed, []);
    });

    test(`F-30 ${name}: from cert-manager's certificates to those of its own, replicas with either are trusted, and stay so`, async () => {
      await using installed = await install(name, "certManager");
      await installed.upgrade();
      const [former] = await trusted(cluster);
      const asking = await startAsking(cluster);
      const own = { certificates: { mode: "selfManaged" } };
      await installed.upgrade(own);
      await asking.answers(2);
      assert.deepEqual(await asking.stop(), []);

      await installed.replace();
      await cluster.wait("the CA", async () => await isTrusted(cluster));
      assert.ok((await trusted(cluster)).includes(former ?? ""));
      await cluster.active(PROVIDERS[0]);
      const before = await trusted(cluster);
      const later = await startAsking(cluster);
      await installed.upgrade({ ...own, commonLabels: { team: "platform" } });
      await later.answers(2);
      assert.deepEqual(await later.stop(), []);
      assert.deepEqual(await trusted(cluster), before);
      await installed.uninstall();
    });

    test(`${name}: rolled back to the first revision, which knew no CA yet, the CA stays or is back at once`, async () => {
      await using installed = await install(name, "selfManaged");
      await installed.upgrade();
      const before = await trusted(cluster);
      const { code, stderr } = await installed.tryTo("rollback", "1");
      assert.deepEqual(await trusted(cluster), before);
      if (name === "helm") {
        // What is applied on the server may not take a field from its owner.
        assert.notEqual(code, 0);
        assert.match(stderr, /conflict with "notation-provider": \.spec\.caBundle/);
        await installed.release("rollback", "1", "--force-conflicts");
        await cluster.wait("the CA", async () => await isTrusted(cluster));
        assert.deepEqual(await trusted(cluster), before);
      } else assert.equal(code, 0, stderr);
      await installed.uninstall();
    });

    test(`${name} test: says of a signed and an unsigned image what they are, and fails when one is not`, async () => {
      await using installed = await install(name, "selfManaged");
      await using node = startNode({ api: cluster.api, namespace: NAMESPACE, image });
      const { signed, unsigned } = cluster.samples;
      await installed.upgrade({ test: { signedImage: unsigned, unsignedImage: signed } });
      const failed = await installed.tryTo("test", "--timeout=60s");
      assert.notEqual(failed.code, 0, failed.stdout);
      assert.match(node.outputs[0] ?? "", /NOT OK: \S+unsigned:v1 has to be verified/);
      assert.match(node.outputs[0] ?? "", /NOT OK: \S+\/signed:v1 has to be rejected/);

      await installed.upgrade();
      assert.match(await installed.release("test", "--timeout=60s"), /Phase:\s+Succeeded/);
      assert.match(node.outputs[1] ?? "", /^ok: \S+unsigned:v1 has to be rejected$/m);
      // A Pod that succeeded is removed, and with it the one that failed before.
      await installed.uninstall();
    });
  }
});

interface Release extends AsyncDisposable {
  /** Runs Helm on the release. @returns what it printed. @throws Error when it failed */
  release(command: string, ...args: readonly string[]): Promise<string>;
  tryTo(command: string, ...args: readonly string[]): Promise<Ran>;
  /** With other values over its own; until Gatekeeper enforces the constraint. @returns the notes */
  upgrade(values?: object): Promise<string>;
  /** Ends the Pod, and waits until nothing is left of it all. */
  uninstall(): Promise<void>;
  isAlive(): Promise<boolean>;
  /** Ends the Pod, and runs one as the release has it now. */
  replace(): Promise<void>;
}

/** Creates Pods of a signed and of an unsigned image again and again. */
interface Asking {
  /** Waits until so many more of each were answered. */
  answers(count: number): Promise<void>;
  /** @returns answers that were wrong */
  stop(): Promise<readonly string[]>;
}

/** Whether Gatekeeper is to look at images: the first of its objects that goes is the template. */
async function isAsked(cluster: Cluster): Promise<boolean> {
  const template = await cluster.api.read({
    apiVersion: "templates.gatekeeper.sh/v1",
    kind: "ConstraintTemplate",
    metadata: { name: KIND.toLowerCase() },
  });
  return template !== undefined && template.metadata["deletionTimestamp"] === undefined;
}

async function startAsking(cluster: Cluster): Promise<Asking> {
  const namespace = await open(cluster);
  const { signed, unsigned } = cluster.samples;
  const wrong: string[] = [];
  const end = new AbortController();
  let answered = 0;
  const ask = async (): Promise<void> => {
    const admitted = await cluster.api.create(pod({ namespace, image: signed }), { dryRun: true });
    if (admitted.status !== 201) wrong.push(`signed: ${admitted.body.message}`);
    const { status, body } = await cluster.api.create(pod({ namespace, image: unsigned }), {
      dryRun: true,
    });
    const isRefused = status === 403 && body.message?.includes(`${unsigned}: UNSIGNED: `);
    if (isRefused !== true && (await isAsked(cluster))) {
      wrong.push(`unsigned: ${status} ${body.message}`);
    }
    answered += 1;
  };
  const work = async (): Promise<void> => {
    while (!end.signal.aborted) await ask();
  };
  const ended = work();
  ended.catch(() => undefined);
  return {
    async answers(count) {
      const goal = answered + count;
      await cluster.wait(`${count} answers`, () => (answered >= goal ? true : undefined));
    },
    async stop() {
      end.abort();
      await ended;
      return wrong;
    },
  };
}

/** As the notes and the runbooks have it. */
const EVENTS = `--namespace ${NAMESPACE} get events --field-selector reportingComponent=notation-gatekeeper-provider`;

/** What the notes of a release say of its certificates. */
const NOTES: Readonly<Record<CertificatesMode, RegExp>> = {
  selfManaged: /makes itself, in Secret notation-provider-certificates: the CA for 8760h/,
  certManager: /cert-manager makes its certificate and renews it, in Secret notation-provider-tls/,
  existingSecret: /is yours to renew, in Secret serving/,
};

/** A Pod of the chart under the account that is in every namespace: a dry run makes no other. */
function withDefaultAccount(object: KubernetesObject): KubernetesObject {
  return { ...object, spec: { ...(object["spec"] as object), serviceAccountName: "default" } };
}

/** Not by the name of one that is there: that would be a conflict and say nothing. */
const renamed = (object: KubernetesObject): KubernetesObject => ({
  ...object,
  metadata: { ...object.metadata, name: `other-${object.metadata.name}` },
});

async function read(cluster: Cluster, apiVersion: string, kind: string): Promise<KubernetesObject> {
  const metadata = { name: "notation-provider", namespace: NAMESPACE };
  const object = await cluster.api.read({ apiVersion, kind, metadata });
  assert.ok(object, kind);
  return object;
}

/** Everything that a release may have made, as `kind/name`. */
async function inventory(cluster: Cluster): Promise<ReadonlySet<string>> {
  const namespaced = [
    ["v1", "ConfigMap"],
    ["v1", "Secret"],
    ["v1", "Service"],
    ["v1", "ServiceAccount"],
    ["v1", "Pod"],
    ["apps/v1", "Deployment"],
    ["apps/v1", "ReplicaSet"],
    ["policy/v1", "PodDisruptionBudget"],
    ["networking.k8s.io/v1", "NetworkPolicy"],
    ["autoscaling/v2", "HorizontalPodAutoscaler"],
  ] as const;
  const clusterWide = [
    ["externaldata.gatekeeper.sh/v1beta1", "Provider"],
    ["templates.gatekeeper.sh/v1", "ConstraintTemplate"],
    ["rbac.authorization.k8s.io/v1", "ClusterRole"],
    ["rbac.authorization.k8s.io/v1", "ClusterRoleBinding"],
    ["apiextensions.k8s.io/v1", "CustomResourceDefinition"],
  ] as const;
  const rows: string[] = [];
  const add = async (apiVersion: string, kind: string, namespace?: string): Promise<void> => {
    for (const { metadata } of await cluster.api.list({ apiVersion, kind }, namespace)) {
      rows.push(`${kind}/${metadata.name}`);
    }
  };
  for (const [apiVersion, kind] of namespaced) await add(apiVersion, kind, NAMESPACE);
  for (const [apiVersion, kind] of clusterWide) await add(apiVersion, kind);
  // What the tests themselves put there.
  const ours = new Set([
    "Secret/gatekeeper-webhook-server-cert",
    "Secret/serving",
    // And what cert-manager leaves behind.
    "Secret/notation-provider-tls",
    "ConfigMap/registry-ca",
  ]);
  return new Set(rows.filter((row) => !ours.has(row)));
}
