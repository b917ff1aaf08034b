import type {
  Assign,
  Constraint,
  Deployment,
  GatekeeperConfig,
  Namespace,
  Provider,
  Template,
  WebhookConfiguration,
} from "./objects.ts";

/** Why a kind could not be listed. */
export interface Unread {
  /** `absent`: the API has no such kind. `forbidden`: whoever asks may not list it. */
  readonly unread: "absent" | "forbidden" | "failed";
  /** As RBAC names it: `deployments.apps`. */
  readonly resource: string;
  /** Of `failed`: what happened. */
  readonly why?: string;
}

/** All objects of a kind, or why they are not known. */
export type Listing<T> = readonly T[] | Unread;

/**
 * What a TLS handshake with a Provider's URL came to, from where the doctor runs. `unreachable` says nothing about the certificate: the
 * name of a Service is known inside the cluster only.
 */
export type Handshake =
  | { readonly kind: "accepted" }
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "unreachable"; readonly why: string };

/** What a cluster says of itself at one moment. */
export interface ObservedCluster {
  readonly now: Date;
  readonly gatekeeperNamespace: string;
  /** Milliseconds after which the provider has answered: its `server.deadline`. */
  readonly deadlineMs: number;
  readonly validating: Listing<WebhookConfiguration>;
  readonly mutating: Listing<WebhookConfiguration>;
  /** Gatekeeper's own. */
  readonly deployments: Listing<Deployment>;
  readonly configs: Listing<GatekeeperConfig>;
  readonly namespaces: Listing<Namespace>;
  readonly providers: Listing<Provider>;
  /** By the name of the Provider. */
  readonly handshakes: ReadonlyMap<string, Handshake>;
  readonly templates: Listing<Template>;
  /** Of K8sSignedImages. */
  readonly constraints: Listing<Constraint>;
  readonly assigns: Listing<Assign>;
}

export const isUnread = <T>(listing: Listing<T>): listing is Unread => "unread" in listing;

/** What is known; nothing of a kind that could not be listed, which is a finding of its own. */
export const known = <T>(listing: Listing<T>): readonly T[] => (isUnread(listing) ? [] : listing);
