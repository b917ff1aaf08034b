import { expectSuccess, type Api, type KubernetesObject } from "./api.ts";
import type { ChartValues } from "./modules.ts";
import type { Wait } from "./wait.ts";

/** How the API server calls Gatekeeper. */
export interface WebhookSettings {
  /** Of the validating webhook. Default `Fail`, which enforcement needs; the chart's own is `Ignore`. */
  readonly failurePolicy?: "Fail" | "Ignore";
  /** Of the validating webhook. Default the chart's: 3. */
  readonly timeoutSeconds?: number;
  /** Whether there is a mutating webhook. Default true. */
  readonly mutation?: boolean;
  /** Default the chart's: `Ignore`. */
  readonly mutationFailurePolicy?: "Fail" | "Ignore";
  /** Default the chart's: 1. */
  readonly mutationTimeoutSeconds?: number;
}

export interface WebhookTarget {
  /** `https://127.0.0.1:8443` */
  readonly url: string;
  /** PEM. */
  readonly ca: string;
}

const API_VERSION = "admissionregistration.k8s.io/v1";
const GATEKEEPER = "gatekeeper-system";
const VALIDATING = {
  apiVersion: API_VERSION,
  kind: "ValidatingWebhookConfiguration",
  metadata: { name: "gatekeeper-validating-webhook-configuration" },
};
const MUTATING = {
  apiVersion: API_VERSION,
  kind: "MutatingWebhookConfiguration",
  metadata: { name: "gatekeeper-mutating-webhook-configuration" },
};

const notGatekeeper = {
  key: "kubernetes.io/metadata.name",
  operator: "NotIn",
  values: [GATEKEEPER],
};
const notIgnored = { key: "admission.gatekeeper.sh/ignore", operator: "DoesNotExist" };

/** Creation and change of everything, and of the subresources that the chart names. */
const everything = (subresources: readonly string[]): object => ({
  apiGroups: ["*"],
  apiVersions: ["*"],
  operations: ["CREATE", "UPDATE"],
  resources: ["*", ...subresources],
  scope: "*",
});

/** The two configurations as Gatekeeper's chart renders them, but for a URL in the place of a Service. */
function configurations(
  { url, ca }: WebhookTarget,
  chart: ChartValues,
  settings: WebhookSettings,
): { readonly validating: KubernetesObject; readonly mutating: KubernetesObject } {
  const common = (path: string): object => ({
    admissionReviewVersions: ["v1", "v1beta1"],
    clientConfig: { url: `${url}${path}`, caBundle: Buffer.from(ca).toString("base64") },
    matchPolicy: "Exact",
    sideEffects: "None",
  });
  const timeoutSeconds = settings.timeoutSeconds ?? chart.validatingWebhookTimeoutSeconds;
  const validating = [
    {
      ...common("/v1/admit"),
      name: "validation.gatekeeper.sh",
      failurePolicy: settings.failurePolicy ?? "Fail",
      namespaceSelector: { matchExpressions: [notIgnored, notGatekeeper] },
      rules: [everything(chart.validatingWebhookSubResources)],
      timeoutSeconds,
    },
    {
      ...common("/v1/admitlabel"),
      name: "check-ignore-label.gatekeeper.sh",
      failurePolicy: chart.validatingWebhookCheckIgnoreFailurePolicy,
      namespaceSelector: { matchExpressions: [notGatekeeper] },
      rules: [{ ...everything([]), apiGroups: [""], resources: ["namespaces"] }],
      timeoutSeconds,
    },
  ];
  const mutating = [
    {
      ...common("/v1/mutate"),
      name: "mutation.gatekeeper.sh",
      failurePolicy: settings.mutationFailurePolicy ?? chart.mutatingWebhookFailurePolicy,
      namespaceSelector: { matchExpressions: [notIgnored, notGatekeeper] },
      reinvocationPolicy: chart.mutatingWebhookReinvocationPolicy,
      rules: [everything(chart.mutatingWebhookSubResources)],
      timeoutSeconds: settings.mutationTimeoutSeconds ?? chart.mutatingWebhookTimeoutSeconds,
    },
  ];
  return {
    validating: { ...VALIDATING, webhooks: validating },
    mutating: { ...MUTATING, webhooks: settings.mutation === false ? [] : mutating },
  };
}

export interface WebhookOptions {
  readonly api: Api;
  readonly wait: Wait;
  readonly chart: ChartValues;
  readonly target: WebhookTarget;
  readonly settings: WebhookSettings;
}

/**
 * Puts both configurations into the cluster and waits until the API server goes by them.
 *
 * Hazard: under `Fail` nothing can be created until the webhook answers, service accounts included.
 */
export async function configureWebhooks(options: WebhookOptions): Promise<void> {
  const { api, wait, chart, target, settings } = options;
  const { validating, mutating } = configurations(target, chart, settings);
  for (const object of [validating, mutating]) {
    expectSuccess(await api.apply(object), `configuring ${object.metadata.name}`);
    await settled(api, wait, object.kind);
  }
}

/**
 * The API server learns of configurations by watching them, in their order. So once it goes by one that was written after
 * those in question, it goes by them too: here one that refuses a single ConfigMap, which is never really created.
 */
async function settled(api: Api, wait: Wait, kind: string): Promise<void> {
  const name = `settled-${Date.now()}`;
  const configuration = {
    apiVersion: API_VERSION,
    kind,
    metadata: { name },
    webhooks: [
      {
        name: "settled.testing.example",
        admissionReviewVersions: ["v1"],
        // Nobody listens at port 1, and nobody has to.
        clientConfig: { url: "https://127.0.0.1:1/" },
        failurePolicy: "Fail",
        matchConditions: [{ name: "probe", expression: `object.metadata.name == "${name}"` }],
        rules: [
          {
            apiGroups: [""],
            apiVersions: ["v1"],
            operations: ["CREATE"],
            resources: ["configmaps"],
            scope: "Namespaced",
          },
        ],
        sideEffects: "None",
        timeoutSeconds: 1,
      },
    ],
  };
  expectSuccess(await api.create(configuration), `creating ${name}`);
  const probe = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default" } };
  await wait(`the API server to know its webhooks (${kind})`, async () => {
    const { body } = await api.create(probe, { dryRun: true });
    return body.message?.includes("settled.testing.example") ? true : undefined;
  });
  await api.remove(configuration);
}
