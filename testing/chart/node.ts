import { setTimeout } from "node:timers/promises";
import { expectSuccess, type Api, type KubernetesObject } from "../cluster/api.ts";
import type { Image } from "./image.ts";
import { startPod, type PodSpec } from "./kubelet.ts";

export interface NodeOptions {
  readonly api: Api;
  readonly namespace: string;
  readonly image: Image;
}

/** What a machine of the cluster does with Pods that are to end, such as the one that `helm test` waits for. */
export interface Node extends AsyncDisposable {
  /** What each has written, in the order in which they ended. */
  readonly outputs: readonly string[];
}

/** Between two looks, milliseconds. */
const EVERY_MS = 50;

/**
 * Runs every Pod of a namespace that is not to be restarted, one after the other, and says in its status how it ended. Until
 * then kwok plays its node, which has it running.
 */
export function startNode({ api, namespace, image }: NodeOptions): Node {
  const outputs: string[] = [];
  const end = new AbortController();
  const due = async (): Promise<KubernetesObject | undefined> => {
    const pods = await api.list({ apiVersion: "v1", kind: "Pod" }, namespace);
    return pods.find(
      (pod) =>
        (pod["spec"] as { readonly restartPolicy?: string }).restartPolicy === "Never" &&
        (pod["status"] as { readonly phase?: string }).phase === "Running",
    );
  };
  const play = async ({ metadata, spec }: KubernetesObject): Promise<void> => {
    await using running = await startPod({ api, namespace, image, spec: spec as PodSpec });
    const code = await running.container.ended;
    outputs.push(running.container.output());
    const path = `/api/v1/namespaces/${namespace}/pods/${metadata.name}/status`;
    const answer = await api.send(path, {
      method: "PATCH",
      body: { status: { phase: code === 0 ? "Succeeded" : "Failed" } },
      contentType: "application/merge-patch+json",
    });
    expectSuccess(answer, `the status of Pod ${metadata.name}`);
  };
  const work = async (): Promise<void> => {
    while (!end.signal.aborted) {
      const pod = await due();
      if (pod === undefined) await setTimeout(EVERY_MS);
      else await play(pod);
    }
  };
  const ended = work();
  // Told to whoever disposes of it.
  ended.catch(() => undefined);
  return {
    outputs,
    [Symbol.asyncDispose]: async () => {
      end.abort();
      await ended;
    },
  };
}
