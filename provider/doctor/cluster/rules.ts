import { error, warning, type Finding } from "../finding.ts";
import { namespaceFindings } from "./namespaces.ts";
import { isUnread, type Listing, type ObservedCluster } from "./observed.ts";
import { policyFindings } from "./policy.ts";
import { processFindings } from "./processes.ts";
import { providerFindings } from "./providers.ts";
import { tagFindings } from "./tags.ts";
import { webhookFindings } from "./webhooks.ts";

/**
 * What admits an image unverified in a cluster, and how to close it; what is closed is said, too. A pure function: docs/gatekeeper.md
 * tells the reasons, row by row.
 */
export const clusterFindings = (cluster: ObservedCluster): readonly Finding[] => [
  ...unreadFindings(cluster),
  ...webhookFindings(cluster),
  ...processFindings(cluster),
  ...providerFindings(cluster),
  ...policyFindings(cluster),
  ...namespaceFindings(cluster),
  ...tagFindings(cluster),
];

/** What nobody could look at. */
function unreadFindings(cluster: ObservedCluster): readonly Finding[] {
  const listings: readonly Listing<unknown>[] = [
    cluster.validating,
    cluster.mutating,
    cluster.deployments,
    cluster.configs,
    cluster.namespaces,
    cluster.providers,
    cluster.templates,
    cluster.constraints,
    cluster.assigns,
  ];
  return listings.filter(isUnread).map(({ unread, resource, why }) => {
    switch (unread) {
      case "absent":
        return error(resource, "the cluster has no such kind", absentRemedy(resource));
      case "forbidden":
        return warning(
          resource,
          "nobody looked at them: you may not list them",
          "the ClusterRole of docs/gatekeeper.md",
        );
      case "failed":
        return warning(resource, `nobody looked at them: ${why ?? "the API did not answer"}`);
    }
  });
}

const absentRemedy = (resource: string): string =>
  resource.endsWith(".constraints.gatekeeper.sh")
    ? "kubectl apply --filename templates/k8ssignedimages/template.yaml"
    : "install Gatekeeper";
