import { z } from "zod";
import type { ApiAnswer, KubernetesClient } from "../../kubernetes/client.ts";
import {
  assign,
  constraint,
  deployment,
  gatekeeperConfig,
  namespace,
  provider,
  template,
  webhookConfiguration,
  type Provider,
} from "./objects.ts";
import {
  known,
  type Handshake,
  type Listing,
  type ObservedCluster,
  type Unread,
} from "./observed.ts";
import { providersOf } from "./providers.ts";

export interface ReadOptions {
  /** Asked for lists, and for nothing else. */
  readonly api: Pick<KubernetesClient, "send">;
  readonly handshake: (provider: Provider) => Promise<Handshake>;
  readonly gatekeeperNamespace: string;
  readonly deadlineMs: number;
  readonly now: Date;
}

const Page = z.object({
  items: z.array(z.unknown()),
  metadata: z.object({ continue: z.string().default("") }).prefault({}),
});

/** Objects on a page. */
const PAGE = 500;

/** Lists what the rules look at, and nothing else: `list` is all that is needed, and no Secret is read. */
export async function observe(options: ReadOptions): Promise<ObservedCluster> {
  const { gatekeeperNamespace, deadlineMs, now } = options;
  const all = async <T>(kind: Kind<T>): Promise<Listing<T>> => await list(options.api, kind);
  const inGatekeeper = `namespaces/${encodeURIComponent(gatekeeperNamespace)}`;
  const [validating, mutating, deployments, configs, namespaces, providers, templates] =
    await Promise.all([
      all({ ...ADMISSION, name: "validatingwebhookconfigurations", schema: webhookConfiguration }),
      all({ ...ADMISSION, name: "mutatingwebhookconfigurations", schema: webhookConfiguration }),
      all({
        api: "apis/apps/v1",
        scope: inGatekeeper,
        name: "deployments",
        query: "labelSelector=gatekeeper.sh%2Fsystem%3Dyes",
        schema: deployment,
      }),
      all({
        api: "apis/config.gatekeeper.sh/v1alpha1",
        scope: inGatekeeper,
        name: "configs",
        schema: gatekeeperConfig,
      }),
      all({ api: "api/v1", name: "namespaces", schema: namespace }),
      all({
        api: "apis/externaldata.gatekeeper.sh/v1beta1",
        name: "providers",
        schema: provider,
      }),
      all({
        api: "apis/templates.gatekeeper.sh/v1",
        name: "constrainttemplates",
        schema: template,
      }),
    ]);
  const [constraints, assigns] = await Promise.all([
    all({
      api: "apis/constraints.gatekeeper.sh/v1beta1",
      name: "k8ssignedimages",
      schema: constraint,
    }),
    all({ api: "apis/mutations.gatekeeper.sh/v1", name: "assign", schema: assign }),
  ]);
  const observed = {
    now,
    gatekeeperNamespace,
    deadlineMs,
    validating,
    mutating,
    deployments,
    configs,
    namespaces,
    providers,
    templates,
    constraints,
    assigns,
  };
  return { ...observed, handshakes: await shake(known(providers), options.handshake) };
}

const ADMISSION = { api: "apis/admissionregistration.k8s.io/v1" } as const;

interface Kind<T> {
  /** `apis/apps/v1` */
  readonly api: string;
  /** `namespaces/gatekeeper-system`; all of the cluster without it. */
  readonly scope?: string;
  /** Plural. */
  readonly name: string;
  readonly query?: string;
  readonly schema: z.ZodType<T>;
}

async function list<T>(api: ReadOptions["api"], kind: Kind<T>): Promise<Listing<T>> {
  const { api: group, scope, name, query, schema } = kind;
  const resource = resourceOf(kind);
  const found: T[] = [];
  let next = "";
  do {
    const path = ["", group, ...(scope === undefined ? [] : [scope]), name].join("/");
    const asked = [
      `limit=${PAGE}`,
      ...(query === undefined ? [] : [query]),
      ...(next === "" ? [] : [`continue=${encodeURIComponent(next)}`]),
    ];
    const answer = await api.send({ path: `${path}?${asked.join("&")}` });
    if (answer.kind !== "ok") return unread(resource, answer);
    const page = Page.safeParse(answer.body);
    if (!page.success) return { unread: "failed", resource, why: "the API answered no list" };
    for (const item of page.data.items) {
      const parsed = schema.safeParse(item);
      if (!parsed.success) {
        const where = parsed.error.issues[0]?.path.join(".") ?? "";
        return { unread: "failed", resource, why: `${where} is not what this version expects` };
      }
      found.push(parsed.data);
    }
    next = page.data.metadata.continue;
  } while (next !== "");
  return found;
}

/** As RBAC names it: `deployments.apps`. */
function resourceOf({ api, name }: Kind<unknown>): string {
  const [, group] = /^apis\/([^/]+)\//.exec(api) ?? [];
  return group === undefined ? name : `${name}.${group}`;
}

function unread(resource: string, answer: Exclude<ApiAnswer, { readonly kind: "ok" }>): Unread {
  if (answer.kind === "unreachable") return { unread: "failed", resource, why: answer.problem };
  if (answer.status === 404) return { unread: "absent", resource };
  if (answer.status === 403) return { unread: "forbidden", resource };
  return { unread: "failed", resource, why: `the API answered ${answer.status}` };
}

/** Of the Providers of ours alone: the doctor calls nobody else. */
async function shake(
  providers: readonly Provider[],
  handshake: ReadOptions["handshake"],
): Promise<ReadonlyMap<string, Handshake>> {
  const ours = [...providersOf(providers, "/validate"), ...providersOf(providers, "/mutate")];
  return new Map(
    await Promise.all(
      ours.map(async (each) => [each.metadata.name, await handshake(each)] as const),
    ),
  );
}
