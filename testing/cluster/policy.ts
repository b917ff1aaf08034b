import { join } from "node:path";
import { ROOT } from "../provider/start.ts";
import type { KubernetesObject } from "./api.ts";

/** The kind of constraints of {@link TEMPLATE}. */
export const KIND = "K8sSignedImages";

/** File of the ConstraintTemplate that decides about images. */
export const TEMPLATE = join(ROOT, "templates/k8ssignedimages/template.yaml");

/** A Provider object of Gatekeeper, by its name. */
export const providerOf = (name: string) => ({
  apiVersion: "externaldata.gatekeeper.sh/v1beta1",
  kind: "Provider",
  metadata: { name },
});

export interface ConstraintOptions {
  readonly name: string;
  readonly namespaces: readonly string[];
  /** `host:port` of the registry whose images may be admitted. */
  readonly registry: string;
  /** Default deny. */
  readonly enforcementAction?: "deny" | "warn" | "dryrun";
}

/** A constraint on Pods alone, so that a Deployment is accepted and its Pods are refused. */
export const podConstraint = (options: ConstraintOptions): KubernetesObject => ({
  apiVersion: "constraints.gatekeeper.sh/v1beta1",
  kind: KIND,
  metadata: { name: options.name },
  spec: {
    enforcementAction: options.enforcementAction ?? "deny",
    match: {
      kinds: [{ apiGroups: [""], kinds: ["Pod"] }],
      namespaces: options.namespaces,
    },
    parameters: { rules: [{ images: [`${options.registry}/*`] }] },
  },
});

export interface PodOptions {
  readonly name: string;
  readonly namespace: string;
  readonly image: string;
}

/** A Pod of one container. */
export const podOf = ({ name, namespace, image }: PodOptions): KubernetesObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace },
  spec: { containers: [{ name: "app", image }] },
});
