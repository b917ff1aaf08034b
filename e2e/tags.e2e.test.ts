// Scenario 7: a tag that moves from a signed image to an unsigned one.
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { Cluster } from "../testing/cluster/cluster.ts";
import { pod, workload } from "./objects.ts";
import {
  assertAdmitted,
  assertRefused,
  EVERY_IMAGE,
  guard,
  open,
  PODS_ONLY,
  pushNew,
  startE2e,
} from "./setting.ts";

suite("tags", () => {
  let cluster: Cluster;
  let images = 0;
  before(async () => {
    cluster = await startE2e();
  });
  after(async () => await cluster[Symbol.asyncDispose]());

  /** A signed image under a tag. @returns it, and what moves the tag to an unsigned one */
  const movable = async () => {
    const repository = `tags/app-${(images += 1)}`;
    const signed = await pushNew(cluster, repository, {
      signed: true,
      content: `${repository} one`,
    });
    const move = async () => await pushNew(cluster, repository, { content: `${repository} two` });
    return { ...signed, move };
  };

  test("T-01 Gatekeeper's own cache holds the old answer for its life, and the provider does not", async () => {
    const namespace = await guard(cluster);
    const { tagged, move } = await movable();
    assertAdmitted(await cluster.api.create(pod({ namespace, image: tagged })));
    await move();
    // This is what the docs warn of: the review does not reach the provider.
    assertAdmitted(await cluster.api.create(pod({ namespace, image: tagged })));
    await cluster.gatekeeper.configure({ responseCacheTtl: "0s" });
    // The provider's own map of tags forgets within seconds.
    await cluster.wait("the moved tag to be refused", async () => {
      const answer = await cluster.api.create(pod({ namespace, image: tagged }), { dryRun: true });
      return answer.status === 403 ? true : undefined;
    });
    const answer = await cluster.api.create(pod({ namespace, image: tagged }));
    assertRefused(answer, tagged, "UNSIGNED");
  });

  test("T-01 with requireDigest a tag is refused, a digest is not", async () => {
    const parameters = { ...EVERY_IMAGE, requireDigest: true };
    const namespace = await guard(cluster, { parameters });
    const { tagged, pinned } = await movable();
    assertRefused(
      await cluster.api.create(pod({ namespace, image: tagged })),
      tagged,
      "DIGEST_REQUIRED",
    );
    assertAdmitted(await cluster.api.create(pod({ namespace, image: pinned })));
  });

  test("T-01 with mutation the Pod runs the digest that was verified, and a moved tag is refused at once", async () => {
    await cluster.gatekeeper.configure({ responseCacheTtl: "3m", mutationTimeoutSeconds: 3 });
    await cluster.applyFile("constraints/mutation/pin-digests.yaml");
    const parameters = { ...EVERY_IMAGE, requireDigest: true };
    const namespace = await guard(cluster, { parameters });
    const elsewhere = await open(cluster);
    const { tagged, digest, move } = await movable();
    const probe = pod({ namespace: elsewhere, image: cluster.samples.unsigned });
    await cluster.wait("mutation", async () => {
      const { body } = await cluster.api.create(probe, { dryRun: true });
      return imagesOf(body).every((image) => image.includes("@sha256:")) ? true : undefined;
    });

    for (const place of ["containers", "initContainers"] as const) {
      const created = await cluster.api.create(pod({ namespace, image: tagged, place }));
      assertAdmitted(created);
      for (const image of imagesOf(created.body)) assert.equal(image, `${tagged}@${digest}`);
    }
    const target = pod({ namespace, image: tagged });
    assertAdmitted(await cluster.api.create(target));
    const { name } = target.metadata;
    const debugged = await cluster.kubectl(
      "debug",
      name,
      "-n",
      namespace,
      "--image",
      tagged,
      "--",
      "sh",
    );
    assert.equal(debugged.code, 0, debugged.stderr);
    const running = await cluster.api.read(target);
    assert.ok(running);
    assert.deepEqual(
      imagesOf(running).map((image) => image.replace(/^[^@]*/, "")),
      [`@${digest}`, `@${digest}`],
    );

    const deployment = workload("Deployment", { namespace: elsewhere, image: tagged });
    assertAdmitted(await cluster.api.create(deployment));
    const pods = await cluster.wait("the Deployment's Pod", async () => {
      const found = await cluster.api.list({ apiVersion: "v1", kind: "Pod" }, elsewhere);
      return found.length > 0 ? found : undefined;
    });
    for (const each of pods) assert.deepEqual(imagesOf(each), [`${tagged}@${digest}`]);

    const refused = await cluster.api.create(workload("Deployment", { namespace, image: tagged }));
    assertRefused(refused, tagged, "DIGEST_REQUIRED");

    const moved = await move();
    await cluster.wait("the moved tag to be refused", async () => {
      const answer = await cluster.api.create(pod({ namespace, image: tagged }), { dryRun: true });
      return answer.status === 403 ? true : undefined;
    });
    const answer = await cluster.api.create(pod({ namespace, image: tagged }));
    assertRefused(answer, `${tagged}@${moved.digest}`, "UNSIGNED");
  });

  test("T-01 with mutation, expansion and a constraint on Pods alone, a Deployment with a tag is rolled out where digests are required", async () => {
    const parameters = { ...EVERY_IMAGE, requireDigest: true };
    const namespace = await guard(cluster, { parameters, kinds: PODS_ONLY });
    await cluster.applyFile("constraints/expansion/expansion.yaml");
    const { unsigned } = cluster.samples;
    await cluster.wait("the expansion", async () => {
      const implied = workload("Deployment", { namespace, image: unsigned });
      const { status } = await cluster.api.create(implied, { dryRun: true });
      return status === 403 ? true : undefined;
    });
    const { tagged, digest } = await movable();
    const deployment = workload("Deployment", { namespace, image: tagged });
    assertAdmitted(await cluster.api.create(deployment));
    const [made] = await cluster.wait("the Deployment's Pod", async () => {
      const found = await cluster.api.list({ apiVersion: "v1", kind: "Pod" }, namespace);
      return found.length > 0 ? found : undefined;
    });
    assert.ok(made);
    assert.deepEqual(imagesOf(made), [`${tagged}@${digest}`]);
  });

  test("mutation changes the image of a Pod that runs already when a label of it changes, unless the webhook sees creations only", async () => {
    const namespace = await open(cluster);
    const { tagged, digest } = await movable();
    const webhook = {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "MutatingWebhookConfiguration",
      metadata: { name: "gatekeeper-mutating-webhook-configuration" },
    };
    const configuration = await cluster.api.read(webhook);
    assert.ok(configuration);
    const [mutation] = configuration["webhooks"] as readonly {
      readonly rules: readonly object[];
    }[];
    assert.ok(mutation);
    const see = async (rules: readonly object[]): Promise<void> =>
      assertAdmitted(await cluster.api.patch(webhook, { webhooks: [{ ...mutation, rules }] }));
    const core = { apiGroups: [""], apiVersions: ["v1"], scope: "Namespaced" };
    const creations = [
      { ...core, operations: ["CREATE"], resources: ["pods"] },
      { ...core, operations: ["UPDATE"], resources: ["pods/ephemeralcontainers"] },
    ];

    await see([]);
    const running = pod({ namespace, image: tagged });
    await cluster.wait("a Pod that is not mutated", async () => {
      const { body } = await cluster.api.create(running, { dryRun: true });
      return imagesOf(body)[0] === tagged ? true : undefined;
    });
    assertAdmitted(await cluster.api.create(running));

    const edit = async (value: string) => {
      const answer = await cluster.api.patch(running, { metadata: { labels: { edited: value } } });
      assertAdmitted(answer);
      return imagesOf(answer.body)[0];
    };
    await see(creations);
    await cluster.wait("a new Pod to be mutated", async () => {
      const { body } = await cluster.api.create(pod({ namespace, image: tagged }), {
        dryRun: true,
      });
      return imagesOf(body)[0] === `${tagged}@${digest}` ? true : undefined;
    });
    assert.equal(await edit("once"), tagged);
    await see(mutation.rules);
    await cluster.wait("the image to change", async () =>
      (await edit(String(performance.now()))) === `${tagged}@${digest}` ? true : undefined,
    );
  });
});

/** Every image of a Pod's containers. */
function imagesOf(object: Readonly<Record<string, unknown>>): readonly string[] {
  type Containers = readonly { readonly image: string }[] | undefined;
  const { containers, initContainers, ephemeralContainers } = object["spec"] as Record<
    string,
    Containers
  >;
  return [containers, initContainers, ephemeralContainers].flatMap((each = []) =>
    each.map(({ image }) => image),
  );
}
