import { error, ok, warning, type Finding } from "../finding.ts";
import { problemOf, tell } from "./bundle.ts";
import { IGNORE_LABEL, isEmpty, isRuleFor, labelsOf, NAME_LABEL, type Asked } from "./match.ts";
import type { Webhook } from "./objects.ts";
import { isUnread, known, type ObservedCluster } from "./observed.ts";
import { providersOf } from "./providers.ts";

const REVIEW = "validation.gatekeeper.sh";
const LABEL = "check-ignore-label.gatekeeper.sh";
const MUTATION = "mutation.gatekeeper.sh";

/** The webhook by which objects are reviewed. */
export const reviewOf = (cluster: ObservedCluster): Webhook | undefined =>
  find(cluster.validating, REVIEW);

/** The webhook that pins tags to digests, if somebody asked for that. */
export const mutationOf = (cluster: ObservedCluster): Webhook | undefined =>
  find(cluster.mutating, MUTATION);

const find = (listing: ObservedCluster["validating"], name: string): Webhook | undefined =>
  known(listing)
    .flatMap(({ webhooks }) => webhooks)
    .find((webhook) => webhook.name === name);

/** Operations by which an image comes to run, and what it means when a webhook does not see them. */
const OPERATIONS: readonly {
  readonly name: string;
  readonly asked: Asked;
  readonly consequence: string;
}[] = [
  {
    name: "CREATE of pods",
    asked: { group: "", version: "v1", resource: "pods", operation: "CREATE" },
    consequence: "Pods are created without a review",
  },
  {
    name: "UPDATE of pods",
    asked: { group: "", version: "v1", resource: "pods", operation: "UPDATE" },
    consequence: "the image of a running Pod is changed without a review",
  },
  {
    name: "UPDATE of pods/ephemeralcontainers",
    asked: { group: "", version: "v1", resource: "pods/ephemeralcontainers", operation: "UPDATE" },
    consequence: "`kubectl debug` brings an image that nobody looks at",
  },
];

const WORKLOADS: readonly Asked[] = [
  { group: "", version: "v1", resource: "replicationcontrollers", operation: "CREATE" },
  ...["deployments", "replicasets", "daemonsets", "statefulsets"].map((resource): Asked => ({
    group: "apps",
    version: "v1",
    resource,
    operation: "CREATE",
  })),
  ...["jobs", "cronjobs"].map((resource): Asked => ({
    group: "batch",
    version: "v1",
    resource,
    operation: "CREATE",
  })),
];

/** Whether and how the API server asks Gatekeeper. */
export function webhookFindings(cluster: ObservedCluster): readonly Finding[] {
  if (isUnread(cluster.validating)) return [];
  const webhook = reviewOf(cluster);
  if (webhook === undefined) {
    const remedy = "install Gatekeeper's chart without disableValidatingWebhook";
    return [error(REVIEW, "there is no such webhook: nothing is reviewed at admission", remedy)];
  }
  const found = [
    ...patienceFindings(webhook, cluster),
    ...sightFindings(webhook),
    ...bundleFindings(cluster),
  ];
  const wellSaid = `is called for Pods, their ephemeral containers and their workloads, and refuses what it cannot review within ${webhook.timeoutSeconds} s`;
  return [...(found.length === 0 ? [ok(REVIEW, wellSaid)] : found), ...labelFindings(cluster)];
}

/** What happens to what is not reviewed in time. */
function patienceFindings(webhook: Webhook, cluster: ObservedCluster): Finding[] {
  const { failurePolicy, timeoutSeconds } = webhook;
  const found: Finding[] = [];
  if (failurePolicy === "Ignore") {
    const sentence = `failurePolicy is Ignore: what is not reviewed within ${timeoutSeconds} s is admitted unverified, and its author can make it slow`;
    found.push(error(REVIEW, sentence, "validatingWebhookFailurePolicy: Fail"));
  }
  for (const { metadata, spec } of providersOf(known(cluster.providers), "/validate")) {
    if (spec.timeout < timeoutSeconds) continue;
    const sentence = `timeoutSeconds (${timeoutSeconds}) is not above the timeout of Provider ${metadata.name} (${spec.timeout}): the webhook gives up before an answer that says why`;
    found.push(
      (failurePolicy === "Ignore" ? error : warning)(
        REVIEW,
        sentence,
        `validatingWebhookTimeoutSeconds: ${spec.timeout + 1}, or a smaller timeout of the Provider`,
      ),
    );
  }
  return found;
}

/** What a webhook does not see. */
function sightFindings({ rules, objectSelector, namespaceSelector, matchConditions }: Webhook) {
  const found: Finding[] = [];
  const isSeen = (asked: Asked): boolean => rules.some((rule) => isRuleFor(rule, asked));
  for (const { name, asked, consequence } of OPERATIONS) {
    if (isSeen(asked)) continue;
    const remedy = `add it to validatingWebhookCustomRules, or drop those`;
    found.push(error(REVIEW, `the rules leave out ${name}: ${consequence}`, remedy));
  }
  const unseen = WORKLOADS.filter((asked) => !isSeen(asked)).map(({ resource }) => resource);
  if (unseen.length > 0) {
    const sentence = `the rules leave out ${unseen.join(", ")}: a refusal is seen only at their Pods`;
    found.push(warning(REVIEW, sentence, "add them to validatingWebhookCustomRules"));
  }
  if (!isEmpty(objectSelector)) {
    const sentence = `objectSelector looks at ${labelsOf(objectSelector).join(", ")}: whoever writes an object takes it out of sight by a label`;
    found.push(error(REVIEW, sentence, "validatingWebhookObjectSelector: {}"));
  }
  const chosen = labelsOf(namespaceSelector).filter(
    (label) => label !== IGNORE_LABEL && label !== NAME_LABEL,
  );
  if (chosen.length > 0) {
    const sentence = `namespaceSelector looks at ${chosen.join(", ")}: whoever may label a namespace takes it out of sight`;
    found.push(
      warning(REVIEW, sentence, `name namespaces by ${NAME_LABEL}, which nobody can choose`),
    );
  }
  if (matchConditions.length > 0) {
    const names = matchConditions.map(({ name }) => name).join(", ");
    const sentence = `matchConditions (${names}) take objects out of sight before anybody looks at them`;
    found.push(warning(REVIEW, sentence, "exempt images by rules of a constraint, with a reason"));
  }
  return found;
}

/** Whether the API server trusts what Gatekeeper shows. */
function bundleFindings(cluster: ObservedCluster): readonly Finding[] {
  const webhooks = [REVIEW, LABEL, MUTATION].flatMap((name) => {
    const webhook = find(name === MUTATION ? cluster.mutating : cluster.validating, name);
    return webhook === undefined ? [] : [webhook];
  });
  const remedy =
    "delete Secret gatekeeper-webhook-server-cert: Gatekeeper makes it and the bundles anew";
  const found = webhooks.flatMap(({ name, failurePolicy, clientConfig }) => {
    const problem = problemOf(clientConfig.caBundle, cluster.now);
    if (problem === undefined || problem.kind === "soon") return [];
    const then = failurePolicy === "Ignore" ? "everything is admitted" : "everything is refused";
    return [error(name, `its caBundle ${tell(problem)}: the call fails and ${then}`, remedy)];
  });
  const bundles = new Set(webhooks.map(({ clientConfig }) => clientConfig.caBundle));
  if (found.length > 0 || bundles.size < 2) return found;
  const sentence =
    "Gatekeeper's webhooks do not trust the same authorities: one of the bundles is old";
  return [warning(webhooks.map(({ name }) => name).join(", "), sentence, remedy)];
}

/** Who may take a namespace out of sight. */
function labelFindings(cluster: ObservedCluster): readonly Finding[] {
  const webhook = find(cluster.validating, LABEL);
  if (webhook === undefined) {
    const sentence = `there is no such webhook: whoever may label a namespace takes it out of Gatekeeper's sight by ${IGNORE_LABEL}`;
    return [error(LABEL, sentence, "install Gatekeeper's chart as it is")];
  }
  if (webhook.failurePolicy === "Ignore") {
    const sentence = `failurePolicy is Ignore: while Gatekeeper is away, whoever may label a namespace takes it out of sight`;
    return [error(LABEL, sentence, "validatingWebhookCheckIgnoreFailurePolicy: Fail")];
  }
  return [ok(LABEL, "refuses namespaces that would exempt themselves")];
}
