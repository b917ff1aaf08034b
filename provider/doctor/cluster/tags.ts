import { ok, warning, type Finding } from "../finding.ts";
import { isUnread, known, type ObservedCluster } from "./observed.ts";
import { actionOf } from "./policy.ts";
import { providersOf } from "./providers.ts";
import { mutationOf } from "./webhooks.ts";

const SUBJECT = "tags";

/** Whether what was verified is what the node pulls: it resolves a tag again, after the verdict. */
export function tagFindings(cluster: ObservedCluster): readonly Finding[] {
  const { assigns, constraints } = cluster;
  if (isUnread(assigns) || isUnread(constraints)) return [];
  const refusing = constraints.filter((constraint) => actionOf(constraint) === "deny");
  if (refusing.length > 0 && refusing.every(({ spec }) => spec.parameters.requireDigest)) {
    return [ok(SUBJECT, "images without a digest are refused")];
  }
  const pinning = providersOf(known(cluster.providers), "/mutate");
  const names = new Set(pinning.map(({ metadata }) => metadata.name));
  const isPinned = assigns.some(({ spec }) =>
    names.has(spec.parameters.assign.externalData?.provider ?? ""),
  );
  if (!isPinned) {
    const sentence =
      "nothing pins them: the node resolves a tag again, after the verdict, and may pull another image";
    const remedy =
      "kubectl apply --kustomize constraints/mutation, or requireDigest: true in the constraints";
    return [warning(SUBJECT, sentence, remedy)];
  }
  if (isUnread(cluster.mutating)) return [];
  const webhook = mutationOf(cluster);
  if (webhook === undefined) {
    const sentence =
      "Assign objects pin them, but there is no webhook mutation.gatekeeper.sh: they stay as they are";
    return [warning(SUBJECT, sentence, "install Gatekeeper's chart without disableMutation")];
  }
  const slow = pinning.find(({ spec }) => spec.timeout >= webhook.timeoutSeconds);
  if (slow === undefined) return [ok(SUBJECT, "are pinned to digests before they are verified")];
  const sentence = `the mutating webhook's timeoutSeconds (${webhook.timeoutSeconds}) is not above the timeout of Provider ${slow.metadata.name} (${slow.spec.timeout}): of a slow registry tags stay as they are`;
  return [warning(SUBJECT, sentence, `mutatingWebhookTimeoutSeconds: ${slow.spec.timeout + 1}`)];
}
