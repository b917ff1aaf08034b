// What a release of the chart needs in a cluster of processes: values for it, and what machines and operators would do.
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { KubernetesObject } from "../testing/cluster/api.ts";
import type { Cluster } from "../testing/cluster/cluster.ts";
import { providerOf } from "../testing/cluster/policy.ts";
import { freePorts } from "../testing/ports.ts";
import { certificatesOf } from "../provider/lib/pem.ts";
import { readForeignCrds } from "../testing/chart/crds.ts";
import { NAMESPACE } from "../testing/chart/helm.ts";
import { createProviderAuthority, issueServing } from "../testing/gatekeeper/certificates.ts";

/** Where the one Pod of a release is here. Its port is the chart's, so the address is one that nobody else has. */
export const ADDRESS = `127.${randomInt(1, 255)}.${randomInt(256)}.${randomInt(1, 255)}`;

/** For `startCluster`: leads the name in the chart's Provider objects, its Service's, to that Pod. */
export const HOSTS = { [`notation-provider.${NAMESPACE}`]: ADDRESS };

/** How a release gets its certificates: the values of the chart's `certificates.mode`. */
export type CertificatesMode = "selfManaged" | "certManager" | "existingSecret";

/** Names of the Provider objects, the chart's and those that the harness has of its own. */
export const PROVIDERS = ["notation", "notation-digest"] as const;

const secret = (name: string, stringData: Readonly<Record<string, string>>): KubernetesObject => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name, namespace: NAMESPACE },
  stringData,
});

/** Brings the kinds of cert-manager and of Prometheus' operator, and waits until they are served. */
export async function applyForeignCrds(cluster: Cluster): Promise<void> {
  const crds = await readForeignCrds();
  await cluster.apply(...crds);
  for (const { metadata, ...crd } of crds) {
    const { group, names, versions } = crd["spec"] as {
      readonly group: string;
      readonly names: { readonly plural: string };
      readonly versions: readonly { readonly name: string }[];
    };
    const path = `/apis/${group}/${versions[0]?.name}/${names.plural}`;
    // Established is said before the first answer that is one.
    await cluster.wait(`${metadata.name} to be served`, async () => {
      const { status } = await cluster.api.send(path);
      return status === 200 ? true : undefined;
    });
  }
}

/** Makes a serving certificate and puts it into a Secret, with its authority. */
async function issueInto(cluster: Cluster, name: string): Promise<void> {
  const authority = await createProviderAuthority();
  const { cert, key } = await issueServing(authority);
  await cluster.apply(secret(name, { "tls.crt": cert, "tls.key": key, "ca.crt": authority.ca }));
}

/** Applies what somebody has to make before the release. @returns values of a release that trusts the samples' signer */
export async function releaseValues(
  cluster: Cluster,
  mode: CertificatesMode = "selfManaged",
): Promise<object> {
  const { admin } = await freePorts("admin");
  const registryCa = await readFile(join(cluster.directory, "registry-ca.crt"), "utf8");
  if (mode === "existingSecret") await issueInto(cluster, "serving");
  await cluster.apply(
    // As Gatekeeper makes it, with keys that no provider should see.
    secret("gatekeeper-webhook-server-cert", {
      "ca.crt": cluster.gatekeeper.authority().ca,
      "ca.key": "not for the provider",
      "tls.crt": "not for the provider",
      "tls.key": "not for the provider",
    }),
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "registry-ca", namespace: NAMESPACE },
      data: { "ca.crt": registryCa },
    },
  );
  const { certificate, registry, samples } = cluster;
  const lines = certificate.toString("base64").match(/.{1,64}/g) ?? [];
  const pem = `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
  return {
    // The authority is read from the Secret.
    certificates: mode === "existingSecret" ? { mode, existingSecret: "serving" } : { mode },
    listenOn: ADDRESS,
    ports: { admin },
    config: {
      registries: [
        {
          host: registry.host,
          ca: "/files/registry-ca/ca.crt",
          allowedAddresses: ["127.0.0.0/8"],
        },
      ],
    },
    files: [{ name: "registry-ca", configMap: "registry-ca" }],
    trust: {
      policies: {
        default: {
          version: "1.0",
          trustPolicies: [
            {
              name: "samples",
              registryScopes: ["*"],
              signatureVerification: { level: "strict" },
              trustStores: ["ca:example"],
              trustedIdentities: ["*"],
            },
          ],
        },
      },
      stores: { ca: { example: { "root.crt": pem } } },
    },
    test: { signedImage: samples.signed, unsignedImage: samples.unsigned },
  };
}

/** What the provider keeps its own certificates in. */
export const OWN_SECRET = {
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "notation-provider-certificates", namespace: NAMESPACE },
};

/** PEM of the CAs that Gatekeeper trusts, the one in force first. */
export async function trusted(cluster: Cluster): Promise<readonly string[]> {
  const provider = await cluster.api.read(providerOf(PROVIDERS[0]));
  const { caBundle } = { caBundle: "", ...(provider?.["spec"] as object) };
  return certificatesOf(Buffer.from(caBundle, "base64").toString()).map(String);
}

/** Whether the CA of the provider's Secret is the first that every Provider trusts. */
export async function isTrusted(cluster: Cluster): Promise<true | undefined> {
  const secret = await cluster.api.read(OWN_SECRET);
  const data = (secret?.["data"] ?? {}) as Readonly<Record<string, string>>;
  const own = Buffer.from(data["ca.crt"] ?? "", "base64").toString();
  return (await trusted(cluster))[0] === own ? true : undefined;
}

/** Makes what cert-manager would be asked for by its Certificate objects, and says so in their status. */
export async function issueCertificates(cluster: Cluster): Promise<void> {
  const certificates = await cluster.api.list(
    { apiVersion: "cert-manager.io/v1", kind: "Certificate" },
    NAMESPACE,
  );
  for (const { metadata, ...certificate } of certificates) {
    const { secretName, isCA } = certificate["spec"] as {
      readonly secretName: string;
      readonly isCA?: boolean;
    };
    if (certificate["status"] !== undefined) continue;
    if (isCA !== true) await issueInto(cluster, secretName);
    const path = `/apis/cert-manager.io/v1/namespaces/${NAMESPACE}/certificates/${metadata.name}/status`;
    const lastTransitionTime = new Date().toISOString();
    const conditions = [{ type: "Ready", status: "True", lastTransitionTime }];
    const answer = await cluster.api.send(path, {
      method: "PATCH",
      body: { status: { conditions } },
      contentType: "application/merge-patch+json",
    });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
  }
}
