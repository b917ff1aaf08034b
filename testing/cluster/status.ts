import type { Api, KubernetesObject, ObjectReference } from "./api.ts";
import { providerOf } from "./policy.ts";
import type { Wait } from "./wait.ts";

/** One process's entry in `.status.byPod` of Gatekeeper's objects. */
interface PodStatus {
  readonly id: string;
  readonly observedGeneration?: number;
  readonly enforced?: boolean;
  readonly active?: boolean;
  readonly errors?: readonly { readonly message: string }[];
}

export interface StatusOptions {
  readonly api: Api;
  readonly wait: Wait;
  /** Names of Gatekeeper's processes. */
  readonly pods: () => readonly string[];
}

/** Waits for what Gatekeeper's processes say of its objects. Entries of processes that have ended do not count. */
export interface StatusWaits {
  established(kind: string): Promise<void>;
  enforced(kind: string, name: string): Promise<void>;
  active(provider: string): Promise<void>;
}

export function statusOf({ api, wait, pods }: StatusOptions): StatusWaits {
  /** The entries of all processes that have seen the object as it is now; undefined while one is missing. */
  const entriesOf = async (reference: ObjectReference) => {
    const object = await api.read(reference);
    if (object === undefined) return undefined;
    const entries = pods().map((pod) => entryOf(object, pod));
    return entries.includes(undefined) ? undefined : (entries as readonly PodStatus[]);
  };
  return {
    async established(kind) {
      const name = kind.toLowerCase();
      const template = {
        apiVersion: "templates.gatekeeper.sh/v1",
        kind: "ConstraintTemplate",
        metadata: { name },
      };
      const errors = await wait(`Gatekeeper to have template ${name}`, async () => {
        const entries = await entriesOf(template);
        const messages = entries
          ?.flatMap((entry) => entry.errors ?? [])
          .map(({ message }) => message);
        if (messages?.some((message) => RACE.test(message))) throw new Error(messages.join("; "));
        return messages;
      });
      if (errors.length > 0) throw new Error(`template ${name}: ${errors.join("; ")}`);
      await wait(`kind ${kind}`, async () => await api.list({ apiVersion: CONSTRAINTS, kind }));
    },
    async enforced(kind, name) {
      const constraint = { apiVersion: CONSTRAINTS, kind, metadata: { name } };
      await wait(`Gatekeeper to enforce ${kind} ${name}`, async () => {
        const entries = await entriesOf(constraint);
        return entries?.every(({ enforced }) => enforced) ? true : undefined;
      });
    },
    async active(name) {
      await wait(`Gatekeeper to know Provider ${name}`, async () => {
        const entries = await entriesOf(providerOf(name));
        return entries?.every(({ active }) => active) ? true : undefined;
      });
    },
  };
}

/** Two of Gatekeeper's processes made the kind at once; the one that was late says so until it looks again. */
const RACE = /already exists|has been modified/;

const CONSTRAINTS = "constraints.gatekeeper.sh/v1beta1";

function entryOf(object: KubernetesObject, pod: string): PodStatus | undefined {
  const status = object["status"] as { readonly byPod?: readonly PodStatus[] } | undefined;
  return status?.byPod?.find(
    ({ id, observedGeneration }) =>
      id === pod && (observedGeneration ?? 0) >= (object.metadata.generation ?? 0),
  );
}
