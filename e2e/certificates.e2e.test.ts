// The provider makes its own certificates, with no other right than the chart gives it: from nothing, by another CA, and after
// somebody's hand was in it.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { certificatesOf } from "../provider/lib/pem.ts";
import { expectSuccess } from "../testing/cluster/api.ts";
import type { Cluster } from "../testing/cluster/cluster.ts";
import { providerOf } from "../testing/cluster/policy.ts";
import { CHART, NAMESPACE } from "../testing/chart/helm.ts";
import { rights, writeAccountKubeconfig } from "../testing/kubernetes/account.ts";
import { pod } from "./objects.ts";
import { assertAdmitted, assertRefused, guard, pushNew, startE2e, useAll } from "./setting.ts";

const PROVIDER = providerOf("notation");
const SECRET = {
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "notation-provider-certificates", namespace: NAMESPACE },
};

suite("certificates of the provider's own", () => {
  const resources = new AsyncDisposableStack();
  let cluster: Cluster;
  let namespace: string;
  let images = 0;

  before(async () => {
    // A cached answer would hide that the provider cannot be called.
    cluster = resources.use(await startE2e({ gatekeeper: { responseCacheTtl: "0s" } }));
    namespace = await guard(cluster);
    await cluster.apply(...(await rights()));
    const ca = await readFile(join(cluster.clientCa.directory, "ca.crt"));
    await cluster.apply({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "gatekeeper-webhook-server-cert", namespace: NAMESPACE },
      data: { "ca.crt": ca.toString("base64") },
    });
    await cluster.point({ ca: await readFile(join(CHART, "files/placeholder-ca.crt"), "utf8") });
    const overrides = {
      certificates: {
        names: ["127.0.0.1"],
        secret: { namespace: NAMESPACE },
        kubeconfig: await writeAccountKubeconfig(cluster.api, cluster.kubeconfig),
      },
    };
    await cluster.provider.stop();
    await Promise.all([
      useAll(resources, [cluster.provider.replicate({ overrides })]),
      cluster.provider.start({ overrides }),
    ]);
  });
  after(async () => await resources.disposeAsync());

  const trusted = async (): Promise<readonly X509Certificate[]> => {
    const provider = await cluster.api.read(PROVIDER);
    const { caBundle } = { caBundle: "", ...(provider?.["spec"] as object) };
    return certificatesOf(Buffer.from(caBundle, "base64").toString());
  };
  const subjects = async () => (await trusted()).map(({ subject }) => subject);
  const tryNew = async (signed: boolean) => {
    const image = await pushNew(cluster, `certificates/app-${(images += 1)}`, { signed });
    return {
      image: image.tagged,
      answer: await cluster.api.create(pod({ namespace, image: image.tagged })),
    };
  };
  /** A signed image runs, an unsigned one does not. */
  const isRight = async (): Promise<void> => {
    assertAdmitted((await tryNew(true)).answer);
    const { image, answer } = await tryNew(false);
    assertRefused(answer, image, "UNSIGNED");
  };

  test("T-66 from nothing two replicas make one CA that Gatekeeper trusts, with the rights of the chart and no other", async () => {
    const [authority] = await cluster.wait("a CA in the Provider", async () => {
      const found = await trusted();
      return found[0] !== undefined && found[0].validToDate > new Date() ? found : undefined;
    });
    await cluster.active("notation");
    const secret = await cluster.api.read(SECRET);
    const data = secret?.["data"] as Readonly<Record<string, string>>;
    const kept = new X509Certificate(Buffer.from(data["ca.crt"] ?? "", "base64"));
    assert.equal(kept.fingerprint256, authority?.fingerprint256);
    await isRight();
  });

  test("F-30 a CA is replaced while Pods are created, and none of them is refused wrongly", async () => {
    const [before] = await subjects();
    expectSuccess(await cluster.api.remove(SECRET), "deleting the Secret");
    const isReplaced = async (): Promise<boolean> => {
      const [first, second] = await subjects();
      return first !== before && second === before;
    };
    do assertAdmitted((await tryNew(true)).answer);
    while (!(await isReplaced()));
    // What is shown now is of the new one.
    for (let count = 0; count < 3; count += 1) await isRight();
  });

  test("a Provider that was edited by hand is repaired, and the next Pod is judged rightly", async () => {
    const right = await subjects();
    const caBundle = Buffer.from(cluster.provider.ca).toString("base64");
    expectSuccess(
      await cluster.api.patch(PROVIDER, { spec: { caBundle } }),
      "editing the Provider",
    );
    await cluster.wait("the Provider to be repaired", async () =>
      (await subjects()).join() === right.join() ? true : undefined,
    );
    await cluster.active("notation");
    await isRight();
  });

  test("Events tell of it", async () => {
    const EXPECTED = ["CertificateAuthorityCreated", "CertificateAuthorityReplaced"];
    await cluster.wait("Events", async () => {
      const events = await cluster.api.list(
        { apiVersion: "events.k8s.io/v1", kind: "Event" },
        NAMESPACE,
      );
      const found = new Set(events.map((event) => event["reason"]));
      return EXPECTED.every((reason) => found.has(reason)) ? true : undefined;
    });
  });
});
