import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { parseRequest } from "./request.ts";

const apiVersion = "externaldata.gatekeeper.sh/v1beta1";
const limits = { maxKeys: 1000 };

const bytes = (text: string) => new TextEncoder().encode(text);
const parse = (value: unknown) => parseRequest(bytes(JSON.stringify(value)), limits);

/** A request with some members replaced. */
const body = (members: Readonly<Record<string, unknown>> = {}) => ({
  apiVersion,
  kind: "ProviderRequest",
  request: { keys: ["a"] },
  ...members,
});

test("a request of Gatekeeper's Go client is read, its escapes undone", () => {
  const text = `{"apiVersion":"${apiVersion}","kind":"ProviderRequest","request":{"keys":["a","a","x?policy=b\\u0026level=audit"]}}\n`;
  assert.deepEqual(parseRequest(bytes(text), limits), {
    kind: "request",
    apiVersion,
    keys: ["a", "a", "x?policy=b&level=audit"],
  });
});

const accepted = [
  { name: "F-37 no keys", value: body({ request: {} }), keys: [] },
  { name: "F-37 keys null", value: body({ request: { keys: null } }), keys: [] },
  { name: "F-37 an empty list of keys", value: body({ request: { keys: [] } }), keys: [] },
  {
    name: "F-38 one key many times",
    value: body({ request: { keys: ["a", "a"] } }),
    keys: ["a", "a"],
  },
  { name: "an empty key", value: body({ request: { keys: [""] } }), keys: [""] },
  { name: "an unknown member", value: body({ metadata: { uid: "1" } }), keys: ["a"] },
  {
    name: "an unknown member of request",
    value: body({ request: { keys: ["a"], x: 1 } }),
    keys: ["a"],
  },
  {
    name: "T-24 keys that Object.prototype has",
    value: body({ request: { keys: ["__proto__", "constructor", "toString", "hasOwnProperty"] } }),
    keys: ["__proto__", "constructor", "toString", "hasOwnProperty"],
  },
  {
    name: "F-39 a key of 64 KiB",
    value: body({ request: { keys: ["a".repeat(65_536)] } }),
    keys: ["a".repeat(65_536)],
  },
  {
    name: "F-39 a lone surrogate",
    value: body({ request: { keys: ["\ud800"] } }),
    keys: ["\ud800"],
  },
];
for (const { name, value, keys } of accepted) {
  test(`${name} is accepted`, () => {
    assert.deepEqual(parse(value), { kind: "request", apiVersion, keys });
  });
}

test("the older version is accepted and named in the result", () => {
  const older = "externaldata.gatekeeper.sh/v1alpha1";
  assert.deepEqual(parse(body({ apiVersion: older })), {
    kind: "request",
    apiVersion: older,
    keys: ["a"],
  });
});

const refused = [
  { name: "an unknown version", value: body({ apiVersion: "externaldata.gatekeeper.sh/v1" }) },
  { name: "a version in capitals", value: body({ apiVersion: apiVersion.toUpperCase() }) },
  { name: "a version that is a list of one", value: body({ apiVersion: [apiVersion] }) },
  { name: "no version", value: body({ apiVersion: undefined }) },
  { name: "another kind", value: body({ kind: "ProviderResponse" }) },
  { name: "a kind in lower case", value: body({ kind: "providerrequest" }) },
  { name: "no kind", value: body({ kind: undefined }) },
  { name: "no request", value: body({ request: undefined }) },
  { name: "request null", value: body({ request: null }) },
  { name: "a list as request, which has a method keys", value: body({ request: [] }) },
  { name: "a text as request", value: body({ request: "constructor" }) },
  { name: "keys that are a text", value: body({ request: { keys: "a" } }) },
  { name: "keys that are an object", value: body({ request: { keys: { 0: "a", length: 1 } } }) },
  { name: "keys that are a number", value: body({ request: { keys: 0 } }) },
  { name: "keys that are false", value: body({ request: { keys: false } }) },
  { name: "F-39 a number among the keys", value: body({ request: { keys: ["a", 1] } }) },
  { name: "F-39 null among the keys", value: body({ request: { keys: ["a", null] } }) },
  { name: "F-39 an object among the keys", value: body({ request: { keys: ["a", {}] } }) },
  { name: "null", value: null },
  { name: "a list", value: [body()] },
  { name: "a text", value: "ProviderRequest" },
];
for (const { name, value } of refused) {
  test(`${name} is a bad request`, () => assertBad(parse(value), 400));
}

const malformed = [
  { name: "no byte", bytes: bytes("") },
  { name: "half a request", bytes: bytes(JSON.stringify(body()).slice(0, -1)) },
  { name: "two requests", bytes: bytes(JSON.stringify(body()).repeat(2)) },
  { name: "single quotes", bytes: bytes("{'kind':'ProviderRequest'}") },
  { name: "a byte order mark", bytes: bytes(`\ufeff${JSON.stringify(body())}`) },
  { name: "UTF-16", bytes: new Uint8Array(Buffer.from(JSON.stringify(body()), "utf16le")) },
  {
    name: "F-39 a byte that is no UTF-8",
    bytes: Buffer.from(JSON.stringify(body({ request: { keys: ["\u00ff"] } })), "latin1"),
  },
  {
    name: "F-39 a surrogate written in UTF-8",
    bytes: Buffer.concat([
      bytes(`{"apiVersion":"${apiVersion}","kind":"ProviderRequest","request":{"keys":["`),
      Uint8Array.of(0xed, 0xa0, 0x80),
      bytes(`"]}}`),
    ]),
  },
];
for (const { name, bytes } of malformed) {
  test(`${name} is a bad request`, () => assertBad(parseRequest(bytes, limits), 400));
}

function assertBad(got: ReturnType<typeof parseRequest>, status: 400 | 413): void {
  assert.equal(got.kind, "bad");
  assert.equal(got.status, status);
  assert.notEqual(got.sentence, "");
}

test("F-37 1,000 keys are accepted, 1,001 are too many, repeated or not", () => {
  const keys = Array.from({ length: 1001 }, (_, index) => `a:${index}`);
  const most = parse(body({ request: { keys: keys.slice(1) } }));
  assert.ok(most.kind === "request");
  assert.equal(most.keys.length, 1000);
  assertBad(parse(body({ request: { keys } })), 413);
  assertBad(parse(body({ request: { keys: Array.from({ length: 1001 }, () => "a") } })), 413);
});

test("T-24 a member __proto__ gives a request no members", () => {
  const inherited = `"apiVersion":"${apiVersion}","kind":"ProviderRequest","request":{"keys":["a"]}`;
  assertBad(parseRequest(bytes(`{"__proto__":{${inherited}}}`), limits), 400);
  const keys = `{"apiVersion":"${apiVersion}","kind":"ProviderRequest","request":{"__proto__":{"keys":["a"]}}}`;
  assert.deepEqual(parseRequest(bytes(keys), limits), { kind: "request", apiVersion, keys: [] });
  assert.deepEqual(Object.keys(Object.prototype), []);
});

test("half a million levels of nesting are read or refused without overflowing", () => {
  const deep = "[".repeat(500_000) + "]".repeat(500_000);
  const around = (member: string) =>
    bytes(`{"apiVersion":"${apiVersion}","kind":"ProviderRequest",${member}}`);
  assert.deepEqual(parseRequest(around(`"x":${deep},"request":{"keys":["a"]}`), limits), {
    kind: "request",
    apiVersion,
    keys: ["a"],
  });
  assertBad(parseRequest(around(`"request":{"keys":[${deep}]}`), limits), 400);
  assertBad(parseRequest(bytes("[".repeat(1_000_000)), limits), 400);
});

test("nothing of the body is in the sentence of its refusal", () => {
  const values = [
    body({ apiVersion: "secret" }),
    body({ kind: "secret" }),
    { secret: 1 },
    "secret",
  ];
  for (const value of values) {
    const got = parse(value);
    assert.ok(got.kind === "bad");
    assert.doesNotMatch(got.sentence, /secret/);
  }
  const got = parseRequest(bytes("secret"), limits);
  assert.ok(got.kind === "bad");
  assert.doesNotMatch(got.sentence, /secret/);
});

test("any bytes and any JSON are a request or a bad one", () => {
  const json = fc.json({ maxDepth: 4 }).map((text) => bytes(text));
  const near = fc
    .record({
      apiVersion: fc.constant(apiVersion),
      kind: fc.constant("ProviderRequest"),
      request: fc.jsonValue(),
    })
    .map((value) => bytes(JSON.stringify(value)));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), json, near), (bytes) => {
      assert.match(parseRequest(bytes, limits).kind, /^(?:request|bad)$/);
    }),
    { numRuns: 2_000 },
  );
});

test("any keys come out as they went in", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary" })), (keys) => {
      assert.deepEqual(parse(body({ request: { keys } })), { kind: "request", apiVersion, keys });
    }),
  );
});
