import assert from "node:assert/strict";
import { after, test } from "node:test";
import { expectSuccess, type KubernetesObject } from "../testing/cluster/api.ts";
import { startCluster } from "../testing/cluster/cluster.ts";
import { KIND, podConstraint, podOf, TEMPLATE } from "../testing/cluster/policy.ts";

// Before the first test: `after` runs as soon as every test that is known is done.
const cluster = await startCluster({ progress: (line) => console.log(line) });
after(async () => await cluster[Symbol.asyncDispose]());

const { api, samples, registry } = cluster;
const namespace = "smoke";
const name = "signed-images";
await cluster.namespaces(namespace);
const older = podOf({ name: "older", namespace, image: samples.unsigned });
expectSuccess(await api.create(older), "a Pod from before the constraint");
await cluster.applyFile(TEMPLATE);
await cluster.established(KIND);
await cluster.apply(podConstraint({ name, namespaces: [namespace], registry: registry.host }));
await cluster.enforced(KIND, name);

test("a Pod of a signed image is admitted", async () => {
  const { status } = await api.create(podOf({ name: "signed", namespace, image: samples.signed }));
  assert.equal(status, 201);
});

test("a Pod of an unsigned image is refused with the reason", async () => {
  const { code, stderr } = await cluster.kubectl(
    "run",
    "unsigned",
    `--namespace=${namespace}`,
    `--image=${samples.unsigned}`,
  );
  assert.equal(code, 1);
  assert.match(stderr, /validation\.gatekeeper\.sh" denied the request: \[signed-images\]/);
  assert.match(stderr, new RegExp(`${samples.unsigned}: UNSIGNED: `));
});

test("the audit reports a Pod that is older than the constraint", async () => {
  const constraint = {
    apiVersion: "constraints.gatekeeper.sh/v1beta1",
    kind: KIND,
    metadata: { name },
  };
  const violation = await cluster.wait("the audit to report Pod older", async () =>
    violationsOf(await api.read(constraint)).find((row) => row.name === "older"),
  );
  assert.match(violation.message, /UNSIGNED: /);
});

interface Violation {
  readonly name: string;
  readonly message: string;
}

function violationsOf(constraint: KubernetesObject | undefined): readonly Violation[] {
  const status = constraint?.["status"] as
    { readonly violations?: readonly Violation[] } | undefined;
  return status?.violations ?? [];
}
