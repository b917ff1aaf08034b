// Scenario 3: the example of one cluster with three environments, as it is shipped.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import type { KubernetesObject } from "../testing/cluster/api.ts";
import type { Cluster } from "../testing/cluster/cluster.ts";
import { parseDocuments } from "../testing/cluster/modules.ts";
import { createCaller } from "../testing/gatekeeper/caller.ts";
import { ROOT } from "../testing/provider/start.ts";
import { statement, writeTrust } from "../testing/signing/trust.ts";
import { pod } from "./objects.ts";
import { assertAdmitted, assertRefused, enforce, messageOf, startE2e } from "./setting.ts";

const EXAMPLE = join(ROOT, "constraints/examples/environments");
const UPSTREAM = "registry.k8s.io/pause:3.10";

suite("environments", () => {
  let cluster: Cluster;
  /** The example's constraints, about the registry that is there. */
  let constraints: readonly KubernetesObject[];
  /** The sample whose signature has expired, by digest. */
  let expired: string;

  before(async () => {
    cluster = await startE2e();
    const { stdout } = await cluster.kubectl("kustomize", EXAMPLE);
    const text = stdout.replaceAll("111122223333.dkr.ecr.*.amazonaws.com", cluster.registry.host);
    assert.notEqual(text, stdout);
    constraints = parseDocuments(text);
    const policy = JSON.parse(await readFile(join(EXAMPLE, "trustpolicies/prod.json"), "utf8")) as {
      readonly trustPolicies: readonly {
        readonly signatureVerification: { readonly level: string };
      }[];
    };
    const [prod] = policy.trustPolicies;
    assert.ok(prod);
    const trustStores = ["ca:example"];
    writeTrust(cluster.settings.trust, {
      statements: [statement({ trustStores })],
      stores: { "ca:example": [cluster.certificate] },
      policies: { prod: [statement({ ...prod, trustStores, trustedIdentities: ["*"] })] },
    });
    await cluster.provider.restart();
    for (const name of ["dev", "staging", "prod", "unlabelled"]) {
      await cluster.namespaces(name);
      if (name !== "unlabelled") {
        await cluster.api.patch(
          { apiVersion: "v1", kind: "Namespace", metadata: { name } },
          { metadata: { labels: { environment: name } } },
        );
      }
    }
    for (const constraint of constraints) await enforce(cluster, constraint);
    expired = await byDigest(cluster, "expired");
  });
  after(async () => await cluster[Symbol.asyncDispose]());

  test("dev admits an image whose signature has expired, and says what prod will refuse", async () => {
    const answer = await cluster.api.create(pod({ namespace: "dev", image: expired }));
    assertAdmitted(answer);
    assert.match(
      answer.warnings.join("\n"),
      /team\/expired:v1@sha256:\S+: CHECK_FAILED: expiry: SIGNATURE_EXPIRED: /,
    );
  });

  test("staging admits it without a word", async () => {
    const answer = await cluster.api.create(pod({ namespace: "staging", image: expired }));
    assertAdmitted(answer);
    assert.deepEqual(answer.warnings, []);
  });

  for (const namespace of ["prod", "unlabelled"]) {
    test(`${namespace} refuses it`, async () => {
      const answer = await cluster.api.create(pod({ namespace, image: expired }));
      assert.match(messageOf(answer), /: SIGNATURE_EXPIRED: /);
    });

    test(`${namespace} admits a signed image by its digest, and none by its tag`, async () => {
      const image = await byDigest(cluster, "signed");
      assertAdmitted(await cluster.api.create(pod({ namespace, image })));
      const tagged = cluster.samples.signed;
      assertRefused(
        await cluster.api.create(pod({ namespace, image: tagged })),
        tagged,
        "DIGEST_REQUIRED",
      );
    });
  }

  for (const [namespace, code] of [
    ["dev", "UNSIGNED"],
    ["staging", "UNSIGNED"],
    ["prod", "UNSIGNED"],
  ] as const) {
    test(`${namespace} refuses an image without any signature`, async () => {
      const image = await byDigest(cluster, "unsigned");
      assertRefused(await cluster.api.create(pod({ namespace, image })), image, code);
    });
  }

  test("an image that no rule is about is refused, but in dev", async () => {
    const image = "quay.io/somebody/app:v1";
    for (const namespace of ["staging", "prod"]) {
      assertRefused(await cluster.api.create(pod({ namespace, image })), image, "NO_RULE");
    }
    assertAdmitted(await cluster.api.create(pod({ namespace: "dev", image })));
  });

  test("T-44 an exempt image is admitted, and refused after the exemption's last day", async () => {
    for (const namespace of ["staging", "prod"]) {
      assertAdmitted(await cluster.api.create(pod({ namespace, image: UPSTREAM })));
    }
    const prod = constraints.find(({ metadata }) => metadata.name === "signed-images-prod");
    assert.ok(prod);
    const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
    const ended = JSON.parse(
      JSON.stringify(prod).replaceAll(/"until":"[\d-]+"/g, `"until":"${yesterday}"`),
    ) as KubernetesObject;
    await enforce(cluster, ended);
    const answer = await cluster.api.create(pod({ namespace: "prod", image: UPSTREAM }));
    assertRefused(answer, UPSTREAM, "EXEMPTION_ENDED");
    assert.match(messageOf(answer), new RegExp(yesterday));
    await enforce(cluster, prod);
    assertAdmitted(await cluster.api.create(pod({ namespace: "prod", image: UPSTREAM })));
  });
});

/** The digest of a sample, as the provider says it. */
async function byDigest(cluster: Cluster, sample: keyof Cluster["samples"]): Promise<string> {
  const image = cluster.samples[sample];
  const { url, ca } = cluster.provider;
  const caller = createCaller({ url, ca, ...cluster.gatekeeper.certificate() });
  const { response } = await caller.ask([image], { path: "/mutate" });
  await caller.close();
  const value = response.response.items[0]?.value;
  assert.ok(typeof value === "string", JSON.stringify(response));
  return value;
}
