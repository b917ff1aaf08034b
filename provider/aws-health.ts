import type { AwsEvent } from "./aws/aws.ts";
import type { SignerEvent } from "./signer/ask.ts";
import type { Log, LogFields } from "./telemetry/log.ts";

type Event = AwsEvent | SignerEvent;

/** Something that is asked of AWS and cannot be had. */
export interface Failing extends Pick<Event, "service" | "operation"> {
  readonly region?: string;
  /** Why, in a sentence. */
  readonly sentence: string;
}

/** What of AWS works and what does not, by what is asked, where and as whom. */
export interface AwsHealth {
  readonly observe: (event: Event) => void;
  /** What fails now. */
  failing(): readonly Failing[];
}

/**
 * Milliseconds without a failure after which what is asked about images counts as working again: of a thousand questions some are
 * throttled, and that is no news each time. A permission that is granted is.
 */
const QUIET_MS = 60_000;

/** What can fail at once; a configuration names no more, but signatures name regions. */
const MAX_FAILING = 1000;

interface Failed extends Failing {
  readonly failure: Event["failure"];
  readonly isDenied: boolean;
  at: number;
}

/**
 * Writes a line when something of AWS begins to fail, with AWS's words and what to do, and one when it works again.
 * @param now monotonic milliseconds
 */
export function createAwsHealth(
  log: Pick<Log, "info" | "warn" | "error">,
  now: () => number,
): AwsHealth {
  const failing = new Map<string, Failed>();

  const fails = (key: string, event: Event, sentence: string): void => {
    const { operation, outcome, failure } = event;
    const isDenied = outcome === "denied";
    const failed = failing.get(key);
    if (failed?.isDenied === isDenied) {
      failed.at = now();
      return;
    }
    if (failing.size >= MAX_FAILING) return;
    // A token that is wanting because credentials are, which were named already.
    const isConsequence = [...failing.values()].some(
      (each) => each.service === "credentials" && each.failure === failure,
    );
    const place = placeOf(event);
    failing.set(key, { ...place, sentence, failure, isDenied, at: now() });
    if (isConsequence) return;
    const fields = { ...place, reason: outcome, ...wordsOf(event) };
    // Without signing status an image that is not signed yet is said to be unsigned, and nothing else is amiss.
    if (operation === "signingStatus") log.warn(FAILS, fields);
    else log.error(FAILS, fields);
  };

  const works = (key: string, event: Event): void => {
    const failed = failing.get(key);
    if (failed === undefined) return;
    const { operation } = event;
    const isAboutImages = operation === "revocation" || operation === "signingStatus";
    if (isAboutImages && !failed.isDenied && now() - failed.at < QUIET_MS) return;
    failing.delete(key);
    log.info(WORKS, placeOf(event));
  };

  return {
    observe(event) {
      const { service, operation, region, role } = placeOf(event);
      const key = [service, operation, region, role].join(" ");
      if (event.failure === undefined) works(key, event);
      else fails(key, event, event.failure.sentence);
    },
    failing: () => [...failing.values()],
  };
}

const FAILS = "AWS cannot be asked";
const WORKS = "AWS can be asked again";

interface Place extends Pick<Event, "service" | "operation"> {
  readonly region?: string;
  readonly role?: string;
  readonly source?: string;
}

const placeOf = (event: Event): Place => ({
  service: event.service,
  operation: event.operation,
  ...("region" in event && { region: event.region }),
  ...("role" in event && event.role !== undefined && { role: event.role }),
  ...("source" in event && { source: event.source }),
});

function wordsOf({ failure }: Event): LogFields {
  if (failure === undefined) return {};
  return {
    problem: failure.sentence,
    ...("words" in failure && failure.words !== undefined && { words: failure.words }),
    ...("remedy" in failure && failure.remedy !== undefined && { remedy: failure.remedy }),
  };
}
