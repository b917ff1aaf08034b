import type { Digest } from "../image/digest.ts";
import { createCache } from "../lib/cache.ts";
import { createDeadlines, type Schedule } from "../lib/deadline.ts";
import { createFlight } from "../lib/single-flight.ts";
import { createSlots } from "../lib/slots.ts";
import { oneLine } from "../verdict/verdict.ts";
import type { EcrApi, EcrCaller, EcrImage, ProfileStatus } from "./ecr-api.ts";
import { isFailure, type AwsFailure } from "./failure.ts";

/** What ECR knows of the signatures of an image for which none was found. */
export type SigningStatus =
  /** Nothing: nobody signs it, or it is signed and the signature can be listed now. */
  | { readonly kind: "none" }
  /** ECR is at it: a matter of seconds. */
  | { readonly kind: "inProgress"; readonly profile: string }
  /** ECR tried and could not. @property sentence ECR's own words, one line */
  | { readonly kind: "failed"; readonly profile: string; readonly sentence: string }
  /** There are signatures, which a lifecycle rule put into archive storage: nobody can read them there. */
  | { readonly kind: "archived"; readonly count: number }
  /** It could not be asked. */
  | { readonly kind: "unknown"; readonly why: AwsFailure };

export interface SigningStatusOptions {
  readonly api: Pick<EcrApi, "signing" | "archived">;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly schedule: Schedule;
  /** Milliseconds that one answer may take, with what it waits for its turn. */
  readonly deadlineMs: number;
}

/** Asks for the signing status of an image, once for all who ask. Rejects with the reason of `signal`. */
export type AskSigningStatus = (
  caller: EcrCaller,
  image: EcrImage,
  signal: AbortSignal,
) => Promise<SigningStatus>;

/** Milliseconds that an answer is good for: signing takes seconds, and an operator mends a permission in minutes. */
const LIFE_MS: Readonly<Record<SigningStatus["kind"], number>> = {
  inProgress: 2000,
  none: 5000,
  failed: 30_000,
  archived: 30_000,
  unknown: 5000,
};

/** The quota is not published; beyond these places an image waits for its turn, or is not asked about. */
const CONCURRENCY = 4;
const MAX_WAITING = 500;
const MAX_ANSWERS = 5000;
const ANSWER_BYTES = 500;

const SENTENCE_BYTES = 120;

/** @see Amazon ECR User Guide, "Managed signing" */
export function createSigningStatus(options: SigningStatusOptions): AskSigningStatus {
  const { api, now, schedule, deadlineMs } = options;
  const answers = createCache<SigningStatus>({
    maxEntries: MAX_ANSWERS,
    maxBytes: MAX_ANSWERS * ANSWER_BYTES,
    sizeOf: () => ANSWER_BYTES,
    now,
  });
  const deadlines = createDeadlines(deadlineMs, new Error("late"), schedule);
  const flight = createFlight<SigningStatus>(() => deadlines.begin());
  const take = createSlots({ concurrency: CONCURRENCY, maxWaiting: MAX_WAITING });

  const find = async (
    caller: EcrCaller,
    image: EcrImage,
    deadline: AbortSignal,
  ): Promise<SigningStatus> => {
    const statuses = await api.signing(caller, image, deadline);
    const isKnown = !isFailure(statuses);
    const told = isKnown ? weigh(statuses) : { kind: "unknown" as const, why: statuses };
    if (told.kind === "inProgress" || told.kind === "failed") return told;
    // One permission may be there without the other.
    const archived = await api.archived(caller, image, deadline);
    if (isFailure(archived))
      return told.kind === "unknown" ? told : { kind: "unknown", why: archived };
    return archived === 0 ? told : { kind: "archived", count: archived };
  };

  return async (caller, image, signal) => {
    const name = `${caller.region} ${image.account} ${image.repository}@${image.digest}`;
    const known = answers.get(name);
    if (known !== undefined) return known.value;
    const work = async (deadline: AbortSignal): Promise<SigningStatus> => {
      const turn = take(() => find(caller, image, deadline), deadline);
      const status = await turn.catch(() => LATE);
      if (status === "full") return FULL;
      answers.set(name, status, LIFE_MS[status.kind]);
      return status;
    };
    return await flight.run(name, work, signal).result;
  };
}

/** Several profiles may sign one image: while one is at it there is hope, and one that failed is a reason. */
function weigh(statuses: readonly ProfileStatus[]): SigningStatus {
  const running = statuses.find(({ status }) => status === "IN_PROGRESS");
  if (running !== undefined) return { kind: "inProgress", profile: running.profile };
  const failed = statuses.find(({ status }) => status === "FAILED");
  if (failed === undefined) return { kind: "none" };
  const sentence = oneLine(failed.why, SENTENCE_BYTES);
  return { kind: "failed", profile: failed.profile, sentence };
}

const LATE: SigningStatus = {
  kind: "unknown",
  why: {
    failure: "unreachable",
    sentence: "ECR did not say in time whether the image is being signed",
  },
};
const FULL: SigningStatus = {
  kind: "unknown",
  why: { failure: "throttled", sentence: "too many questions wait for ECR's signing status" },
};

/** What signing status is asked about. @param host of the registry, as images name it */
export type SigningStatusOf = (
  host: string,
  repository: string,
  digest: Digest,
  signal: AbortSignal,
) => Promise<SigningStatus | undefined>;
