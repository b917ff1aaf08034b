import assert from "node:assert/strict";
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

/** A refusal with a code of its own kind's list, a sentence that may stand in an answer, and nothing else. */
export function assertRefusal(refusal: Refusal): void {
  assert.deepEqual(Object.keys(refusal).toSorted(), ["kind", "reason", "sentence"]);
  assert.ok(REASONS[refusal.kind].includes(refusal.reason), refusal.reason);
  assertLine(refusal.sentence);
}

/** What a search is told of a refusal: its code and how its sentence begins, without what differs from input to input. */
export const outcomeOf = ({ reason, sentence }: Refusal): string =>
  `${reason}: ${sentence.replaceAll(/"[^"]*"?|[0-9]+/g, "…").slice(0, 80)}`;
