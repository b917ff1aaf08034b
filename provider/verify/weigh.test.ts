import assert from "node:assert/strict";
import { test } from "node:test";
import { rejected, SENTENCE_BYTES, undecided } from "../verdict/verdict.ts";
import { weigh } from "./weigh.ts";

const ORDER = [
  "REVOKED",
  "CERTIFICATE_EXPIRED",
  "SIGNATURE_EXPIRED",
  "WRONG_IDENTITY",
  "UNTRUSTED_SIGNER",
  "TAMPERED",
  "PLUGIN_NOT_ALLOWED",
  "MALFORMED_SIGNATURE",
] as const;

for (const [index, reason] of ORDER.entries()) {
  for (const other of ORDER.slice(index + 1)) {
    test(`${reason} says more than ${other}, whichever comes first`, () => {
      const refusals = [rejected(other, "x"), rejected(reason, "y")];
      for (const order of [refusals, refusals.toReversed()]) {
        assert.deepEqual(weigh(order, 2), rejected(reason, "of 2 signatures: y"));
      }
    });
  }
}

const CASES = [
  {
    name: "an image without signatures is unsigned",
    refusals: [],
    listed: 0,
    want: "UNSIGNED",
  },
  {
    name: "one undecided signature leaves the image undecided",
    refusals: [rejected("REVOKED", "x"), undecided("REVOCATION_UNKNOWN", "x")],
    listed: 2,
    want: "REVOCATION_UNKNOWN",
  },
  {
    name: "one undecided signature of too many leaves the image undecided",
    refusals: [undecided("REVOCATION_UNKNOWN", "x")],
    listed: 11,
    want: "REVOCATION_UNKNOWN",
  },
  {
    name: "T-16 more signatures than were looked at are too many, whatever was found",
    refusals: [rejected("REVOKED", "x")],
    listed: 2,
    want: "TOO_MANY_SIGNATURES",
  },
  {
    name: "T-10 signatures none of which was looked at are too many",
    refusals: [],
    listed: 1000,
    want: "TOO_MANY_SIGNATURES",
  },
];
for (const { name, refusals, listed, want } of CASES) {
  test(name, () => assert.equal(weigh(refusals, listed).reason, want));
}

test("a sentence about one signature is left as it is", () => {
  assert.deepEqual(weigh([rejected("REVOKED", "x")], 1), rejected("REVOKED", "x"));
});

test("a sentence with the count in front keeps the bound on bytes and whole characters", () => {
  const refusal = rejected("REVOKED", "\u{1f600}".repeat(50));
  const { sentence } = weigh([refusal, refusal], 2);
  assert.ok(Buffer.byteLength(sentence) <= SENTENCE_BYTES);
  assert.ok(sentence.isWellFormed());
});
