import type { FailureReason, RejectReason } from "../verdict/reasons.ts";
import type { CredentialSource } from "./credentials.ts";

/** One registry of the configuration: whatever is not named here is not asked. */
export interface RegistryOptions {
  /** Host as images name it, `host[:port]`, in the spelling of normalised references: `docker.io`. */
  readonly host: string;
  /** What it is called in {@link RegistryEvent}s; its host unless given. */
  readonly label?: string;
  /** Where it answers, `https://host[:port]` without a path; `http://` only when the configuration says so. */
  readonly endpoint: string;
  /**
   * Certificate authorities, PEM. They replace the public ones for the endpoint, and stand beside them for the
   * hosts of tokens and blobs.
   */
  readonly ca?: string;
  readonly credentials: CredentialSource;
  /** Further `host[:port]`s that may issue Bearer tokens, and so see the credentials. The endpoint's own may always. */
  readonly tokenHosts: readonly string[];
  /** `host[:port]`s that blobs may be redirected to, compared exactly. They see no credentials. */
  readonly blobHosts: readonly string[];
  /** CIDRs, `10.0.0.0/8`, of addresses that are refused unless named here: private, loopback, shared. */
  readonly allowedAddresses: readonly string[];
  /** Requests at once, 1 to 16. */
  readonly concurrency: number;
  /** Requests that may wait for their turn; one more is `OVERLOADED`. */
  readonly maxWaiting: number;
  /** Milliseconds that one HTTP exchange may take, from the first byte sent to the last byte read. */
  readonly requestTimeoutMs: number;
}

/** What a client did, for metrics. One event for each call, however many requests it took, and one for each token. */
export interface RegistryEvent {
  /** Host or label of the configuration, so it may be a label of metrics. */
  readonly registry: string;
  readonly operation: "subject" | "referrers" | "manifest" | "blob" | "token";
  /** `TIMEOUT` when the caller's signal ended it. */
  readonly outcome: "ok" | RejectReason | FailureReason;
  readonly durationMs: number;
}

/** Must not throw. */
export type Observe = (event: RegistryEvent) => void;
