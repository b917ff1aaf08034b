import type { Digest } from "../image/digest.ts";
import type { AskedLevel, Refusal, Verdict } from "../verdict/verdict.ts";

/** Where a verdict came from. `hit`: a cache; `joined`: work that another caller had begun; `miss`: work of its own; `none`: no work was needed. */
export type CacheUse = "hit" | "joined" | "miss" | "none";

/** The verdict of one key, with what a log line says about it. */
export interface Decision {
  readonly key: string;
  readonly verdict: Verdict;
  /** Digest that was judged, when it came so far. */
  readonly digest?: Digest;
  readonly policy?: string;
  /** Hash of the trust policy and the stores that were in force. */
  readonly epoch?: string;
  readonly level?: AskedLevel;
  /** Host, only when it is a configured one: it becomes a metric label. */
  readonly registry?: string;
  readonly cache: CacheUse;
  /** Milliseconds from the request's arrival to the verdict. */
  readonly durationMs: number;
}

/** The answer to one key of a mutation request. */
export interface Pin {
  readonly key: string;
  /** The image to run, pinned to its digest or unchanged; or why it cannot be said. */
  readonly result: { readonly kind: "pinned"; readonly image: string } | Refusal;
  readonly durationMs: number;
}

/**
 * Decides every distinct key of one request, in the request's order, by the deadline: a key that is not
 * decided then gets undecided `TIMEOUT`. Never rejects.
 * @param signal the caller's: it aborts when the connection is lost, and what is left is then not waited for
 * @param began when the request arrived, in monotonic milliseconds: the deadline runs from there. Now, unless given
 */
export type DecideBatch = (
  keys: readonly string[],
  signal: AbortSignal,
  began?: number,
) => Promise<readonly Decision[]>;

/** Pins every distinct key of one request to a digest; otherwise as {@link DecideBatch}. */
export type PinBatch = (
  keys: readonly string[],
  signal: AbortSignal,
  began?: number,
) => Promise<readonly Pin[]>;
