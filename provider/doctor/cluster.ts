import { createClient } from "../kubernetes/client.ts";
import { shakeHands } from "./handshake.ts";
import { observe } from "./cluster/read.ts";
import { clusterFindings } from "./cluster/rules.ts";
import { error } from "./finding.ts";
import type { Trial } from "./trial.ts";

export interface ClusterOptions {
  /** Path of a kubeconfig; without it the Pod's own service account is used. */
  readonly kubeconfig?: string;
  readonly gatekeeperNamespace: string;
  /** Milliseconds of the provider's `server.deadline`. */
  readonly deadlineMs: number;
}

const SUBJECT = "cluster";

/** Reads the cluster's Gatekeeper, by `list` alone, and says what admits an image unverified. */
export function clusterTrial(options: ClusterOptions): Trial {
  const { kubeconfig, gatekeeperNamespace, deadlineMs } = options;
  return {
    subject: SUBJECT,
    async run(signal) {
      const made = await createClient(kubeconfig === undefined ? {} : { kubeconfig }).catch(
        (problem: unknown) => (problem instanceof Error ? problem.message : String(problem)),
      );
      if (typeof made === "string") {
        return [error(SUBJECT, made, "name a kubeconfig by --kubeconfig")];
      }
      using client = made;
      return clusterFindings(
        await observe({
          api: { send: async (request) => await client.send(request, signal) },
          handshake: async (provider) => await shakeHands(provider, signal),
          gatekeeperNamespace,
          deadlineMs,
          now: new Date(),
        }),
      );
    },
  };
}
