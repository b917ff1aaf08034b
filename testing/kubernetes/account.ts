import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parse, stringify } from "yaml";
import { CHART, createHelm, NAMESPACE } from "../chart/helm.ts";
import { type Api, expectSuccess, type KubernetesObject } from "../cluster/api.ts";
import { parseDocuments } from "../cluster/modules.ts";

/** The provider's service account, in Gatekeeper's namespace. */
export const ACCOUNT = "notation-provider";

/** Of the chart's objects those that say what the provider may do. */
const RIGHTS = new Set([
  "ServiceAccount",
  "Role",
  "RoleBinding",
  "ClusterRole",
  "ClusterRoleBinding",
]);

/** What the chart renders of rights, in its default mode. Helm would give each its namespace. */
export async function rights(): Promise<readonly KubernetesObject[]> {
  await using helm = await createHelm();
  const text = await helm.render([join(CHART, "ci/defaults-values.yaml")]);
  return parseDocuments(text)
    .filter(({ kind }) => RIGHTS.has(kind))
    .map((object) =>
      object.kind.startsWith("Cluster")
        ? object
        : Object.assign(object, { metadata: { ...object.metadata, namespace: NAMESPACE } }),
    );
}

/**
 * Writes a kubeconfig with a token of the provider's account, as its Pods have one.
 * @param kubeconfig path of an administrator's, which says where the cluster is
 * @returns its own path, beside that one
 */
export async function writeAccountKubeconfig(api: Api, kubeconfig: string): Promise<string> {
  const { body } = expectSuccess(
    await api.send(`/api/v1/namespaces/${NAMESPACE}/serviceaccounts/${ACCOUNT}/token`, {
      method: "POST",
      body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} },
    }),
    "asking for a token",
  );
  const { token } = body["status"] as { token: string };
  const admin = parse(await readFile(kubeconfig, "utf8")) as {
    readonly contexts: readonly { readonly context: object }[];
  };
  const own = {
    ...admin,
    users: [{ name: ACCOUNT, user: { token } }],
    contexts: [{ name: "own", context: { ...admin.contexts[0]?.context, user: ACCOUNT } }],
    "current-context": "own",
  };
  const path = join(dirname(kubeconfig), "account.kubeconfig");
  await writeFile(path, stringify(own), { mode: 0o600 });
  return path;
}
