// A cluster as docs/gatekeeper.md wants it: the objects as the API sends them, for tests that then make one thing weak.
import { createProviderAuthority } from "../gatekeeper/certificates.ts";

const authority = await createProviderAuthority();

/** The `caBundle` of a certificate that lives from one day to another. */
export async function bundleOf(notBefore: Date, notAfter: Date): Promise<string> {
  const { cert } = await authority.issue({ name: "authority", notBefore, notAfter });
  return Buffer.from(cert).toString("base64");
}

/** Of an authority in force all through 2026. */
const CA_BUNDLE = await bundleOf(new Date("2026-01-01"), new Date("2036-01-01"));

/** Objects of the API by their plural, any member of which a test may change. */
// oxlint-disable-next-line typescript/no-explicit-any -- a test reaches into objects of any shape
export type RawObject = any;
export type RawCluster = Record<string, RawObject[]>;

const GATEKEEPER = "gatekeeper-system";
const SYSTEM = ["kube-system", "kube-public", "kube-node-lease", GATEKEEPER];
const PODS = ["gatekeeper-webhook", "gatekeeper-audit"];

const everything = () => ({
  apiGroups: ["*"],
  apiVersions: ["*"],
  operations: ["CREATE", "UPDATE"],
  resources: ["*", "pods/ephemeralcontainers"],
  scope: "*",
});

const webhook = (name: string, timeoutSeconds: number) => ({
  name,
  failurePolicy: "Fail",
  timeoutSeconds,
  namespaceSelector: {
    matchExpressions: [
      { key: "admission.gatekeeper.sh/ignore", operator: "DoesNotExist" },
      { key: "kubernetes.io/metadata.name", operator: "NotIn", values: [GATEKEEPER] },
    ],
  },
  objectSelector: {},
  rules: [everything()],
  clientConfig: { caBundle: CA_BUNDLE },
});

const deployment = (name: string, replicas: number, args: readonly string[]) => ({
  metadata: { name, namespace: GATEKEEPER },
  spec: {
    replicas,
    template: {
      spec: {
        containers: [
          { name: "manager", image: "openpolicyagent/gatekeeper:v3.23.0", args: [...args] },
        ],
      },
    },
  },
  status: { readyReplicas: replicas },
});

const provider = (name: string, path: string, timeout: number) => ({
  metadata: { name, generation: 1 },
  spec: { url: `https://provider.example:8443${path}`, timeout, caBundle: CA_BUNDLE },
  status: { byPod: PODS.map((id) => ({ id, active: true, observedGeneration: 1 })) },
});

const namespace = (name: string) => ({
  metadata: { name, labels: { "kubernetes.io/metadata.name": name } },
});

const enforced = () => ({
  byPod: PODS.map((id) => ({ id, enforced: true, observedGeneration: 1 })),
});

/** A new copy for each test. */
export const wellSetCluster = (): RawCluster =>
  structuredClone({
    validatingwebhookconfigurations: [
      {
        metadata: { name: "gatekeeper-validating-webhook-configuration" },
        webhooks: [
          webhook("validation.gatekeeper.sh", 3),
          webhook("check-ignore-label.gatekeeper.sh", 3),
        ],
      },
    ],
    mutatingwebhookconfigurations: [
      {
        metadata: { name: "gatekeeper-mutating-webhook-configuration" },
        webhooks: [{ ...webhook("mutation.gatekeeper.sh", 2), failurePolicy: "Ignore" }],
      },
    ],
    deployments: [
      deployment("gatekeeper-controller-manager", 3, [
        "--operation=webhook",
        "--log-denies=true",
        "--max-serving-threads=100",
        "--external-data-provider-response-cache-ttl=3m",
        `--exempt-namespace=${GATEKEEPER}`,
      ]),
      deployment("gatekeeper-audit", 1, ["--operation=audit", "--audit-interval=60"]),
    ],
    configs: [],
    namespaces: [...SYSTEM, "default", "team-a"].map(namespace),
    providers: [
      provider("notation", "/validate", 2),
      provider("notation-digest", "/mutate", 1),
      // Somebody else's.
      { metadata: { name: "other" }, spec: { url: "https://other.example/v1/check" } },
    ],
    constrainttemplates: [
      {
        metadata: { name: "k8ssignedimages", generation: 1 },
        status: { created: true, byPod: PODS.map((id) => ({ id, observedGeneration: 1 })) },
      },
      { metadata: { name: "somebodyelses" } },
    ],
    k8ssignedimages: [
      {
        metadata: { name: "signed-images", generation: 1 },
        spec: {
          enforcementAction: "deny",
          match: {
            kinds: [
              { apiGroups: [""], kinds: ["Pod"] },
              { apiGroups: ["apps"], kinds: ["Deployment"] },
            ],
            excludedNamespaces: SYSTEM,
          },
          parameters: { rules: [{ images: ["*"] }] },
        },
        status: enforced(),
      },
      {
        metadata: { name: "signed-images-system", generation: 1 },
        spec: {
          enforcementAction: "scoped",
          scopedEnforcementActions: [
            { action: "dryrun", enforcementPoints: [{ name: "audit.gatekeeper.sh" }] },
          ],
          match: { kinds: [{ apiGroups: [""], kinds: ["Pod"] }], namespaces: SYSTEM },
          parameters: { rules: [{ images: ["*"] }] },
        },
        status: enforced(),
      },
    ],
    assign: [
      {
        metadata: { name: "pin-digests-of-containers" },
        spec: {
          location: "spec.containers[name:*].image",
          parameters: { assign: { externalData: { provider: "notation-digest" } } },
        },
      },
    ],
  });
