// The chart on a real API server: what it renders is accepted, and what it installs decides about Pods.
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { KubernetesObject } from "../testing/cluster/api.ts";
import { startCluster, type Cluster } from "../testing/cluster/cluster.ts";
import { KIND } from "../testing/cluster/policy.ts";
import {
  CHART,
  createHelm,
  find,
  HELMS,
  NAMESPACE,
  parseDocuments,
  scenarios,
} from "../testing/chart/helm.ts";
import { buildImage, type Image } from "../testing/chart/image.ts";
import { startPod, type PodSpec } from "../testing/chart/kubelet.ts";
import { pod } from "./objects.ts";
import { applyForeignCrds, PROVIDERS, providerOf, reach, releaseValues } from "./release.ts";
import { assertAdmitted, assertRefused, open, useAll } from "./setting.ts";

const RELEASE = "notation";

suite("the chart", () => {
  const resources = new AsyncDisposableStack();
  let cluster: Cluster;
  let image: Image;
  /** Constraints of the scenarios, whose kind is there only once the chart has been installed. */
  const pending: KubernetesObject[] = [];
  before(async () => {
    [cluster, image] = await useAll(resources, [startCluster(), buildImage()]);
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

  for (const name of HELMS) {
    test(`${name}: installed, asked by Gatekeeper, upgraded, rolled back, and gone without a trace`, async (t) => {
      await using helm = await createHelm(name, { kubeconfig: cluster.kubeconfig });
      const before = await inventory(cluster);
      const values = await helm.values({
        ...(await releaseValues(cluster)),
        policy: { constraint: { enforcementAction: "deny" } },
      });
      const release = async (...args: readonly string[]): Promise<string> => {
        const { code, stdout, stderr } = await helm.helm(...args, `--namespace=${NAMESPACE}`);
        assert.equal(code, 0, stderr);
        return stdout;
      };

      const notes = await release("install", RELEASE, CHART, `--values=${values}`);
      t.after(async () => await helm.helm("uninstall", RELEASE, `--namespace=${NAMESPACE}`));
      assert.match(notes, /No constraint yet, so nothing is looked at/);
      await cluster.established(KIND);

      const deployment = await read(cluster, "apps/v1", "Deployment");
      const { template } = deployment["spec"] as { readonly template: { readonly spec: PodSpec } };
      await using running = await startPod({
        api: cluster.api,
        namespace: NAMESPACE,
        image,
        spec: template.spec,
      });
      await running.ready();
      assert.ok(await running.probe("livenessProbe"));
      await reach(cluster, template.spec);

      // Now that the kind is known, the same values bring the constraint.
      const upgraded = await release("upgrade", RELEASE, CHART, `--values=${values}`);
      assert.match(upgraded, /Constraint signed-images, enforcementAction deny/);
      await reach(cluster, template.spec);
      await cluster.enforced(KIND, "signed-images");
      for (const object of pending) assert.equal(await refusal(renamed(object)), undefined);

      const namespace = await open(cluster);
      const { signed, unsigned } = cluster.samples;
      assertAdmitted(await cluster.api.create(pod({ namespace, image: signed })));
      const refused = await cluster.api.create(pod({ namespace, image: unsigned }));
      assertRefused(refused, unsigned, "UNSIGNED");

      // What `helm test` would start, run here as the kubelet would: nobody runs Pods in this cluster.
      const manifest = await release("get", "hooks", RELEASE);
      const verify = find(parseDocuments(manifest), "Pod");
      await using probe = await startPod({
        api: cluster.api,
        namespace: NAMESPACE,
        image,
        spec: verify["spec"] as PodSpec,
      });
      assert.equal(await probe.container.ended, 0, probe.container.output());
      assert.match(probe.container.output(), /ok: \S+unsigned:v1 has to be rejected/);

      await release("rollback", RELEASE, "1");
      await cluster.wait("the constraint to be gone with its revision", async () => {
        const left = await cluster.api.list({
          apiVersion: "constraints.gatekeeper.sh/v1beta1",
          kind: KIND,
        });
        return left.length === 0 ? true : undefined;
      });

      await release("uninstall", RELEASE);
      assert.equal(await running.stop(), 0, running.container.output());
      await cluster.wait("everything of the release to be gone", async () => {
        const left = [...(await inventory(cluster))].filter((row) => !before.has(row));
        return left.length === 0 ? true : undefined;
      });
    });
  }
});

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
    "ConfigMap/registry-ca",
  ]);
  return new Set(rows.filter((row) => !ours.has(row)));
}
