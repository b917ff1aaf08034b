import { join } from "node:path";
import { NAMESPACE } from "../chart/helm.ts";
import { expectSuccess, type KubernetesObject } from "../cluster/api.ts";
import { startBareControlPlane, type BareControlPlane } from "../cluster/bare-control-plane.ts";
import type { Lifetime } from "../cluster/lifetime.ts";
import { readToolFiles } from "../cluster/modules.ts";

export interface PlaneOptions {
  /** Whether who asks for what is written down. */
  readonly isAudited?: boolean;
  /** What is there beside Gatekeeper's namespace and the kind of Provider objects. */
  readonly objects?: readonly KubernetesObject[];
}

/** Starts a real API server that knows Provider objects, without anybody who does anything with them. It ends with the lifetime. */
export async function startProviderPlane(
  lifetime: Lifetime,
  { isAudited = false, objects = [] }: PlaneOptions = {},
): Promise<BareControlPlane> {
  const { state, processes, wait, parts } = lifetime;
  const directory = join(state, "control-plane");
  const plane = await startBareControlPlane({ directory, processes, wait, isAudited });
  parts.use(plane.api);
  const { crds } = await readToolFiles();
  const crd = crds.filter(({ metadata }) => metadata.name.startsWith("providers."));
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } };
  for (const object of [namespace, ...crd, ...objects]) {
    expectSuccess(await plane.api.apply(object), object.metadata.name);
  }
  return plane;
}
