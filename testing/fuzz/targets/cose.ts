import assert from "node:assert/strict";
import { decode } from "cborg";
import { readEnvelope } from "../../../provider/evidence/envelope.ts";
import { isRefusal } from "../../../provider/verdict/verdict.ts";
import { assertNoRepetition, assertRefusal, outcomeOf } from "../assertions.ts";
import { assertClaims, ENVELOPE_WORDS } from "../claims.ts";
import { cose } from "../form.ts";
import type { Target } from "../target.ts";

const contentOf = (content: () => unknown): unknown => content();

/** A lax reader: the last of several equal names counts, and any tag is taken for its content. */
const lax = (bytes: Uint8Array): unknown =>
  decode(bytes, { useMaps: true, tags: { 1: contentOf, 18: contentOf } });

/** Envelopes of kind COSE: claims that a lax reader finds as well, or malformed. */
export const target: Target = {
  name: "cose",
  title:
    "T-12 T-25 F-08 a COSE envelope has the claims that a lax reader finds as well, or is malformed",
  maxBytes: 262_144,
  form: cose,
  words: [...ENVELOPE_WORDS],
  check(input) {
    const read = readEnvelope("application/cose", input);
    if (isRefusal(read)) {
      assertRefusal(read);
      assert.equal(read.reason, "MALFORMED_SIGNATURE");
      return outcomeOf(read);
    }
    const [guarded, , payload] = lax(input) as readonly Uint8Array[];
    assert.ok(guarded !== undefined && payload !== undefined);
    const header = lax(guarded) as ReadonlyMap<unknown, unknown>;
    const text = Buffer.from(payload).toString();
    assertNoRepetition(text);
    const { targetArtifact } = JSON.parse(text) as {
      readonly targetArtifact: Readonly<Record<string, unknown>>;
    };
    return assertClaims(read, (name) => header.get(name), targetArtifact["annotations"]);
  },
};
