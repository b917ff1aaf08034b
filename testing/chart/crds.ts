import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { KubernetesObject } from "../cluster/api.ts";
import { moduleDirectory, parseDocuments } from "../cluster/modules.ts";

/** Where the modules of tools/crds keep the definitions of the kinds that the chart has objects of. */
const FILES: ReadonlyMap<string, readonly string[]> = new Map([
  [
    "github.com/cert-manager/cert-manager",
    ["deploy/crds/cert-manager.io_certificates.yaml", "deploy/crds/cert-manager.io_issuers.yaml"],
  ],
  [
    "github.com/prometheus-operator/prometheus-operator",
    [
      "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
      "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ],
  ],
]);

/** CustomResourceDefinitions of cert-manager and of Prometheus' operator, as their authors ship them. */
export async function readForeignCrds(): Promise<readonly KubernetesObject[]> {
  const found: KubernetesObject[] = [];
  for (const [module, files] of FILES) {
    const directory = await moduleDirectory("crds", module);
    for (const file of files) {
      found.push(...parseDocuments(await readFile(join(directory, file), "utf8")));
    }
  }
  return found;
}
