import { error, ok, warning, type Finding } from "../finding.ts";
import { isEmpty, isOneOf, labelsOf, NAME_LABEL, selects } from "./match.ts";
import type { Constraint, Namespace } from "./objects.ts";
import { isUnread, known, type ObservedCluster } from "./observed.ts";

export const KIND = "K8sSignedImages";
const TEMPLATE = KIND.toLowerCase();
const ADMISSION = "validation.gatekeeper.sh";

/** What a constraint does to a violator at admission, the strongest first. */
const ACTIONS = ["deny", "warn", "dryrun"] as const;
export type Action = (typeof ACTIONS)[number];

/** The template, and each constraint by itself; what becomes of namespaces is another matter. */
export const policyFindings = (cluster: ObservedCluster): readonly Finding[] => [
  ...templateFindings(cluster),
  ...constraintFindings(cluster),
];

function templateFindings({ templates }: ObservedCluster): readonly Finding[] {
  if (isUnread(templates)) return [];
  const subject = `ConstraintTemplate ${TEMPLATE}`;
  const template = templates.find(({ metadata }) => metadata.name === TEMPLATE);
  if (template === undefined) {
    const sentence = "there is none: nobody asks the provider";
    const remedy = "kubectl apply --filename templates/k8ssignedimages/template.yaml";
    return [error(subject, sentence, remedy)];
  }
  const { created, byPod } = template.status;
  const messages = new Set(byPod.flatMap(({ errors }) => errors.map(({ message }) => message)));
  if (messages.size > 0) {
    return [error(subject, `Gatekeeper refuses it: ${[...messages].join("; ")}`, "correct it")];
  }
  const old = byPod.filter(
    ({ observedGeneration }) => observedGeneration < template.metadata.generation,
  );
  if (!created || byPod.length === 0) {
    const remedy = "wait some seconds, then look at the log of Gatekeeper's Pods";
    return [error(subject, "Gatekeeper has not taken it in: no constraint is enforced", remedy)];
  }
  if (old.length === 0) return [ok(subject, "is in force in every process of Gatekeeper")];
  const sentence = `${old.map(({ id }) => id).join(", ")} still go by a former one`;
  return [warning(subject, sentence, "look at the log of those Pods")];
}

function constraintFindings(cluster: ObservedCluster): readonly Finding[] {
  const { constraints } = cluster;
  if (isUnread(constraints)) return [];
  if (constraints.length === 0) {
    const remedy = "kubectl apply --kustomize constraints/overlays/audit, then warn, then enforce";
    return [error(KIND, "there is no constraint: every image is admitted", remedy)];
  }
  return constraints.flatMap((constraint) => findingsOf(constraint, cluster));
}

function findingsOf(constraint: Constraint, cluster: ObservedCluster): readonly Finding[] {
  const found = [
    ...enforcementFindings(constraint),
    ...providerFindings(constraint, cluster),
    ...(actionOf(constraint) === undefined ? [] : scopeFindings(constraint)),
    ...ruleFindings(constraint, cluster.now),
  ];
  const isWell = "is in force in every process of Gatekeeper, as it was written";
  return found.length === 0 ? [ok(subjectOf(constraint), isWell)] : found;
}

const subjectOf = ({ metadata }: Constraint): string => `${KIND} ${metadata.name}`;

/** What becomes of a violator at admission; undefined when the constraint is not for admission. */
export function actionOf({ spec }: Constraint): Action | undefined {
  const named =
    spec.enforcementAction === "scoped"
      ? spec.scopedEnforcementActions
          .filter(({ enforcementPoints }) =>
            enforcementPoints.some(({ name }) => name === ADMISSION || name === "*"),
          )
          .map(({ action }) => action)
      : [spec.enforcementAction];
  return ACTIONS.find((action) => named.includes(action));
}

const has = (among: readonly string[], one: string): boolean =>
  among.length === 0 || among.includes("*") || among.includes(one);

/** Whether every Pod of a namespace is matched, whoever wrote it. */
export function matchesPodsOf({ spec }: Constraint, { metadata }: Namespace): boolean {
  const { match } = spec;
  return (
    (match.kinds.length === 0 ||
      match.kinds.some(({ apiGroups, kinds }) => has(apiGroups, "") && has(kinds, "Pod"))) &&
    match.scope !== "Cluster" &&
    match.name === "" &&
    match.source !== "Generated" &&
    isEmpty(match.labelSelector) &&
    (match.namespaces.length === 0 || isOneOf(metadata.name, match.namespaces)) &&
    !isOneOf(metadata.name, match.excludedNamespaces) &&
    selects(match.namespaceSelector, metadata.labels)
  );
}

function enforcementFindings(constraint: Constraint): readonly Finding[] {
  const subject = subjectOf(constraint);
  const { spec, status, metadata } = constraint;
  const points = spec.scopedEnforcementActions.flatMap(({ enforcementPoints }) =>
    enforcementPoints.map(({ name }) => name),
  );
  if (spec.enforcementAction === "scoped" && points.every((name) => name === "vap.k8s.io")) {
    const sentence =
      "names no enforcement point but vap.k8s.io, at which Rego is never run: nothing is enforced";
    return [error(subject, sentence, `name ${ADMISSION} and audit.gatekeeper.sh`)];
  }
  const messages = new Set(
    status.byPod.flatMap(({ errors }) => errors.map(({ message }) => message)),
  );
  if (messages.size > 0) {
    return [error(subject, `Gatekeeper refuses it: ${[...messages].join("; ")}`, "correct it")];
  }
  const not = status.byPod.filter(
    ({ enforced, observedGeneration }) => !enforced || observedGeneration < metadata.generation,
  );
  if (status.byPod.length > 0 && not.length === 0) return [];
  const who = not.length === 0 ? "no process of Gatekeeper" : not.map(({ id }) => id).join(", ");
  const sentence = `is not enforced as it is by ${who}: what those review is admitted`;
  return [error(subject, sentence, "wait some seconds, then look at the log of those Pods")];
}

function providerFindings(constraint: Constraint, cluster: ObservedCluster): readonly Finding[] {
  const { provider } = constraint.spec.parameters;
  if (isUnread(cluster.providers)) return [];
  if (known(cluster.providers).some(({ metadata }) => metadata.name === provider)) return [];
  const sentence = `asks Provider ${provider}, which there is not: whatever it matches is refused`;
  return [error(subjectOf(constraint), sentence, "apply that Provider, or name another")];
}

/** What an author may take out of a constraint's sight. */
function scopeFindings(constraint: Constraint): readonly Finding[] {
  const { labelSelector, namespaceSelector } = constraint.spec.match;
  const found: Finding[] = [];
  if (!isEmpty(labelSelector)) {
    const sentence = `match.labelSelector looks at ${labelsOf(labelSelector).join(", ")}: whoever writes an object takes it out of sight by a label`;
    found.push(error(subjectOf(constraint), sentence, "no labelSelector"));
  }
  const chosen = labelsOf(namespaceSelector).filter((label) => label !== NAME_LABEL);
  if (chosen.length > 0) {
    const sentence = `match.namespaceSelector looks at ${chosen.join(", ")}: whoever may label a namespace takes it out of sight`;
    const remedy = "namespaces or excludedNamespaces, by name";
    found.push(warning(subjectOf(constraint), sentence, remedy));
  }
  return found;
}

/** What the rules of a constraint let through. */
function ruleFindings(constraint: Constraint, now: Date): readonly Finding[] {
  const subject = subjectOf(constraint);
  const { rules, unmatched } = constraint.spec.parameters;
  const today = now.toISOString().slice(0, 10);
  const found: Finding[] = [];
  for (const { images, exempt, level } of rules) {
    const which = images.join(", ");
    if (exempt?.until !== undefined && exempt.until < today) {
      const sentence = `its exemption of ${which} ended ${exempt.until}: those images are refused, and no later rule is asked`;
      found.push(warning(subject, sentence, "remove the rule, or give it a later day"));
    } else if (exempt !== undefined && images.includes("*")) {
      const sentence = `it exempts every image that no rule before names ("${exempt.reason}")`;
      found.push(error(subject, sentence, "name the images"));
    } else if (exempt !== undefined && exempt.until === undefined) {
      const sentence = `its exemption of ${which} has no end ("${exempt.reason}")`;
      found.push(warning(subject, sentence, "give it an until"));
    }
    if (level === "audit" || level === "permissive") {
      const sentence = `it asks for level ${level} for ${which}: checks that fail there are only noted`;
      found.push(warning(subject, sentence, "level: strict, once no warning comes any more"));
    }
  }
  if (unmatched === "allow") {
    const sentence = "unmatched is allow: images that no rule names are admitted unverified";
    found.push(error(subject, sentence, "unmatched: deny"));
  }
  return found;
}
