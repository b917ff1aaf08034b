// What the scenarios share: a cluster with the template, and a namespace with a constraint of its own for each test.
import assert from "node:assert/strict";
import type { ApiAnswer, KubernetesObject } from "../testing/cluster/api.ts";
import { startCluster, type Cluster, type ClusterOptions } from "../testing/cluster/cluster.ts";
import { KIND, TEMPLATE } from "../testing/cluster/policy.ts";
import { pushImage } from "../testing/registry/push.ts";
import { WORKLOADS } from "./objects.ts";

/** Starts parts side by side, and keeps those that did start when one does not. @throws what the first failure threw */
export async function useAll<const T extends readonly Promise<AsyncDisposable>[]>(
  resources: AsyncDisposableStack,
  starting: T,
): Promise<{ -readonly [Index in keyof T]: Awaited<T[Index]> }> {
  for (const start of await Promise.allSettled(starting)) {
    if (start.status === "fulfilled") resources.use(start.value);
  }
  return await Promise.all(starting);
}

/** Starts a cluster that knows the template and has no constraint. */
export async function startE2e(options: ClusterOptions = {}): Promise<Cluster> {
  await using starting = new AsyncDisposableStack();
  const cluster = starting.use(await startCluster(options));
  await cluster.applyFile(TEMPLATE);
  await cluster.established(KIND);
  starting.move();
  return cluster;
}

/** Every image, under the trust policy that the provider finds for it. */
export const EVERY_IMAGE = { rules: [{ images: ["*"] }] } as const;

const KINDS = [{ apiGroups: ["", "apps", "batch"], kinds: ["Pod", ...WORKLOADS] }] as const;

export interface ConstraintOptions {
  /** Default {@link EVERY_IMAGE}. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** Default deny. */
  readonly action?: "deny" | "warn" | "dryrun";
  /** Default Pods and everything that makes Pods. */
  readonly kinds?: readonly {
    readonly apiGroups: readonly string[];
    readonly kinds: readonly string[];
  }[];
}

export const PODS_ONLY = [{ apiGroups: [""], kinds: ["Pod"] }] as const;

/** A constraint over one namespace, by the same name. */
export const constraintOver = (
  namespace: string,
  { parameters = EVERY_IMAGE, action = "deny", kinds = KINDS }: ConstraintOptions = {},
): KubernetesObject => ({
  apiVersion: "constraints.gatekeeper.sh/v1beta1",
  kind: KIND,
  metadata: { name: namespace },
  spec: { enforcementAction: action, match: { kinds, namespaces: [namespace] }, parameters },
});

/** Applies a constraint and waits until it is enforced. */
export async function enforce(cluster: Cluster, constraint: KubernetesObject): Promise<void> {
  await cluster.apply(constraint);
  await cluster.enforced(constraint.kind, constraint.metadata.name);
}

let namespaces = 0;

/** Makes a namespace of one test with a constraint over it. @returns its name */
export async function guard(cluster: Cluster, options: ConstraintOptions = {}): Promise<string> {
  const namespace = await open(cluster);
  await enforce(cluster, constraintOver(namespace, options));
  return namespace;
}

/** Makes a namespace of one test that no constraint looks at. @returns its name */
export async function open(cluster: Cluster): Promise<string> {
  const namespace = `test-${(namespaces += 1)}`;
  await cluster.namespaces(namespace);
  return namespace;
}

/** Asserts that an object was admitted. */
export function assertAdmitted({ status, body }: ApiAnswer): void {
  assert.ok(status >= 200 && status < 300, `${status} ${body.message ?? ""}`);
}

/** What the person who applied an object reads after the webhook's and the constraint's name. */
export function messageOf({ status, body }: ApiAnswer): string {
  const text = body.message ?? "";
  assert.equal(status, 403, `${status} ${text}`);
  const match =
    /^admission webhook "validation\.gatekeeper\.sh" denied the request: (?:\[[\w-]+\] )?(.*)$/s.exec(
      text,
    );
  assert.ok(match, text);
  return match[1] ?? "";
}

/** Asserts that an image was refused with its code. */
export function assertRefused(answer: ApiAnswer, image: string, code: string): void {
  const message = messageOf(answer);
  assert.ok(message.startsWith(`${image}: ${code}: `), message);
}

/** Pushes an image that nobody has asked about yet. @returns its name with a tag, and by digest */
export async function pushNew(
  cluster: Cluster,
  repository: string,
  options: { readonly signed?: boolean; readonly tag?: string; readonly content?: string } = {},
): Promise<{ readonly tagged: string; readonly pinned: string; readonly digest: string }> {
  const { registry, notation, keys } = cluster;
  const { signed = false, tag = "v1", content = `${repository}:${tag}` } = options;
  const { digest } = await pushImage({ registry, repository, tag, content });
  const name = `${registry.host}/${repository}`;
  if (signed) await notation.sign(`${name}@${digest}`, { key: keys.trusted });
  return { tagged: `${name}:${tag}`, pinned: `${name}@${digest}`, digest };
}
