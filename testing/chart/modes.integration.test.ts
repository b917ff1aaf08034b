// From one mode of certificates to another on a real API server: what Gatekeeper is left to trust, in both versions of Helm.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createClient } from "../../provider/kubernetes/client.ts";
import { createObjects } from "../../provider/kubernetes/objects.ts";
import { expectSuccess } from "../cluster/api.ts";
import { createLifetime } from "../cluster/lifetime.ts";
import { providerOf } from "../cluster/policy.ts";
import { createProviderAuthority } from "../gatekeeper/certificates.ts";
import { startProviderPlane } from "../kubernetes/plane.ts";
import { encode } from "../kubernetes/world.ts";
import { CHART, createHelm, HELMS, NAMESPACE } from "./helm.ts";

const PROVIDER = providerOf("notation");
const SECRET = {
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "serving", namespace: NAMESPACE },
};
const FILES = { mode: "existingSecret", existingSecret: "serving" };
const VALUES = {
  config: { registries: [{ host: "registry.example.com" }] },
  trust: { existingConfigMap: { name: "trust", items: [{ key: "a", path: "trustpolicy.json" }] } },
  policy: { template: false, constraint: { create: "never" } },
};

const { ca } = await createProviderAuthority();
const { ca: own } = await createProviderAuthority();

const lifetime = await createLifetime(() => undefined);
const { api, kubeconfigs } = await lifetime.start(async () => await startProviderPlane(lifetime));
after(lifetime.end);
const kubeconfig = kubeconfigs.admin;

const bundle = async (): Promise<string> => {
  const { caBundle } = { caBundle: "", ...((await api.read(PROVIDER))?.["spec"] as object) };
  return Buffer.from(caBundle, "base64").toString();
};
/** As the provider writes it. */
const takeOver = async (pem: string): Promise<void> => {
  using client = await createClient({ kubeconfig });
  const objects = createObjects(client, {
    secret: { namespace: NAMESPACE, name: "own" },
    clientCA: { namespace: NAMESPACE, name: "gatekeeper", key: "ca.crt" },
    providers: ["notation", "notation-digest"],
  });
  const signal = AbortSignal.timeout(20_000);
  for (const provider of await objects.readProviders(signal)) {
    assert.ok(await objects.applyBundle(provider, encode(pem), signal));
  }
};

for (const name of HELMS) {
  test(`${name}: to certificates of the provider's own and back, no upgrade takes away who is trusted`, async () => {
    await using helm = await createHelm(name, { kubeconfig });
    const release = async (command: string, certificates: object, ...args: string[]) =>
      await helm.helm(
        command,
        "notation",
        CHART,
        `--namespace=${NAMESPACE}`,
        `--values=${await helm.values({ ...VALUES, certificates })}`,
        ...args,
      );
    const succeed = async (...args: Parameters<typeof release>): Promise<string> => {
      const { code, stdout, stderr } = await release(...args);
      assert.equal(code, 0, stderr);
      return stdout;
    };

    expectSuccess(await api.apply({ ...SECRET, data: { "ca.crt": encode(ca) } }), "the Secret");
    await succeed("install", FILES);
    assert.equal(await bundle(), ca);

    // Pods of before still show what this CA signed; the provider puts its own beside it.
    await succeed("upgrade", { mode: "selfManaged" });
    assert.ok((await bundle()).startsWith(ca));
    await takeOver(`${own}${ca}`);
    await succeed("upgrade", { mode: "selfManaged" });
    assert.equal(await bundle(), `${own}${ca}`);

    // A certificate that nobody has made yet, as of cert-manager.
    const later = { mode: "existingSecret", existingSecret: "later" };
    assert.match(await succeed("upgrade", later), /Secret later has no ca\.crt yet/);
    assert.equal(await bundle(), `${own}${ca}`);
    const back = { ...FILES, caBundle: `${ca}${own}` };
    const { code, stderr } = await release("upgrade", back);
    if (name === "helm") {
      assert.match(stderr, /conflict with "notation-provider": \.spec\.caBundle/);
      await succeed("upgrade", back, "--force-conflicts");
    } else assert.equal(code, 0, stderr);
    assert.equal((await bundle()).trim(), `${ca}${own}`.trim());

    const { code: gone, stderr: left } = await helm.helm(
      "uninstall",
      "notation",
      `--namespace=${NAMESPACE}`,
    );
    assert.equal(gone, 0, left);
  });
}
