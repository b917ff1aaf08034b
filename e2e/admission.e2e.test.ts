// Scenarios 1 and 2: what is admitted, what is refused, and what the person reads.
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { Cluster } from "../testing/cluster/cluster.ts";
import { pod, workload, WORKLOADS, type Place } from "./objects.ts";
import { assertAdmitted, assertRefused, guard, messageOf, PODS_ONLY, startE2e } from "./setting.ts";

/** What the sample images are refused for, and how the sentence begins. */
const REFUSED: readonly (readonly [keyof Cluster["samples"], string])[] = [
  ["unsigned", "UNSIGNED"],
  ["stranger", "UNTRUSTED_SIGNER"],
  ["expired", "SIGNATURE_EXPIRED"],
  ["tampered", "TAMPERED"],
];

const PLACES: readonly Place[] = ["containers", "initContainers", "volumes"];

suite("admission", () => {
  let cluster: Cluster;
  let guarded: string;
  before(async () => {
    cluster = await startE2e();
    guarded = await guard(cluster);
  });
  after(async () => await cluster[Symbol.asyncDispose]());

  for (const place of PLACES) {
    test(`a signed image is admitted in ${place}`, async () => {
      const image = cluster.samples.signed;
      assertAdmitted(await cluster.api.create(pod({ namespace: guarded, image, place })));
    });
    for (const [sample, code] of REFUSED) {
      test(`T-40 in ${place}, ${sample} is refused: ${code}`, async () => {
        const image = cluster.samples[sample];
        const beside = cluster.samples.signed;
        const answer = await cluster.api.create(pod({ namespace: guarded, image, place, beside }));
        assertRefused(answer, image, code);
      });
    }
  }

  test("kubectl run says why an unsigned image is refused, and nothing of a signed one", async () => {
    const run = async (name: string, image: string) =>
      await cluster.kubectl("run", name, "-n", guarded, "--image", image);
    const { signed, unsigned } = cluster.samples;
    assert.equal((await run("signed", signed)).stdout, "pod/signed created\n");
    const { code, stderr } = await run("unsigned", unsigned);
    assert.equal(code, 1);
    assert.equal(
      stderr,
      `Error from server (Forbidden): admission webhook "validation.gatekeeper.sh" denied the request: [${guarded}] ${unsigned}: UNSIGNED: no signature found for this image\n`,
    );
  });

  test("T-40 kubectl debug with an unsigned image is refused, with a signed one it is not", async () => {
    const target = pod({ namespace: guarded, image: cluster.samples.signed });
    assertAdmitted(await cluster.api.create(target));
    const debug = async (image: string) =>
      await cluster.kubectl(
        "debug",
        target.metadata.name,
        "-n",
        guarded,
        "--image",
        image,
        "--",
        "sh",
      );
    const refused = await debug(cluster.samples.unsigned);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /unsigned:v1: UNSIGNED: /);
    const admitted = await debug(cluster.samples.signed);
    assert.equal(admitted.code, 0, admitted.stderr);
  });

  test("every image that is refused is named, and no other", async () => {
    const { signed, unsigned, stranger } = cluster.samples;
    const image = unsigned;
    const answer = await cluster.api.create({
      ...pod({ namespace: guarded, image }),
      spec: {
        containers: [signed, unsigned].map((each, index) => ({ name: `c${index}`, image: each })),
        initContainers: [{ name: "init", image: stranger }],
      },
    });
    const message = messageOf(answer);
    assert.match(message, /unsigned:v1: UNSIGNED: /);
    assert.match(message, /stranger:v1: UNTRUSTED_SIGNER: /);
    assert.doesNotMatch(message, /\/signed:v1/);
  });

  for (const kind of WORKLOADS) {
    test(`T-40 a ${kind} of an unsigned image is refused itself, one of a signed image is not`, async () => {
      const { signed, unsigned } = cluster.samples;
      const refused = await cluster.api.create(
        workload(kind, { namespace: guarded, image: unsigned }),
      );
      assertRefused(refused, unsigned, "UNSIGNED");
      assertAdmitted(
        await cluster.api.create(workload(kind, { namespace: guarded, image: signed })),
      );
    });
  }

  test("with a constraint on Pods alone a Deployment is accepted, and its ReplicaSet's event says why nothing runs", async () => {
    const namespace = await guard(cluster, { kinds: PODS_ONLY });
    const image = cluster.samples.unsigned;
    assertAdmitted(await cluster.api.create(workload("Deployment", { namespace, image })));
    const message = await cluster.wait("the ReplicaSet's event", async () => {
      const events = await cluster.api.list({ apiVersion: "v1", kind: "Event" }, namespace);
      const event = events.find(({ reason, involvedObject }) => {
        const { kind } = involvedObject as { readonly kind: string };
        return reason === "FailedCreate" && kind === "ReplicaSet";
      });
      return event?.["message"] as string | undefined;
    });
    assert.match(message, /unsigned:v1: UNSIGNED: /);
    assert.deepEqual(await cluster.api.list({ apiVersion: "v1", kind: "Pod" }, namespace), []);
  });

  test("with ExpansionTemplates a constraint on Pods alone refuses the workload", async () => {
    const namespace = await guard(cluster, { kinds: PODS_ONLY });
    const { signed, unsigned } = cluster.samples;
    await cluster.applyFile("constraints/expansion/expansion.yaml");
    for (const kind of WORKLOADS) {
      const implied = await cluster.wait(`${kind} to be expanded`, async () => {
        const answer = await cluster.api.create(workload(kind, { namespace, image: unsigned }), {
          dryRun: true,
        });
        return answer.status === 403 ? messageOf(answer) : undefined;
      });
      assert.match(
        implied,
        /^\[Implied by expand-(?:workloads|cronjobs)\] \S+unsigned:v1: UNSIGNED: /,
      );
      assertAdmitted(await cluster.api.create(workload(kind, { namespace, image: signed })));
    }
  });
});
