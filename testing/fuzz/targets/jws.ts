import assert from "node:assert/strict";
import { readEnvelope } from "../../../provider/evidence/envelope.ts";
import { isRefusal } from "../../../provider/verdict/verdict.ts";
import { assertNoRepetition, assertRefusal, foldedAsInGo, outcomeOf } from "../assertions.ts";
import { assertClaims, ENVELOPE_WORDS, type Attributes } from "../claims.ts";
import { jws } from "../form.ts";
import type { Target } from "../target.ts";

/**
 * The members of a JSON object as Go's encoding/json finds them for a name: the last whose name is equal
 * by {@link foldedAsInGo}.
 */
function asGoReads(text: string): Attributes {
  const members = Object.entries(JSON.parse(text) as Readonly<Record<string, unknown>>);
  return (name) => members.findLast(([own]) => foldedAsInGo(own) === foldedAsInGo(name))?.[1];
}

const decoded = (text: unknown): string => Buffer.from(String(text), "base64url").toString();

/** Envelopes of kind JWS: claims that Go reads as we do, or malformed. */
export const target: Target = {
  name: "jws",
  title: "T-12 T-25 F-08 a JWS envelope has the claims that Go finds as well, or is malformed",
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
    const text = Buffer.from(input).toString();
    const envelope = asGoReads(text);
    const [guarded, payload] = [decoded(envelope("protected")), decoded(envelope("payload"))];
    for (const document of [text, guarded, payload]) assertNoRepetition(document);
    const attributes = asGoReads(guarded);
    const artifact = asGoReads(payload)("targetArtifact");
    return assertClaims(read, attributes, asGoReads(JSON.stringify(artifact))("annotations"));
  },
};
