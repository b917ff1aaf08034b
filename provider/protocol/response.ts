import { oneLine, SENTENCE_BYTES, type Undecided, type Verdict } from "../verdict/verdict.ts";
import { isKeyText, NOT_KEY } from "./key.ts";
import type { ApiVersion } from "./request.ts";

/** The image to run in the place of the key, on `/mutate`. */
export interface Pinned {
  readonly kind: "pinned";
  readonly image: string;
}

/** What is said of one key. */
export interface Answer {
  /** As it was sent. */
  readonly key: string;
  /** Never changed once it was made: its JSON is kept with it. */
  readonly verdict: Verdict | Pinned;
}

/** One ProviderResponse. */
export interface ProviderResponse {
  /** The request's. */
  readonly apiVersion: ApiVersion;
  /** True for mutation alone, where Gatekeeper demands it. */
  readonly idempotent: boolean;
  /** In the order of the request; the first answer to a key counts, others to the same key are dropped. */
  readonly answers: readonly Answer[];
  /** `CODE: sentence` about the whole request; one line, see {@link oneLine}. */
  readonly systemError?: string;
}

/**
 * Writes a whole ProviderResponse. Gatekeeper keeps every item, values and errors alike, for minutes and never a
 * `systemError`; so a fact about the image becomes an item, and what may be different a second later becomes a line
 * `<key>: CODE: sentence` there, its key left out of the items.
 * @returns JSON, well-formed for any key: a lone surrogate is written as an escape
 * @see facts of Gatekeeper's cache in docs/gatekeeper.md; pkg/externaldata/response.go of open-policy-agent/frameworks
 */
export function encodeResponse(response: ProviderResponse): string {
  const { apiVersion, idempotent, answers, systemError } = response;
  const answered = new Set<string>();
  const lines = systemError === undefined ? [] : [oneLine(systemError, 2 * SENTENCE_BYTES)];
  let items = "";
  for (const { key, verdict } of answers) {
    if (answered.has(key)) continue;
    answered.add(key);
    if (verdict.kind === "undecided" && isKeyText(key)) {
      lines.push(`${key}: ${codeAndSentence(verdict)}`);
      continue;
    }
    // A key of more than one line could forge the line of another key. No such key is an image, whatever else is
    // going on, so this is a fact about the key and no undecided verdict turned into a rejection.
    const outcome = verdict.kind === "undecided" ? NOT_KEY : verdict;
    const comma = items === "" ? "" : ",";
    items += `${comma}{"key":${JSON.stringify(key)},${memberOf(outcome)}}`;
  }
  const error = lines.length === 0 ? "" : `,"systemError":${JSON.stringify(lines.join("\n"))}`;
  return `{"apiVersion":"${apiVersion}","kind":"ProviderResponse","response":{"idempotent":${idempotent},"items":[${items}]${error}}}`;
}

/**
 * The ProviderResponse of a request that has no answers: a bad one, an unknown caller, an unknown path, a failure of
 * the provider. An empty or unreadable body would make Gatekeeper drop what its cache holds of the same call.
 * @param apiVersion the request's, where it was read
 */
export function encodeFailure(
  failure: Undecided,
  apiVersion: ApiVersion = "externaldata.gatekeeper.sh/v1beta1",
): string {
  const systemError = codeAndSentence(failure);
  return encodeResponse({ apiVersion, idempotent: false, answers: [], systemError });
}

type Outcome = Exclude<Answer["verdict"], Undecided>;

// Verdicts live in the cache and are answered many times over; their JSON goes when they go.
const members = new WeakMap<Outcome, string>();

/** `"value":…` or `"error":…` of an item. */
function memberOf(outcome: Outcome): string {
  const known = members.get(outcome);
  if (known !== undefined) return known;
  const member = encodeMember(outcome);
  members.set(outcome, member);
  return member;
}

function encodeMember(outcome: Outcome): string {
  switch (outcome.kind) {
    case "verified":
    case "skipped":
      return `"value":${JSON.stringify(outcome.facts)}`;
    case "pinned":
      return `"value":${JSON.stringify(outcome.image)}`;
    case "rejected":
      return `"error":${JSON.stringify(codeAndSentence(outcome))}`;
  }
}

/** The sentence is cleaned again: a line break in it could forge the line of another key. */
const codeAndSentence = ({ reason, sentence }: { reason: string; sentence: string }): string =>
  `${reason}: ${oneLine(sentence)}`;
