import { error, ok, warning, type Finding } from "../finding.ts";
import { IGNORE_LABEL, isOneOf, isSystem, selects } from "./match.ts";
import type { Namespace } from "./objects.ts";
import { isUnread, known, type ObservedCluster } from "./observed.ts";
import { actionOf, KIND, matchesPodsOf, type Action } from "./policy.ts";
import { reviewOf } from "./webhooks.ts";

/** Names that a line gives; a cluster may have thousands. */
const NAMED = 10;

/** Why Pods of a namespace are not refused, in the order in which they are let by. */
const REASONS = ["label", "selector", "config", "none", "dryrun", "warn"] as const;
type Reason = (typeof REASONS)[number];

const WORDS: Readonly<Record<Reason, (names: string) => Finding>> = {
  label: (names) =>
    warning(
      "namespaces",
      `${names}: label ${IGNORE_LABEL}, so nothing is reviewed`,
      "remove the label",
    ),
  selector: (names) =>
    warning(
      "namespaces",
      `${names}: left out by the webhook's namespaceSelector, so nothing is reviewed`,
      "validatingWebhookExemptNamespacesLabels: {}",
    ),
  config: (names) =>
    warning(
      "namespaces",
      `${names}: excluded by Gatekeeper's Config, so nothing is reviewed`,
      "take them off its spec.match[].excludedNamespaces",
    ),
  none: (names) =>
    error(
      "namespaces",
      `${names}: no constraint of ${KIND} looks at their Pods, so every image is admitted`,
      "kubectl apply --kustomize constraints/overlays/enforce",
    ),
  dryrun: (names) =>
    warning(
      "namespaces",
      `${names}: violators are only reported (dryrun)`,
      "kubectl apply --kustomize constraints/overlays/enforce",
    ),
  warn: (names) =>
    warning(
      "namespaces",
      `${names}: violators are admitted with a warning (warn)`,
      "kubectl apply --kustomize constraints/overlays/enforce",
    ),
};

/** In which namespaces an image is admitted that nobody refuses. Those that Kubernetes and Gatekeeper live on are spared on purpose. */
export function namespaceFindings(cluster: ObservedCluster): readonly Finding[] {
  if (isUnread(cluster.namespaces)) return [];
  const byReason = new Map<Reason, string[]>();
  const looked = cluster.namespaces.filter(
    ({ metadata }) => !isSystem(metadata.name, cluster.gatekeeperNamespace),
  );
  for (const namespace of looked) {
    const reason = whyNotRefused(namespace, cluster);
    if (reason === undefined) continue;
    byReason.set(reason, [...(byReason.get(reason) ?? []), namespace.metadata.name]);
  }
  if (byReason.size === 0) {
    const isWell = `violators are refused in all ${looked.length} but those that the cluster lives on`;
    return isSure(cluster) ? [ok("namespaces", isWell)] : [];
  }
  return REASONS.flatMap((reason) => {
    const names = byReason.get(reason);
    return names === undefined ? [] : [WORDS[reason](listed(names))];
  });
}

/** Whether everything is known that could let an image by. */
const isSure = (cluster: ObservedCluster): boolean =>
  reviewOf(cluster) !== undefined && !isUnread(cluster.configs) && !isUnread(cluster.constraints);

function whyNotRefused(namespace: Namespace, cluster: ObservedCluster): Reason | undefined {
  const { name, labels } = namespace.metadata;
  const webhook = reviewOf(cluster);
  if (webhook !== undefined && !selects(webhook.namespaceSelector, labels)) {
    return labels.has(IGNORE_LABEL) ? "label" : "selector";
  }
  const isExcluded = known(cluster.configs)
    .flatMap(({ spec }) => spec.match)
    .some(
      ({ excludedNamespaces, processes }) =>
        (processes.includes("*") || processes.includes("webhook")) &&
        isOneOf(name, excludedNamespaces),
    );
  if (isExcluded) return "config";
  if (isUnread(cluster.constraints) && cluster.constraints.unread !== "absent") return undefined;
  const actions = new Set(
    known(cluster.constraints)
      .filter((constraint) => matchesPodsOf(constraint, namespace))
      .map(actionOf),
  );
  if (actions.has("deny")) return undefined;
  return (
    (["warn", "dryrun"] as const satisfies readonly Action[]).find((action) =>
      actions.has(action),
    ) ?? "none"
  );
}

function listed(names: readonly string[]): string {
  const more = names.length - NAMED;
  return `${names.slice(0, NAMED).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
