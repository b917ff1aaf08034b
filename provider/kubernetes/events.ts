import { randomBytes } from "node:crypto";
import type { KubernetesClient } from "./client.ts";

/** Something that an operator should see beside the Pod, `kubectl get events`. */
export interface Announcement {
  readonly type: "Normal" | "Warning";
  /** A word: `CertificateRenewed`. */
  readonly reason: string;
  /** A sentence; no internal host, path or credential in it. */
  readonly note: string;
}

/** Tells of something, at best: what comes too often or cannot be written is lost. Never throws. */
export type Announce = (announcement: Announcement) => void;

export interface AnnouncerOptions {
  readonly client: Pick<KubernetesClient, "send">;
  /** The Pod that speaks. */
  readonly pod: { readonly namespace: string; readonly name: string };
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Milliseconds since the epoch. */
  readonly wallNow: () => number;
  readonly signal: AbortSignal;
}

/** The same is said once in so many milliseconds, and no more than so many things altogether. */
const WINDOW_MS = 600_000;
const MAX_IN_WINDOW = 20;

/** The API's limits of `note` and `reason`, in characters. */
const NOTE_LENGTH = 1024;
const REASON_LENGTH = 128;

const CONTROLLER = "notation-gatekeeper-provider";

/** @see Kubernetes API reference, Event v1 events.k8s.io */
export function createAnnouncer(options: AnnouncerOptions): Announce {
  const { client, pod, now, wallNow, signal } = options;
  let said: readonly { readonly text: string; readonly at: number }[] = [];

  return ({ type, reason, note }) => {
    said = said.filter(({ at }) => now() - at < WINDOW_MS);
    const text = `${reason} ${note}`;
    if (said.length >= MAX_IN_WINDOW || said.some((before) => before.text === text)) return;
    said = [...said, { text, at: now() }];
    const event = {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: {
        name: `${pod.name}.${randomBytes(8).toString("hex")}`,
        namespace: pod.namespace,
      },
      // A MicroTime: six digits.
      eventTime: new Date(wallNow()).toISOString().replace("Z", "000Z"),
      type,
      reason: reason.slice(0, REASON_LENGTH),
      action: reason.slice(0, REASON_LENGTH),
      note: note.slice(0, NOTE_LENGTH),
      regarding: { apiVersion: "v1", kind: "Pod", ...pod },
      reportingController: CONTROLLER,
      reportingInstance: pod.name,
    };
    const path = `/apis/events.k8s.io/v1/namespaces/${pod.namespace}/events`;
    // It never rejects, and an answer would change nothing.
    void client.send({ method: "POST", path, body: event }, signal);
  };
}
