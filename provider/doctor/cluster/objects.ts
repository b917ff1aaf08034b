// What of Kubernetes' and Gatekeeper's objects the rules look at, with the API's own defaults. Members that nobody asks for are dropped.
import { z } from "zod";

const texts = z.array(z.string()).nullish().transform(orNone);
const labels = z
  .record(z.string(), z.string())
  .nullish()
  .transform((found) => new Map(Object.entries(found ?? {})));

function orNone<T>(found: readonly T[] | null | undefined): readonly T[] {
  return found ?? [];
}

const metadata = z.object({
  name: z.string(),
  /** Raised by every change of the specification. */
  generation: z.number().default(0),
  labels,
});

const requirement = z.object({
  key: z.string(),
  operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]),
  values: texts,
});

/** A label selector; an empty one selects everything. */
const selector = z
  .object({
    matchLabels: labels,
    matchExpressions: z.array(requirement).nullish().transform(orNone),
  })
  .nullish()
  .transform((found) => found ?? { matchLabels: new Map<string, string>(), matchExpressions: [] });
export type Selector = z.infer<typeof selector>;

const webhookRule = z.object({
  apiGroups: texts,
  apiVersions: texts,
  operations: texts,
  resources: texts,
  scope: z.string().default("*"),
});
export type WebhookRule = z.infer<typeof webhookRule>;

const webhook = z.object({
  name: z.string(),
  failurePolicy: z.string().default("Fail"),
  /** Seconds. */
  timeoutSeconds: z.number().default(10),
  namespaceSelector: selector,
  objectSelector: selector,
  rules: z.array(webhookRule).nullish().transform(orNone),
  matchConditions: z
    .array(z.object({ name: z.string() }))
    .nullish()
    .transform(orNone),
  clientConfig: z.object({
    /** Base64 of PEM; empty means the roots of the API server's own machine. */
    caBundle: z.string().default(""),
  }),
});
export type Webhook = z.infer<typeof webhook>;

/** A ValidatingWebhookConfiguration or a MutatingWebhookConfiguration. */
export const webhookConfiguration = z.object({
  metadata,
  webhooks: z.array(webhook).nullish().transform(orNone),
});
export type WebhookConfiguration = z.infer<typeof webhookConfiguration>;

/** A Deployment of Gatekeeper. */
export const deployment = z.object({
  metadata,
  spec: z.object({
    replicas: z.number().default(1),
    template: z.object({
      spec: z.object({
        containers: z.array(
          z.object({
            name: z.string(),
            image: z.string().default(""),
            command: texts,
            args: texts,
          }),
        ),
      }),
    }),
  }),
  status: z.object({ readyReplicas: z.number().default(0) }).prefault({}),
});
export type Deployment = z.infer<typeof deployment>;

/** Gatekeeper's Config. */
export const gatekeeperConfig = z.object({
  metadata,
  spec: z
    .object({
      match: z
        .array(z.object({ excludedNamespaces: texts, processes: texts }))
        .nullish()
        .transform(orNone),
    })
    .prefault({}),
});
export type GatekeeperConfig = z.infer<typeof gatekeeperConfig>;

export const namespace = z.object({ metadata });
export type Namespace = z.infer<typeof namespace>;

/** What one process of Gatekeeper says of an object. */
const byPod = z.object({
  id: z.string(),
  observedGeneration: z.number().default(0),
  errors: z
    .array(z.object({ message: z.string().default("") }))
    .nullish()
    .transform(orNone),
});
const status = <Entry extends z.ZodType>(entry: Entry) =>
  z.object({ byPod: z.array(entry).nullish().transform(orNone) }).prefault({});

export const provider = z.object({
  metadata,
  spec: z.object({
    url: z.string().default(""),
    /** Whole seconds. */
    timeout: z.number().default(0),
    /** Base64 of PEM. */
    caBundle: z.string().default(""),
  }),
  status: status(byPod.extend({ active: z.boolean().default(false) })),
});
export type Provider = z.infer<typeof provider>;

export const template = z.object({
  metadata,
  status: z
    .object({
      created: z.boolean().default(false),
      byPod: z.array(byPod).nullish().transform(orNone),
    })
    .prefault({}),
});
export type Template = z.infer<typeof template>;

const action = z.object({
  action: z.string(),
  enforcementPoints: z
    .array(z.object({ name: z.string() }))
    .nullish()
    .transform(orNone),
});

/** What a constraint matches; members that are not given match everything. */
const match = z
  .object({
    kinds: z
      .array(z.object({ apiGroups: texts, kinds: texts }))
      .nullish()
      .transform(orNone),
    scope: z.string().default("*"),
    name: z.string().default(""),
    source: z.string().default("All"),
    namespaces: texts,
    excludedNamespaces: texts,
    labelSelector: selector,
    namespaceSelector: selector,
  })
  .prefault({});

/** A constraint of K8sSignedImages, with the defaults of its template's schema. */
export const constraint = z.object({
  metadata,
  spec: z
    .object({
      enforcementAction: z.string().default("deny"),
      scopedEnforcementActions: z.array(action).nullish().transform(orNone),
      match,
      parameters: z
        .object({
          provider: z.string().default("notation"),
          rules: z
            .array(
              z.object({
                images: texts,
                level: z.string().optional(),
                exempt: z
                  .object({ reason: z.string().default(""), until: z.string().optional() })
                  .optional(),
              }),
            )
            .nullish()
            .transform(orNone),
          unmatched: z.string().default("deny"),
          requireDigest: z.boolean().default(false),
        })
        .prefault({}),
    })
    .prefault({}),
  status: status(byPod.extend({ enforced: z.boolean().default(false) })),
});
export type Constraint = z.infer<typeof constraint>;

/** A mutator of kind Assign. */
export const assign = z.object({
  metadata,
  spec: z
    .object({
      location: z.string().default(""),
      parameters: z
        .object({
          assign: z
            .object({ externalData: z.object({ provider: z.string() }).optional() })
            .prefault({}),
        })
        .prefault({}),
    })
    .prefault({}),
});
export type Assign = z.infer<typeof assign>;
