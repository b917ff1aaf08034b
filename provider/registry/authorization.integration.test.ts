import assert from "node:assert/strict";
import test from "node:test";
import {
  after,
  createGate,
  errorOf,
  guarded,
  json,
  redirect,
  reply,
  status,
  token,
  type Answer,
} from "../../testing/registry/answers.ts";
import { startCanary } from "../../testing/registry/canary.ts";
import { createTestClient, type TestClient } from "../../testing/registry/client.ts";
import { issueLoopback } from "../../testing/registry/olareg.ts";
import { startUnruly, type Unruly } from "../../testing/registry/unruly.ts";
import { digestOf } from "../image/digest.ts";
import { isRefusal, undecided } from "../verdict/verdict.ts";
import { basicHeader, type Credentials } from "./credentials.ts";

const OCI = "application/vnd.oci.image.manifest.v1+json";
const BODY = JSON.stringify({ schemaVersion: 2, mediaType: OCI, config: {}, layers: [] });
const SUBJECT = { mediaType: OCI, digest: digestOf(BODY), size: BODY.length };
const MANIFEST = reply({ body: BODY, headers: { "content-type": OCI } });
const MANIFESTS = /^GET \/v2\/.*\/manifests\//;
const TOKENS = /^GET \/token/;
const ALICE: Credentials = { username: "alice", password: "secret:of alice" };
const never = new AbortController().signal;

const reasonOf = (result: unknown): string | undefined =>
  isRefusal(result) ? result.reason : undefined;
const ask = ({ client, host }: TestClient, repository = "app", signal = never) =>
  client.subject({ registry: host, repository }, "v1", signal);
const bearer = (registry: Unruly, more = "") =>
  `Bearer realm="${registry.url}/token",service="the registry"${more}`;
/** A registry that takes any of these tokens, and issues the first, second, … of them. */
function withTokens(registry: Unruly, ...values: readonly [string, ...string[]]): void {
  registry.on(
    MANIFESTS,
    guarded(
      (shown) => values.some((value) => shown === `Bearer ${value}`),
      bearer(registry),
      MANIFEST,
    ),
  );
  const [first, ...others] = values;
  registry.on(TOKENS, token(first, 300), ...others.map((value) => token(value, 300)));
}

test("Basic: the first request is refused, the others bring the credentials along", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry, credentials: async () => ALICE });
  registry.on(
    MANIFESTS,
    guarded((shown) => shown === basicHeader(ALICE), 'Basic realm="r"', MANIFEST),
  );
  assert.deepEqual(await ask(setup), SUBJECT);
  assert.equal(registry.requests.length, 2);
  assert.deepEqual(await ask(setup, "other"), SUBJECT);
  assert.equal(registry.requests.length, 3);
  assert.deepEqual(
    registry.requests.map(({ headers }) => headers.authorization),
    [undefined, basicHeader(ALICE), basicHeader(ALICE)],
  );
});

test("Basic: credentials that were rotated are asked for again when the old ones are refused", async () => {
  await using registry = await startUnruly();
  const asked: (Credentials | undefined)[] = [];
  let current: Credentials = ALICE;
  await using setup = createTestClient({
    target: registry,
    credentials: async (refused) => {
      asked.push(refused);
      // A source that keeps a copy gets new ones only when it hears that the copy was refused.
      if (refused !== undefined) current = { ...ALICE, password: "new" };
      return current;
    },
  });
  registry.on(
    MANIFESTS,
    guarded((shown) => shown === basicHeader({ ...ALICE, password: "new" }), "Basic", MANIFEST),
  );
  assert.equal(reasonOf(await ask(setup)), "REGISTRY_UNAUTHORIZED");
  assert.deepEqual(await ask(setup), SUBJECT);
  assert.deepEqual(asked, [undefined, ALICE]);
});

test("a token is fetched once for all who wait, and used again", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry, credentials: async () => ALICE });
  withTokens(registry, "t1");
  const gate = createGate();
  registry.on(TOKENS, after(gate.opened, token("t1", 300)));
  const all = Array.from({ length: 5 }, () => ask(setup));
  await registry.seen(MANIFESTS, 5);
  gate.open();
  for (const result of all) assert.deepEqual(await result, SUBJECT);
  assert.deepEqual(await ask(setup), SUBJECT);
  assert.equal(registry.count(TOKENS), 1);
  assert.equal(registry.count(MANIFESTS), 5 + 5 + 1);
  assert.equal(
    registry.requests.find(({ line }) => TOKENS.test(line))?.line,
    "GET /token?service=the+registry&scope=repository%3Aapp%3Apull",
  );
  assert.equal(
    registry.requests.find(({ line }) => TOKENS.test(line))?.headers.authorization,
    basicHeader(ALICE),
  );
  assert.equal(setup.events.filter(({ operation }) => operation === "token").length, 1);
});

test("a further repository costs its token and no refusal", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  withTokens(registry, "t1", "t2");
  await ask(setup, "app");
  assert.equal(registry.requests.length, 3);
  assert.deepEqual(await ask(setup, "other"), SUBJECT);
  assert.deepEqual(
    registry.requests.slice(3).map(({ line }) => line),
    [
      "GET /token?service=the+registry&scope=repository%3Aother%3Apull",
      "GET /v2/other/manifests/v1",
    ],
  );
  assert.equal(registry.requests.at(-1)?.headers.authorization, "Bearer t2");
});

test("the caller who began a token's fetch and hangs up spoils it for nobody", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  withTokens(registry, "t1");
  const gate = createGate();
  registry.on(TOKENS, after(gate.opened, token("t1")));
  const leader = new AbortController();
  const first = ask(setup, "app", leader.signal);
  await registry.seen(TOKENS);
  const second = ask(setup);
  await registry.seen(MANIFESTS, 1);
  leader.abort(new Error("gone"));
  await assert.rejects(first, { message: "gone" });
  gate.open();
  assert.deepEqual(await second, SUBJECT);
  assert.equal(registry.count(TOKENS), 1);
});

const LIVES: readonly {
  readonly name: string;
  readonly expiresIn?: unknown;
  readonly usedForMs: number;
}[] = [
  { name: "of the life it says", expiresIn: 300, usedForMs: 270_000 },
  { name: "of no said life", usedForMs: 54_000 },
  { name: "of a life of nanoseconds", expiresIn: 300_000_000_000, usedForMs: 3_240_000 },
  { name: "of a negative life", expiresIn: -1, usedForMs: 54_000 },
  { name: "of a life in words", expiresIn: "300", usedForMs: 54_000 },
];

for (const { name, expiresIn, usedForMs } of LIVES) {
  test(`a token ${name} is used for ${usedForMs} ms`, async () => {
    await using registry = await startUnruly();
    let clock = 0;
    await using setup = createTestClient({ target: registry, now: () => clock });
    withTokens(registry, "t");
    registry.on(TOKENS, json({ access_token: "t", expires_in: expiresIn }));
    await ask(setup);
    clock = usedForMs - 1;
    await ask(setup);
    assert.equal(registry.count(TOKENS), 1);
    clock = usedForMs;
    await ask(setup);
    assert.equal(registry.count(TOKENS), 2);
  });
}

test("F-11 a token that expired early is dropped, fetched once and tried once", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  withTokens(registry, "t1", "t2");
  await ask(setup);
  registry.reset();
  withTokens(registry, "t2");
  assert.deepEqual(await ask(setup), SUBJECT);
  assert.equal(registry.count(MANIFESTS), 2);
  assert.equal(registry.count(TOKENS), 1);
});

test("F-11 ECR's 403 without a challenge means other credentials, once", async () => {
  await using registry = await startUnruly();
  const given = [ALICE, { ...ALICE, password: "fresh" }];
  await using setup = createTestClient({
    target: registry,
    credentials: async (refused) => given[refused === undefined ? 0 : 1],
  });
  registry.on(
    MANIFESTS,
    status(401, { "www-authenticate": "Basic" }),
    MANIFEST,
    errorOf(403, "DENIED"),
    MANIFEST,
  );
  assert.deepEqual(await ask(setup), SUBJECT);
  assert.deepEqual(await ask(setup), SUBJECT);
  assert.equal(registry.count(MANIFESTS), 4);
  assert.equal(registry.requests.at(-1)?.headers.authorization, basicHeader(given[1] ?? ALICE));
});

test("F-11 ECR Public's 400 for an expired token means another one, once", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  withTokens(registry, "t1", "t2", "t3");
  await ask(setup);
  registry.on(MANIFESTS, status(400), MANIFEST);
  assert.deepEqual(await ask(setup), SUBJECT);
  registry.on(MANIFESTS, status(400));
  assert.equal(reasonOf(await ask(setup)), "REGISTRY_ERROR");
  assert.equal(registry.count(MANIFESTS), 2 + 2 + 2);
});

test("F-11 who is denied for good is REGISTRY_UNAUTHORIZED, without asking the same twice", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry, credentials: async () => ALICE });
  registry.on(MANIFESTS, status(401, { "www-authenticate": "Basic" }), errorOf(403, "DENIED"));
  assert.equal(reasonOf(await ask(setup)), "REGISTRY_UNAUTHORIZED");
  assert.equal(registry.count(MANIFESTS), 2);
});

for (const { name, challenge } of [
  { name: "a name and a password that nobody has", challenge: () => "Basic" },
  {
    name: "a token from a service that is broken",
    challenge: (registry: Unruly) => bearer(registry),
  },
]) {
  test(`F-10 a registry that once asked for ${name} is asked again, and answers when it wants nothing any more`, async () => {
    await using registry = await startUnruly();
    await using setup = createTestClient({ target: registry });
    registry.on(/^GET \/token/, status(500));
    registry.on(MANIFESTS, status(401, { "www-authenticate": challenge(registry) }));
    assert.match(reasonOf(await ask(setup)) ?? "", /^REGISTRY_(?:UNAUTHORIZED|ERROR)$/);
    registry.on(MANIFESTS, MANIFEST);
    assert.equal(reasonOf(await ask(setup)), undefined);
  });
}

interface Refused {
  readonly name: string;
  readonly challenge: (registry: Unruly) => string;
  readonly tokens?: readonly [Answer, ...Answer[]];
  readonly want: string;
  /** Requests for the manifest and for tokens at most. */
  readonly most: readonly [number, number];
}

const REFUSED: readonly Refused[] = [
  {
    name: "F-10 a registry that refuses every token",
    challenge: bearer,
    tokens: [token("a"), token("b"), token("c")],
    want: "REGISTRY_UNAUTHORIZED",
    most: [2, 1],
  },
  {
    name: "F-10 a registry that refuses every name and password",
    challenge: () => "Basic",
    want: "REGISTRY_UNAUTHORIZED",
    most: [2, 0],
  },
  {
    name: "F-10 a challenge of 12 KiB",
    challenge: (registry) => bearer(registry, `,x="${"y".repeat(12_000)}"`),
    want: "REGISTRY_UNAUTHORIZED",
    most: [1, 0],
  },
  {
    name: "F-10 no challenge",
    challenge: () => "",
    want: "REGISTRY_UNAUTHORIZED",
    most: [1, 0],
  },
  {
    name: "F-10 a challenge of another scheme",
    challenge: () => "Negotiate abc==",
    want: "REGISTRY_UNAUTHORIZED",
    most: [1, 0],
  },
  {
    name: "F-10 a token service that answers 500",
    challenge: bearer,
    tokens: [status(500)],
    want: "REGISTRY_ERROR",
    most: [1, 2],
  },
  {
    name: "F-10 a token service that refuses the credentials",
    challenge: bearer,
    tokens: [status(403)],
    want: "REGISTRY_UNAUTHORIZED",
    most: [1, 1],
  },
  {
    name: "F-10 a token service that throttles",
    challenge: bearer,
    tokens: [status(429)],
    want: "REGISTRY_THROTTLED",
    most: [1, 1],
  },
  {
    name: "T-32 a token service that sends us elsewhere",
    challenge: bearer,
    tokens: [redirect("/v2/app/manifests/v1")],
    want: "REGISTRY_ERROR",
    most: [1, 1],
  },
  ...[
    { name: "is not JSON", body: "t1" },
    { name: "has no token", body: "{}" },
    { name: "names its token twice", body: '{"token":"a","Token":"b"}' },
    { name: "has a line break in its token", body: '{"token":"a\\r\\nX-Evil: 1"}' },
    { name: "has an empty token", body: '{"token":""}' },
    { name: "is too large", body: `{"token":"${"a".repeat(70_000)}"}` },
  ].map(({ name, body }): Refused => ({
    name: `F-10 a token answer that ${name}`,
    challenge: bearer,
    tokens: [reply({ body })],
    want: "REGISTRY_ERROR",
    most: [1, 1],
  })),
];

for (const { name, challenge, tokens, want, most } of REFUSED) {
  test(`${name} is ${want}`, async () => {
    await using registry = await startUnruly();
    await using setup = createTestClient({ target: registry, credentials: async () => ALICE });
    registry.on(MANIFESTS, status(401, { "www-authenticate": challenge(registry) }));
    if (tokens !== undefined) registry.on(TOKENS, ...tokens);
    assert.equal(reasonOf(await ask(setup)), want);
    assert.deepEqual([registry.count(MANIFESTS), registry.count(TOKENS)], most);
  });
}

test("F-10 realms that alternate cost two attempts", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  const realm = (path: string) =>
    status(401, { "www-authenticate": `Bearer realm="${registry.url}${path}"` });
  registry.on(
    MANIFESTS,
    realm("/token?a"),
    realm("/token?b"),
    realm("/token?a"),
    realm("/token?b"),
  );
  registry.on(TOKENS, token("a"), token("b"), token("c"));
  assert.equal(reasonOf(await ask(setup)), "REGISTRY_UNAUTHORIZED");
  assert.equal(registry.count(MANIFESTS), 2);
});

test("credentials that are missing or cannot be had are REGISTRY_UNAUTHORIZED", async () => {
  const sources = [
    async () => undefined,
    async () => undecided("REGISTRY_UNAUTHORIZED", "none today"),
    async () => Promise.reject(new Error("the path /secret")),
  ];
  for (const credentials of sources) {
    await using registry = await startUnruly();
    await using setup = createTestClient({ target: registry, credentials });
    registry.on(MANIFESTS, status(401, { "www-authenticate": "Basic" }));
    const verdict = await ask(setup);
    assert.equal(reasonOf(verdict), "REGISTRY_UNAUTHORIZED");
    assert.doesNotMatch(JSON.stringify(verdict), /secret/);
    assert.equal(registry.count(MANIFESTS), 1);
  }
});

// Every spelling that ends on a host of this machine, and what is none of the registry's.
const CANARY_REALMS = [
  "http://127.0.0.2:PORT/token",
  "https://127.0.0.2:PORT/token",
  "https://127.2:PORT/token",
  "https://2130706434:PORT/token",
  "https://0x7f000002:PORT/token",
  "https://0177.0.0.2:PORT/token",
  "https://[::ffff:127.0.0.2]:PORT/token",
  "https://[::ffff:7f00:2]:PORT/token",
  "//127.0.0.2:PORT/token",
  "https://HOST@127.0.0.2:PORT/token",
  "https://HOST.127.0.0.2:PORT/",
  "https://169.254.169.254/latest/meta-data",
  "http://169.254.169.254/latest/meta-data",
  "https://2852039166/latest",
  "https://[fd00:ec2::254]/latest",
  "file:///etc/passwd",
  "ftp://127.0.0.2:PORT/token",
  "token",
  "",
  "https://",
];

for (const realm of CANARY_REALMS) {
  test(`T-32 no token is asked for at ${JSON.stringify(realm)}`, async () => {
    await using registry = await startUnruly();
    await using canary = await startCanary();
    await using setup = createTestClient({
      target: registry,
      credentials: async () => ALICE,
      // Not even where the addresses are open: the host is not on the list.
      allowedAddresses: ["127.0.0.0/8"],
    });
    const url = realm.replace("PORT", String(canary.port)).replace("HOST", registry.host);
    registry.on(
      MANIFESTS,
      status(401, { "www-authenticate": `Bearer realm="${url}",service="s"` }),
    );
    assert.equal(reasonOf(await ask(setup)), "REGISTRY_UNAUTHORIZED");
    assert.deepEqual(canary.connections, []);
    assert.equal(registry.requests.length, 1);
  });
}

const DRESSED_REALMS = [
  { name: "a user", realm: "http://alice@HOST/token" },
  { name: "a password", realm: "http://:secret@HOST/token" },
  { name: "a fragment", realm: "http://HOST/token#x" },
];
for (const { name, realm } of DRESSED_REALMS) {
  test(`T-32 no token is asked for at the registry's own host by a realm with ${name}`, async () => {
    await using registry = await startUnruly();
    await using setup = createTestClient({ target: registry, credentials: async () => ALICE });
    withTokens(registry, "t1");
    const url = realm.replace("HOST", registry.host);
    registry.on(MANIFESTS, status(401, { "www-authenticate": `Bearer realm="${url}"` }));
    assert.equal(reasonOf(await ask(setup)), "REGISTRY_UNAUTHORIZED");
    assert.equal(registry.count(TOKENS), 0);
  });
}

test("T-32 a host on the list at a closed address is not connected to", async () => {
  await using registry = await startUnruly();
  await using canary = await startCanary();
  const [address = ""] = canary.addresses;
  const host = `${address}:${canary.port}`;
  await using setup = createTestClient({ target: registry, tokenHosts: [host, "localhost:1"] });
  for (const realm of [`https://${host}/token`, "https://localhost:1/token"]) {
    registry.on(MANIFESTS, status(401, { "www-authenticate": `Bearer realm="${realm}"` }));
    assert.equal(reasonOf(await ask(setup, `to-${realm.length}`)), "REGISTRY_UNREACHABLE");
  }
  assert.deepEqual(canary.connections, []);
});

test("T-32 https registry: a realm of the same host over plain http is refused", async () => {
  await using registry = await startUnruly({ tls: await issueLoopback() });
  await using setup = createTestClient({ target: registry, credentials: async () => ALICE });
  const realm = `http://${registry.host}/token`;
  registry.on(MANIFESTS, status(401, { "www-authenticate": `Bearer realm="${realm}"` }));
  assert.equal(reasonOf(await ask(setup)), "REGISTRY_UNAUTHORIZED");
  assert.equal(registry.connections(), 1);
});

test("a token service on the list gets the credentials, and the registry only the token", async () => {
  const tls = await issueLoopback();
  await using registry = await startUnruly({ tls });
  await using service = await startUnruly({ tls });
  await using setup = createTestClient({
    target: registry,
    credentials: async () => ALICE,
    tokenHosts: [service.host],
  });
  service.on(TOKENS, token("t1"));
  registry.on(
    MANIFESTS,
    guarded((shown) => shown === "Bearer t1", `Basic realm="x", ${bearer(service)}`, MANIFEST),
  );
  assert.deepEqual(await ask(setup), SUBJECT);
  assert.deepEqual(
    registry.requests.map(({ headers }) => headers.authorization),
    [undefined, "Bearer t1"],
  );
  assert.equal(service.requests[0]?.headers.authorization, basicHeader(ALICE));
});
