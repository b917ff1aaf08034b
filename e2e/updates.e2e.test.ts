// Scenario 8: what may still be done to an object whose image has been refused since.
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { KubernetesObject } from "../testing/cluster/api.ts";
import type { Cluster } from "../testing/cluster/cluster.ts";
import { KIND } from "../testing/cluster/policy.ts";
import { pod, workload } from "./objects.ts";
import {
  assertAdmitted,
  assertRefused,
  constraintOver,
  enforce,
  EVERY_IMAGE,
  open,
  PODS_ONLY,
  startE2e,
} from "./setting.ts";

suite("updates", () => {
  let cluster: Cluster;
  let namespace: string;
  let running: KubernetesObject;
  let deployment: KubernetesObject;
  before(async () => {
    cluster = await startE2e({ gatekeeper: { auditIntervalSeconds: 2 } });
    namespace = await open(cluster);
    const image = cluster.samples.unsigned;
    running = pod({ namespace, image, metadata: { finalizers: ["example.com/keep"] } });
    deployment = workload("Deployment", { namespace, image, replicas: 2 });
    assertAdmitted(await cluster.api.create(running));
    assertAdmitted(await cluster.api.create(deployment));
    await cluster.wait("the Deployment's Pods", async () => {
      const found = await cluster.api.list({ apiVersion: "v1", kind: "Pod" }, namespace);
      return found.length === 3 ? true : undefined;
    });
    await enforce(cluster, constraintOver(namespace));
    assertRefused(await cluster.api.create(pod({ namespace, image })), image, "UNSIGNED");
  });
  after(async () => await cluster[Symbol.asyncDispose]());

  test("T-42 labels may change", async () => {
    const patch = { metadata: { labels: { edited: "true" } } };
    for (const object of [running, deployment]) {
      assertAdmitted(await cluster.api.patch(object, patch));
    }
  });

  test("T-42 it may be scaled down, both ways", async () => {
    assertAdmitted(await cluster.api.patch(deployment, { spec: { replicas: 1 } }));
    const { name } = deployment.metadata;
    const scaled = await cluster.kubectl(
      "scale",
      "deployment",
      name,
      "-n",
      namespace,
      "--replicas",
      "0",
    );
    assert.equal(scaled.code, 0, scaled.stderr);
    await cluster.wait("the Pods to end", async () => {
      const found = await cluster.api.list({ apiVersion: "v1", kind: "Pod" }, namespace);
      return found.length === 1 ? true : undefined;
    });
  });

  test("T-42 its image may not change to another one that is refused", async () => {
    const image = cluster.samples.stranger;
    for (const { kind, metadata } of [running, deployment]) {
      const set = ["set", "image", `${kind}/${metadata.name}`, `app=${image}`, "-n", namespace];
      const { code, stderr } = await cluster.kubectl(...set);
      assert.notEqual(code, 0);
      assert.match(stderr, /stranger:v1: UNTRUSTED_SIGNER: /);
    }
  });

  test("T-42 it may change to one that is signed, and not back", async () => {
    const change = async (image: string) =>
      await cluster.api.patch(deployment, {
        spec: { template: { spec: { containers: [{ name: "app", image }] } } },
      });
    assertAdmitted(await change(cluster.samples.signed));
    assertRefused(await change(cluster.samples.unsigned), cluster.samples.unsigned, "UNSIGNED");
  });

  test("T-42 audit reports it all the same", async () => {
    await cluster.wait("the violation", async () => {
      const constraint = await cluster.api.read({
        apiVersion: "constraints.gatekeeper.sh/v1beta1",
        kind: KIND,
        metadata: { name: namespace },
      });
      const { violations = [] } = (constraint?.["status"] ?? {}) as {
        readonly violations?: readonly { readonly name: string; readonly message: string }[];
      };
      const found = violations.find(({ name }) => name === running.metadata.name);
      return found !== undefined && / UNSIGNED: /.test(found.message) ? true : undefined;
    });
  });

  test("T-42 with expansion a refused Deployment may be labelled, rolled forward, scaled down and deleted", async () => {
    const expanded = await open(cluster);
    const { signed, unsigned } = cluster.samples;
    const made = workload("Deployment", { namespace: expanded, image: unsigned, replicas: 2 });
    assertAdmitted(await cluster.api.create(made));
    const podsOf = async () => await cluster.api.list({ apiVersion: "v1", kind: "Pod" }, expanded);
    await cluster.wait("its Pods", async () => ((await podsOf()).length === 2 ? true : undefined));
    await enforce(cluster, constraintOver(expanded, { kinds: PODS_ONLY }));
    await cluster.applyFile("constraints/expansion/expansion.yaml");
    const other = workload("Deployment", { namespace: expanded, image: unsigned });
    await cluster.wait("the expansion", async () => {
      const { status } = await cluster.api.create(other, { dryRun: true });
      return status === 403 ? true : undefined;
    });

    assertAdmitted(await cluster.api.patch(made, { metadata: { labels: { edited: "true" } } }));
    const containers = [{ name: "app", image: signed }];
    assertAdmitted(await cluster.api.patch(made, { spec: { template: { spec: { containers } } } }));
    await cluster.wait("the signed image to have taken over", async () => {
      const images = (await podsOf()).map(({ spec }) => JSON.stringify(spec));
      const isDone = images.length === 2 && images.every((spec) => spec.includes(signed));
      return isDone ? true : undefined;
    });
    assertAdmitted(await cluster.api.patch(made, { spec: { replicas: 0 } }));
    await cluster.wait("its Pods to end", async () =>
      (await podsOf()).length === 0 ? true : undefined,
    );
    const { name } = made.metadata;
    const remove = ["delete", "deployment", name, "-n", expanded, "--cascade=foreground"];
    const removed = await cluster.kubectl(...remove, "--timeout=20s");
    assert.equal(removed.code, 0, removed.stderr);
    await cluster.api.remove({
      apiVersion: "expansion.gatekeeper.sh/v1beta1",
      kind: "ExpansionTemplate",
      metadata: { name: "expand-workloads" },
    });
  });

  test("T-42 with verifyUnchanged even its labels may not change", async () => {
    const parameters = { ...EVERY_IMAGE, verifyUnchanged: true };
    await enforce(cluster, constraintOver(namespace, { parameters }));
    const answer = await cluster.api.patch(running, { metadata: { labels: { edited: "twice" } } });
    assertRefused(answer, cluster.samples.unsigned, "UNSIGNED");
    await enforce(cluster, constraintOver(namespace));
  });

  test("T-42 its finalizer may be removed even with verifyUnchanged, and it ends", async () => {
    const parameters = { ...EVERY_IMAGE, verifyUnchanged: true };
    await enforce(cluster, constraintOver(namespace, { parameters }));
    assertAdmitted(await cluster.api.remove(running));
    assertAdmitted(await cluster.api.patch(running, { metadata: { finalizers: null } }));
    await cluster.wait("the Pod to end", async () =>
      (await cluster.api.read(running)) === undefined ? true : undefined,
    );
  });
});
