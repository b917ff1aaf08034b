// Everything under constraints/ that is no example, applied as a user would.
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { KubernetesObject } from "../testing/cluster/api.ts";
import { parseDocuments } from "../testing/cluster/modules.ts";
import type { Cluster } from "../testing/cluster/cluster.ts";
import { pod, workload } from "./objects.ts";
import {
  assertAdmitted,
  assertRefused,
  constraintOver,
  enforce,
  messageOf,
  open,
  startE2e,
} from "./setting.ts";

const ours = ({ metadata }: KubernetesObject): boolean => metadata.name === "signed-images";

suite("constraints", () => {
  let cluster: Cluster;
  let namespace: string;
  before(async () => {
    cluster = await startE2e();
    namespace = await open(cluster);
  });
  after(async () => await cluster[Symbol.asyncDispose]());

  const build = async (path: string) => {
    const { code, stdout, stderr } = await cluster.kubectl("kustomize", path);
    assert.equal(code, 0, stderr);
    return parseDocuments(stdout);
  };
  const use = async (overlay: string): Promise<void> => {
    for (const constraint of await build(`constraints/overlays/${overlay}`)) {
      await enforce(cluster, constraint);
    }
  };
  const tryUnsigned = async (where = namespace) =>
    await cluster.api.create(pod({ namespace: where, image: cluster.samples.unsigned }));

  test("audit admits without a word", async () => {
    await use("audit");
    const answer = await tryUnsigned();
    assertAdmitted(answer);
    assert.deepEqual(answer.warnings, []);
  });

  test("warn admits and says why it will be refused", async () => {
    await use("warn");
    const answer = await tryUnsigned();
    assertAdmitted(answer);
    assert.match(answer.warnings.join("\n"), /\[signed-images\] \S+unsigned:v1: UNSIGNED: /);
  });

  test("enforce refuses, in every namespace but those of the cluster itself", async () => {
    await use("enforce");
    for (const where of [namespace, "default"]) {
      assertRefused(await tryUnsigned(where), cluster.samples.unsigned, "UNSIGNED");
    }
    assertAdmitted(await tryUnsigned("kube-system"));
  });

  test("T-43 no constraint of the package selects by what the author of an object may write", async () => {
    for (const overlay of ["audit", "warn", "enforce"]) {
      for (const { metadata, ...constraint } of await build(`constraints/overlays/${overlay}`)) {
        const { match } = constraint["spec"] as { readonly match: object };
        const selectors = Object.keys(match).filter((member) => /selector|name$/i.test(member));
        assert.deepEqual(
          { name: metadata.name, selectors },
          { name: metadata.name, selectors: [] },
        );
      }
    }
  });

  test("T-43 nobody takes a namespace out of Gatekeeper's sight by a label", async () => {
    const answer = await cluster.api.patch(
      { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
      { metadata: { labels: { "admission.gatekeeper.sh/ignore": "yes" } } },
    );
    assert.equal(answer.status, 403);
    assert.match(answer.body.message ?? "", /check-ignore-label\.gatekeeper\.sh/);
  });

  test("pods-only with expansion refuses a workload once, by the Pod that it implies", async () => {
    const constraint = (await build("constraints/overlays/enforce")).find(ours);
    assert.ok(constraint);
    const podsOnly = (await build("e2e/testdata/pods-only")).find(ours);
    assert.ok(podsOnly);
    await enforce(cluster, podsOnly);
    const image = cluster.samples.unsigned;
    const deployment = workload("Deployment", { namespace, image });
    assertAdmitted(await cluster.api.create(deployment, { dryRun: true }));
    for (const object of await build("constraints/expansion")) await cluster.apply(object);
    const message = await cluster.wait("the expansion", async () => {
      const answer = await cluster.api.create(deployment, { dryRun: true });
      return answer.status === 403 ? messageOf(answer) : undefined;
    });
    assert.equal(message.split("UNSIGNED").length, 2, message);
    await enforce(cluster, constraint);
  });

  for (const [what, exempt] of [
    ["a misspelt end", { reason: "a test", untill: "2020-01-01" }],
    ["a member too many", { reason: "a test", until: "2020-01-01", owner: "a team" }],
  ] as const) {
    test(`T-45 an exemption with ${what} is refused, whichever client writes it`, async () => {
      const parameters = { rules: [{ images: ["*"], exempt }] };
      const { status, body } = await cluster.api.create(constraintOver(namespace, { parameters }));
      const message = body.message ?? "";
      assert.equal(status, 422, message);
      assert.match(message, /spec\.parameters\.rules\[0\]\.exempt/);
    });
  }

  test("the air-gapped example is accepted by the API", async () => {
    for (const constraint of await build("constraints/examples/air-gapped")) {
      await enforce(cluster, constraint);
    }
  });
});
