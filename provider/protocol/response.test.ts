import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { digestOf } from "../image/digest.ts";
import { REJECT_REASONS, FAILURE_REASONS } from "../verdict/reasons.ts";
import { rejected, undecided, type Verdict, type Verified } from "../verdict/verdict.ts";
import { parseKey } from "./key.ts";
import { parseRequest } from "./request.ts";
import { encodeFailure, encodeResponse, type Answer } from "./response.ts";

const apiVersion = "externaldata.gatekeeper.sh/v1beta1";
const digest = digestOf("");

const verified: Verified = {
  kind: "verified",
  facts: {
    outcome: "verified",
    image: `docker.io/library/nginx@${digest}`,
    digest,
    policy: "default",
    statement: "all",
    level: "strict",
    signer: { scheme: "notary.x509", subject: `CN="a\\b",O=\u00e9` },
    metadata: { commit: "abc", __proto__x: "1", toJSON: "2" },
  },
};
const skipped: Verdict = {
  kind: "skipped",
  facts: {
    outcome: "skipped",
    image: "docker.io/library/nginx:latest",
    policy: "default",
    statement: "none",
    level: "skip",
  },
};

const encode = (answers: readonly Answer[]): unknown =>
  JSON.parse(encodeResponse({ apiVersion, idempotent: false, answers }));
const response = (response: unknown) => ({ apiVersion, kind: "ProviderResponse", response });

const answers: readonly { name: string; answers: readonly Answer[]; want: unknown }[] = [
  { name: "no key is an empty list", answers: [], want: { items: [] } },
  {
    name: "verified is a value",
    answers: [{ key: "nginx", verdict: verified }],
    want: { items: [{ key: "nginx", value: verified.facts }] },
  },
  {
    name: "skipped is a value",
    answers: [{ key: "nginx", verdict: skipped }],
    want: { items: [{ key: "nginx", value: skipped.facts }] },
  },
  {
    name: "rejected is an error",
    answers: [{ key: "nginx", verdict: rejected("UNSIGNED", "no signature") }],
    want: { items: [{ key: "nginx", error: "UNSIGNED: no signature" }] },
  },
  {
    name: "undecided is left out and is a line of the system error",
    answers: [{ key: "nginx", verdict: undecided("TIMEOUT", "not decided in time") }],
    want: { items: [], systemError: "nginx: TIMEOUT: not decided in time" },
  },
  {
    name: "lines are joined, and the order is that of the request",
    answers: [
      { key: "d", verdict: undecided("TIMEOUT", "one") },
      { key: "c", verdict: verified },
      { key: "b?policy=x", verdict: undecided("OVERLOADED", "two") },
      { key: "a", verdict: rejected("REVOKED", "three") },
    ],
    want: {
      items: [
        { key: "c", value: verified.facts },
        { key: "a", error: "REVOKED: three" },
      ],
      systemError: "d: TIMEOUT: one\nb?policy=x: OVERLOADED: two",
    },
  },
  {
    name: "F-38 a repeated key is answered once, by its first answer",
    answers: [
      { key: "a", verdict: rejected("REVOKED", "one") },
      { key: "a", verdict: verified },
      { key: "a", verdict: undecided("TIMEOUT", "two") },
    ],
    want: { items: [{ key: "a", error: "REVOKED: one" }] },
  },
  {
    name: "T-24 a key __proto__ is a key",
    answers: [{ key: "__proto__", verdict: rejected("INVALID_REFERENCE", "no") }],
    want: { items: [{ key: "__proto__", error: "INVALID_REFERENCE: no" }] },
  },
];
for (const { name, answers: given, want } of answers) {
  test(name, () => {
    assert.deepEqual(encode(given), response({ idempotent: false, ...Object(want) }));
  });
}

test("an image that is pinned is a text, in an idempotent response", () => {
  const image = `docker.io/library/nginx:1@${digest}`;
  const text = encodeResponse({
    apiVersion,
    idempotent: true,
    answers: [{ key: "nginx:1", verdict: { kind: "pinned", image } }],
  });
  assert.deepEqual(
    JSON.parse(text),
    response({ idempotent: true, items: [{ key: "nginx:1", value: image }] }),
  );
});

test("the version is that of the request", () => {
  const older = "externaldata.gatekeeper.sh/v1alpha1";
  const text = encodeResponse({ apiVersion: older, idempotent: false, answers: [] });
  assert.equal(JSON.parse(text).apiVersion, older);
  assert.equal(JSON.parse(encodeFailure(undecided("TIMEOUT", "late"), older)).apiVersion, older);
});

test("a failure is a whole response without items", () => {
  assert.deepEqual(
    JSON.parse(encodeFailure(undecided("BAD_REQUEST", "the body is not JSON"))),
    response({ idempotent: false, items: [], systemError: "BAD_REQUEST: the body is not JSON" }),
  );
});

test("the longest sentence stands whole in a failure", () => {
  const sentence = "s".repeat(200);
  const { systemError } = JSON.parse(
    encodeFailure(undecided("REGISTRY_UNAUTHORIZED", sentence)),
  ).response;
  assert.equal(systemError, `REGISTRY_UNAUTHORIZED: ${sentence}`);
});

test("a system error of the whole request stands before the lines of keys", () => {
  const text = encodeResponse({
    apiVersion,
    idempotent: false,
    systemError: "SHUTTING_DOWN: the provider\nis stopping",
    answers: [{ key: "a", verdict: undecided("TIMEOUT", "late") }],
  });
  assert.equal(
    JSON.parse(text).response.systemError,
    "SHUTTING_DOWN: the provider is stopping\na: TIMEOUT: late",
  );
});

const forgeries = ["a\nnginx", "a\r", "a b", "", "\ud800", "a\u2028", "a".repeat(1025)];
for (const key of forgeries) {
  test(`T-55 no line is written for ${JSON.stringify(key).slice(0, 20)}, which is no image: it is rejected instead`, () => {
    const { items, systemError } = JSON.parse(
      encodeResponse({
        apiVersion,
        idempotent: false,
        answers: [{ key, verdict: undecided("TIMEOUT", "late") }],
      }),
    ).response;
    assert.equal(systemError, undefined);
    assert.equal(items.length, 1);
    assert.equal(items[0].key, key);
    assert.match(items[0].error, /^INVALID_REFERENCE: /);
  });
}

test("T-55 a sentence cannot forge the line of another key", () => {
  const verdict: Verdict = {
    kind: "undecided",
    reason: "TIMEOUT",
    sentence: "late\nnginx: TIMEOUT: x",
  };
  const { systemError } = JSON.parse(
    encodeResponse({ apiVersion, idempotent: false, answers: [{ key: "a", verdict }] }),
  ).response;
  assert.equal(systemError, "a: TIMEOUT: late nginx: TIMEOUT: x");
});

test("the JSON of a verdict is made once", () => {
  let made = 0;
  const facts = { ...verified.facts, toJSON: () => ((made += 1), {}) };
  const counted: Verified = { kind: "verified", facts };
  for (const key of ["a", "b", "c"]) encode([{ key, verdict: counted }]);
  assert.equal(made, 1);
});

// Keys as they may come: images, near misses, and anything at all, with repetitions.
const anyKey = fc.oneof(
  fc.constantFrom(
    "nginx",
    "nginx:1",
    "nginx?level=audit",
    "a",
    "a: TIMEOUT",
    "__proto__",
    "",
    "\ud800",
    "a\nb",
  ),
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.stringMatching(/^[a-z]{1,3}(?:\/[a-z]{1,3})?(?::[a-z]{1,3})?$/),
);
const anySentence = fc.string({ unit: "binary", maxLength: 12 });
const anyVerdict: fc.Arbitrary<Verdict> = fc.oneof(
  fc.constant(verified),
  fc.constant(skipped),
  fc
    .tuple(fc.constantFrom(...REJECT_REASONS), anySentence)
    .map(([code, text]) => rejected(code, text)),
  fc
    .tuple(fc.constantFrom(...FAILURE_REASONS), anySentence)
    .map(([code, text]) => undecided(code, text)),
);

test("T-21 each distinct key of a request is answered once, byte for byte, in order, and no other key", () => {
  fc.assert(
    fc.property(fc.array(anyKey), fc.array(anyVerdict, { minLength: 1 }), (sent, verdicts) => {
      const body = JSON.stringify({ apiVersion, kind: "ProviderRequest", request: { keys: sent } });
      const request = parseRequest(Buffer.from(body), { maxKeys: 1000 });
      assert.ok(request.kind === "request");
      const given = request.keys.map((key, index): Answer => {
        const parsed = parseKey(key);
        if ("kind" in parsed) return { key, verdict: parsed };
        return { key, verdict: verdicts[index % verdicts.length] ?? verified };
      });

      const text = encodeResponse({ apiVersion, idempotent: false, answers: given });
      assert.ok(text.isWellFormed());
      const answer = JSON.parse(text);
      assert.deepEqual(Object.keys(answer), ["apiVersion", "kind", "response"]);

      const { items, systemError } = answer.response;
      const inItems: readonly string[] = items.map((item: { key: string }) => item.key);
      const lines = systemError === undefined ? [] : String(systemError).split("\n");
      const inLines = lines.map((line) => /^(\S+): [A-Z_]+: /.exec(line)?.[1]);
      const order = [...new Set(sent)];
      assert.deepEqual(
        inItems,
        order.filter((key) => inItems.includes(key)),
      );
      assert.deepEqual(
        inLines,
        order.filter((key) => inLines.includes(key)),
      );
      assert.deepEqual([...inItems, ...inLines].toSorted(), order.toSorted());
    }),
    { numRuns: 1_000 },
  );
});

test("T-21 an item has a value or an error, as its verdict says, whatever the other keys got", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(anyKey),
      fc.array(anyVerdict, { minLength: 1 }),
      (keys, verdicts) => {
        const given = keys.map((key, index): Answer => ({
          key,
          verdict: verdicts[index % verdicts.length] ?? verified,
        }));
        const { items } = JSON.parse(
          encodeResponse({ apiVersion, idempotent: false, answers: given }),
        ).response;
        const found = new Map<string, { value?: unknown; error?: string }>(
          items.map((item: { key: string }) => [item.key, item]),
        );
        for (const { key, verdict } of given) {
          const passed = verdict.kind === "verified" || verdict.kind === "skipped";
          assert.equal(found.get(key)?.value !== undefined, passed);
          if (verdict.kind === "rejected") {
            assert.equal(found.get(key)?.error, `${verdict.reason}: ${verdict.sentence}`);
          }
        }
      },
    ),
  );
});
