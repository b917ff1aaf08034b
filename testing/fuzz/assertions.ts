import assert from "node:assert/strict";
import type { AwsFailure } from "../../provider/aws/failure.ts";
import { FAILURE_REASONS, REJECT_REASONS } from "../../provider/verdict/reasons.ts";
import { SENTENCE_BYTES, type Refusal } from "../../provider/verdict/verdict.ts";

const REASONS: Readonly<Record<Refusal["kind"], readonly string[]>> = {
  rejected: REJECT_REASONS,
  undecided: FAILURE_REASONS,
};

// eslint-disable-next-line no-control-regex -- these are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

/** Text that may stand in an answer: one line, whole characters, no controls, within its bytes, and something. */
export function assertLine(text: string, bytes: number = SENTENCE_BYTES): void {
  assert.notEqual(text, "");
  assert.doesNotMatch(text, CONTROL);
  assert.ok(text.isWellFormed(), "a lone surrogate");
  assert.ok(Buffer.byteLength(text) <= bytes, `more than ${bytes} bytes`);
}

/** Such a line, without an access key of anybody. */
export function assertWords(text: string, bytes?: number): void {
  assertLine(text, bytes);
  assert.doesNotMatch(text, /\b(?:AKIA|ASIA)[0-9A-Z]{12,}\b/);
}

/**
 * What AWS or its SDK failed at may be told: a sentence, and words that are longer.
 * @returns what a search is told of it, without what differs from input to input
 */
export function assertFailure({ failure, sentence, words }: AwsFailure): string {
  assertWords(sentence);
  if (words !== undefined) assertWords(words, 400);
  return `${failure} ${withoutForeign(sentence)}`;
}

/** A sentence of ours about an answer of AWS, without the foreign part. */
export const withoutForeign = (sentence: string): string =>
  sentence
    .replace(/answered .*/, "answered …")
    .replaceAll(/\d+/g, "…")
    .slice(0, 80);

/** A refusal with a code of its own kind's list, a sentence that may stand in an answer, and nothing else. */
export function assertRefusal(refusal: Refusal): void {
  assert.deepEqual(Object.keys(refusal).toSorted(), ["kind", "reason", "sentence"]);
  assert.ok(REASONS[refusal.kind].includes(refusal.reason), refusal.reason);
  assertLine(refusal.sentence);
}

/** Without regard to case, where a long s is an s and a Kelvin sign a k: how Go's encoding/json compares names. */
export const foldedAsInGo = (name: string): string =>
  name.replaceAll("\u017f", "s").replaceAll("\u212a", "k").toLowerCase();

/**
 * No object of a well-formed JSON text has a member twice to a reader in Go, which takes the last, or makes one object of two. A
 * reader of its own, letter by letter, because the one that is tested uses patterns.
 */
export function assertNoRepetition(text: string): void {
  const open: (Set<string> | undefined)[] = [];
  let isName = false;
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at] ?? "";
    if (letter === '"') {
      const start = at;
      for (at += 1; text[at] !== '"'; at += 1) if (text[at] === "\\") at += 1;
      if (!isName) continue;
      isName = false;
      const name = foldedAsInGo(String(JSON.parse(text.slice(start, at + 1))));
      assert.ok(open.at(-1)?.has(name) === false, `twice: ${name}`);
      open.at(-1)?.add(name);
    } else if (letter === "{" || letter === "[") {
      isName = letter === "{";
      open.push(isName ? new Set() : undefined);
    } else if (letter === "}" || letter === "]") {
      open.pop();
      isName = false;
    } else if (letter === ",") isName = open.at(-1) !== undefined;
  }
}

/** What a search is told of a refusal: its code and how its sentence begins, without what differs from input to input. */
export const outcomeOf = ({ reason, sentence }: Refusal): string =>
  `${reason}: ${sentence.replaceAll(/"[^"]*"?|[0-9]+/g, "…").slice(0, 80)}`;
