import assert from "node:assert/strict";
import { readEnvelope } from "../../../provider/evidence/envelope.ts";
import { isRefusal } from "../../../provider/verdict/verdict.ts";
import { assertRefusal, outcomeOf } from "../assertions.ts";
import { assertClaims, ENVELOPE_WORDS, type Attributes } from "../claims.ts";
import { jws } from "../form.ts";
import type { Target } from "../target.ts";

/** Without regard to case, where a long s is an s and a Kelvin sign a k. */
const fold = (name: string): string =>
  name.replaceAll("\u017f", "s").replaceAll("\u212a", "k").toLowerCase();

/**
 * The members of a JSON object as Go's encoding/json finds them for a name: the last whose name is equal
 * by {@link fold}.
 */
function asGoReads(text: string): Attributes {
  const members = Object.entries(JSON.parse(text) as Readonly<Record<string, unknown>>);
  return (name) => members.findLast(([own]) => fold(own) === fold(name))?.[1];
}

const decoded = (text: unknown): string => Buffer.from(String(text), "base64url").toString();

/** Envelopes of kind JWS: claims that Go reads as we do, or malformed (T-12, T-25, F-08). */
export const target: Target = {
  name: "jws",
  maxBytes: 262_144,
  form: jws,
  words: [
    ...ENVELOPE_WORDS,
    "payload",
    "protected",
    "header",
    "signature",
    "x5c",
    "alg",
    "cty",
    "crit",
    "PS256",
    "ES256",
    "2026-11-02T10:00:00Z",
  ],
  check(input) {
    const read = readEnvelope("application/jose+json", input);
    if (isRefusal(read)) {
      assertRefusal(read);
      assert.equal(read.reason, "MALFORMED_SIGNATURE");
      return outcomeOf(read);
    }
    const envelope = asGoReads(Buffer.from(input).toString());
    const attributes = asGoReads(decoded(envelope("protected")));
    const artifact = asGoReads(decoded(envelope("payload")))("targetArtifact");
    return assertClaims(read, attributes, asGoReads(JSON.stringify(artifact))("annotations"));
  },
};
