// How Kubernetes and Gatekeeper decide what a selector, a pattern or a rule means.
import type { Selector, WebhookRule } from "./objects.ts";

/** Label of namespaces that Gatekeeper's webhooks leave out. */
export const IGNORE_LABEL = "admission.gatekeeper.sh/ignore";
/** Set by the API server on every namespace; nobody can choose another value. */
export const NAME_LABEL = "kubernetes.io/metadata.name";

/** Namespaces in which a refusal could keep the cluster from healing itself: `constraints/` reports them and refuses nothing there. */
export const isSystem = (name: string, gatekeeper: string): boolean =>
  name === gatekeeper || ["kube-system", "kube-public", "kube-node-lease"].includes(name);

/** @see Kubernetes, "Labels and Selectors": `NotIn` selects what lacks the label, too */
export function selects(
  { matchLabels, matchExpressions }: Selector,
  labels: ReadonlyMap<string, string>,
): boolean {
  for (const [key, value] of matchLabels) if (labels.get(key) !== value) return false;
  return matchExpressions.every(({ key, operator, values }) => {
    const value = labels.get(key);
    switch (operator) {
      case "In":
        return value !== undefined && values.includes(value);
      case "NotIn":
        return value === undefined || !values.includes(value);
      case "Exists":
        return value !== undefined;
      case "DoesNotExist":
        return value === undefined;
    }
  });
}

export const isEmpty = ({ matchLabels, matchExpressions }: Selector): boolean =>
  matchLabels.size === 0 && matchExpressions.length === 0;

/** Labels that a selector looks at. */
export const labelsOf = ({ matchLabels, matchExpressions }: Selector): readonly string[] => [
  ...new Set([...matchLabels.keys(), ...matchExpressions.map(({ key }) => key)]),
];

/** Whether a name is one of the patterns, whose `*` stands only at their beginning and end (Gatekeeper's `wildcard`). */
export const isOneOf = (name: string, patterns: readonly string[]): boolean =>
  patterns.some((pattern) => {
    const text = pattern.replace(/^\*|\*$/g, "");
    const [begins, ends] = [!pattern.startsWith("*"), !pattern.endsWith("*")];
    if (begins && ends) return name === pattern;
    if (begins) return name.startsWith(text);
    if (ends) return name.endsWith(text);
    return name.includes(text);
  });

/** One operation on one resource. */
export interface Asked {
  readonly group: string;
  readonly version: string;
  /** Plural, perhaps with a subresource: `pods/ephemeralcontainers`. */
  readonly resource: string;
  readonly operation: "CREATE" | "UPDATE";
}

const has = (among: readonly string[], one: string): boolean =>
  among.includes("*") || among.includes(one);

/**
 * Whether a webhook's rule is for an operation on something in a namespace.
 * @see Kubernetes, "Dynamic Admission Control", Matching requests - rules: `*` is every resource and no subresource
 */
export function isRuleFor(
  rule: WebhookRule,
  { group, version, resource, operation }: Asked,
): boolean {
  const [name = "", subresource = ""] = resource.split("/");
  return (
    has(rule.apiGroups, group) &&
    has(rule.apiVersions, version) &&
    has(rule.operations, operation) &&
    rule.scope !== "Cluster" &&
    rule.resources.some((pattern) => {
      const [ofName = "", ofSubresource = ""] = pattern.split("/");
      const isSubresource =
        subresource === ""
          ? !pattern.includes("/") || pattern === "*/*"
          : ofSubresource === "*" || ofSubresource === subresource;
      return isSubresource && (ofName === "*" || ofName === name);
    })
  );
}
