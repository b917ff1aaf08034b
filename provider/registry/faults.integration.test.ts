import assert from "node:assert/strict";
import test from "node:test";
import { gzipSync } from "node:zlib";
import {
  after,
  close,
  createGate,
  declare,
  drip,
  endless,
  headerFlood,
  raw,
  reply,
  reset,
  resetAfterHeaders,
  resetDuringHeaders,
  resetMidBody,
  silent,
  stall,
  status,
  type Answer,
} from "../../testing/registry/answers.ts";
import { createTestClient } from "../../testing/registry/client.ts";
import { startUnruly } from "../../testing/registry/unruly.ts";
import { digestOf } from "../image/digest.ts";
import { isRefusal, type Refusal } from "../verdict/verdict.ts";
import { MAX_BODY_BYTES } from "./http.ts";

const OCI = "application/vnd.oci.image.manifest.v1+json";
const BODY = JSON.stringify({ schemaVersion: 2, mediaType: OCI, config: {}, layers: [] });
const SUBJECT = { mediaType: OCI, digest: digestOf(BODY), size: BODY.length };
const PATH = "GET /v2/app/manifests/v1";
const never = new AbortController().signal;

const manifest = (body = BODY, headers: Readonly<Record<string, string>> = {}): Answer =>
  reply({ body, headers: { "content-type": OCI, ...headers } });

const reasonOf = (result: unknown): string | undefined =>
  isRefusal(result) ? result.reason : undefined;

interface Case {
  readonly name: string;
  readonly answers: readonly [Answer, ...Answer[]];
  /** A code, or undefined for the subject. */
  readonly want: Refusal["reason"] | undefined;
  /** Requests that it may cost. */
  readonly requests: number;
  readonly waits?: readonly number[];
  /** For faults that only time ends, in milliseconds. */
  readonly requestTimeoutMs?: number;
}

const soon = { requestTimeoutMs: 50 };
const huge = (bytes: number) => manifest(BODY.padEnd(bytes, " "));

const CASES: readonly Case[] = [
  ...[500, 502, 503, 504].flatMap((code): Case[] => [
    {
      name: `F-02 status ${code} is retried once`,
      answers: [status(code), manifest()],
      want: undefined,
      requests: 2,
    },
    {
      name: `F-02 status ${code} that stays is REGISTRY_ERROR`,
      answers: [status(code)],
      want: "REGISTRY_ERROR",
      requests: 2,
    },
  ]),
  {
    name: "F-03 throttling without Retry-After is retried once after a little",
    answers: [status(429), manifest()],
    want: undefined,
    requests: 2,
  },
  ...(
    [
      ["0", 0],
      ["1", 1000],
      ["Sat, 21 Nov 2026 10:00:01 GMT", 1000],
      ["Sat, 21 Nov 2026 09:00:00 GMT", 0],
    ] as const
  ).map(([value, wait]): Case => ({
    name: `F-03 Retry-After ${value} is honoured`,
    answers: [
      status(429, { "retry-after": value, date: "Sat, 21 Nov 2026 10:00:00 GMT" }),
      manifest(),
    ],
    want: undefined,
    requests: 2,
    waits: [wait],
  })),
  {
    name: "F-03 garbage in Retry-After is like none",
    answers: [status(429, { "retry-after": "-1 soon" }), manifest()],
    want: undefined,
    requests: 2,
  },
  {
    name: "F-03 Retry-After 3600 is not waited for",
    answers: [status(429, { "retry-after": "3600" }), manifest()],
    want: "REGISTRY_THROTTLED",
    requests: 1,
    waits: [],
  },
  {
    name: "F-03 throttling costs at most two requests",
    answers: [status(429, { "retry-after": "1" })],
    want: "REGISTRY_THROTTLED",
    requests: 2,
    waits: [1000],
  },
  {
    name: "F-04 reset before the headers",
    answers: [reset()],
    want: "REGISTRY_UNREACHABLE",
    requests: 1,
  },
  {
    name: "F-04 reset during the headers",
    answers: [resetDuringHeaders()],
    want: "REGISTRY_UNREACHABLE",
    requests: 1,
  },
  {
    name: "F-04 reset after the headers",
    answers: [resetAfterHeaders()],
    want: "REGISTRY_UNREACHABLE",
    requests: 1,
  },
  {
    name: "F-04 reset in the body",
    answers: [resetMidBody()],
    want: "REGISTRY_UNREACHABLE",
    requests: 1,
  },
  {
    name: "F-04 a body that ends before its length",
    answers: [raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "end")],
    want: "REGISTRY_UNREACHABLE",
    requests: 1,
  },
  {
    name: "F-04 something that is not HTTP",
    answers: [raw("SSH-2.0-OpenSSH_9.9\r\n", "stay")],
    want: "REGISTRY_ERROR",
    requests: 1,
  },
  {
    name: "F-05 silence",
    answers: [silent()],
    want: "REGISTRY_UNREACHABLE",
    requests: 1,
    ...soon,
  },
  {
    name: "F-05 a stall after the headers",
    answers: [stall()],
    want: "REGISTRY_UNREACHABLE",
    requests: 1,
    ...soon,
  },
  {
    name: "T-12 a drip that never pauses for long",
    answers: [drip(5, { "content-type": OCI })],
    want: "REGISTRY_UNREACHABLE",
    requests: 1,
    ...soon,
  },
  {
    name: "F-06 a manifest of exactly 4 MiB is read",
    answers: [huge(MAX_BODY_BYTES)],
    want: undefined,
    requests: 1,
  },
  {
    name: "F-06 a manifest of one byte more is refused",
    answers: [huge(MAX_BODY_BYTES + 1)],
    want: "REGISTRY_ERROR",
    requests: 1,
  },
  {
    name: "F-06 a length of 5 GiB is refused when it is said",
    answers: [declare(5 * 1024 ** 3)],
    want: "REGISTRY_ERROR",
    requests: 1,
  },
  {
    name: "T-12 a body without end is refused at the cap",
    answers: [endless({ "content-type": OCI })],
    want: "REGISTRY_ERROR",
    requests: 1,
  },
  {
    name: "T-12 3,000 headers are refused",
    answers: [headerFlood(3000)],
    want: "REGISTRY_ERROR",
    requests: 1,
  },
  {
    name: "F-07 a compressed body is refused",
    answers: [
      reply({
        body: gzipSync(BODY),
        headers: { "content-type": OCI, "content-encoding": "gzip" },
      }),
    ],
    want: "REGISTRY_ERROR",
    requests: 1,
  },
  {
    name: "F-07 an encoding of another name is refused",
    answers: [manifest(BODY, { "content-encoding": "br" })],
    want: "REGISTRY_ERROR",
    requests: 1,
  },
  {
    name: "an explanation without end does not hide its status",
    answers: [
      ({ response }) => {
        response.writeHead(404);
        response.write(Buffer.alloc(100_000));
      },
    ],
    want: "IMAGE_NOT_FOUND",
    requests: 1,
  },
  ...[300, 301, 302, 303, 307, 308].map((code): Case => ({
    name: `F-09 a manifest is not followed elsewhere by status ${code}`,
    answers: [status(code, { location: "/v2/app/manifests/v1" })],
    want: "REGISTRY_ERROR",
    requests: 1,
  })),
  {
    name: "a status that means nothing to a manifest is REGISTRY_ERROR",
    answers: [status(418)],
    want: "REGISTRY_ERROR",
    requests: 1,
  },
  {
    name: "a partial answer is no manifest",
    answers: [reply({ status: 206, body: BODY, headers: { "content-type": OCI } })],
    want: "REGISTRY_ERROR",
    requests: 1,
  },
];

/** Milliseconds after which a test gives up as a caller: far beyond what any takes. */
const BOUND = { timeout: 10_000 };

for (const { name, answers, want, requests, waits, ...overrides } of CASES) {
  test(name, BOUND, async ({ signal }) => {
    await using registry = await startUnruly();
    await using setup = createTestClient({ target: registry, ...overrides });
    registry.on(PATH, ...answers);
    const from = { registry: setup.host, repository: "app" };
    const result = await setup.client.subject(from, "v1", signal);
    assert.equal(reasonOf(result), want);
    assert.equal(registry.requests.length, requests);
    if (waits !== undefined) assert.deepEqual(setup.waits, waits);
    for (const ms of setup.waits) assert.ok(ms >= 0 && ms <= 1000, `${ms}`);
    const { length, 0: event } = setup.events;
    assert.deepEqual(
      [length, event],
      [1, { registry: setup.host, operation: "subject", outcome: want ?? "ok", durationMs: 0 }],
    );
  });
}

test("F-01 a caller who gives up is answered with its own reason, and the connection is ended", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  registry.on(PATH, silent());
  const caller = new AbortController();
  const from = { registry: setup.host, repository: "app" };
  const result = setup.client.subject(from, "v1", caller.signal);
  await registry.seen(PATH);
  const reason = new Error("the caller's deadline");
  caller.abort(reason);
  await assert.rejects(result, reason);
  assert.equal(setup.events.at(-1)?.outcome, "TIMEOUT");
  while (registry.openConnections() > 0) await new Promise(setImmediate);
});

test("F-01 one late answer holds up no other", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  const gate = createGate();
  registry.on(PATH, after(gate.opened, manifest()));
  registry.on("GET /v2/app/manifests/v2", manifest());
  const from = { registry: setup.host, repository: "app" };
  const late = setup.client.subject(from, "v1", never);
  await registry.seen(PATH);
  assert.deepEqual(await setup.client.subject(from, "v2", never), SUBJECT);
  gate.open();
  assert.deepEqual(await late, SUBJECT);
});

test("F-04 a connection that is refused is REGISTRY_UNREACHABLE", async () => {
  const registry = await startUnruly();
  await registry[Symbol.asyncDispose]();
  await using setup = createTestClient({ target: registry });
  const from = { registry: setup.host, repository: "app" };
  assert.equal(reasonOf(await setup.client.subject(from, "v1", never)), "REGISTRY_UNREACHABLE");
});

test("F-04 a kept connection that the server closed meanwhile costs one retry and no failure", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  registry.on(PATH, manifest(), close(), manifest());
  const from = { registry: setup.host, repository: "app" };
  assert.deepEqual(await setup.client.subject(from, "v1", never), SUBJECT);
  assert.deepEqual(await setup.client.subject(from, "v1", never), SUBJECT);
  assert.equal(registry.count(PATH), 3);
  assert.equal(registry.connections(), 2);
});

test("F-04 a server that closes every connection is retried once and no more", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  registry.on(PATH, manifest(), close());
  const from = { registry: setup.host, repository: "app" };
  await setup.client.subject(from, "v1", never);
  assert.equal(reasonOf(await setup.client.subject(from, "v1", never)), "REGISTRY_UNREACHABLE");
  assert.equal(registry.count(PATH), 3);
});

test("connections are kept from one request to the next", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  registry.on(PATH, manifest());
  const from = { registry: setup.host, repository: "app" };
  for (let count = 0; count < 5; count += 1) await setup.client.subject(from, "v1", never);
  assert.equal(registry.connections(), 1);
});

test("every request asks for what it can read, and for nothing encoded", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  registry.on(PATH, manifest());
  await setup.client.subject({ registry: setup.host, repository: "app" }, "v1", never);
  const headers = registry.requests[0]?.headers;
  assert.equal(headers?.["accept-encoding"], "identity");
  assert.equal(headers?.authorization, undefined);
  assert.deepEqual(headers?.accept?.split(", "), [
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
  ]);
});

test("T-13 a registry that hangs holds its own places and no more", async () => {
  await using hanging = await startUnruly();
  await using good = await startUnruly();
  hanging.on(/./, silent());
  good.on(PATH, manifest());
  await using stuck = createTestClient({ target: hanging, concurrency: 2, maxWaiting: 1 });
  await using free = createTestClient({ target: good, concurrency: 2, maxWaiting: 1 });
  const caller = new AbortController();
  const from = { registry: stuck.host, repository: "app" };
  const ask = () => stuck.client.subject(from, "v1", caller.signal);
  const held = [ask(), ask(), ask()];
  assert.equal(reasonOf(await ask()), "OVERLOADED");
  await hanging.seen(PATH, 2);
  assert.deepEqual(
    await free.client.subject({ registry: free.host, repository: "app" }, "v1", never),
    SUBJECT,
  );
  caller.abort(new Error("enough"));
  for (const result of held) await assert.rejects(result, { message: "enough" });
  assert.equal(hanging.count(PATH), 2);
});

test("F-02 a registry that fails again and again is left alone, then tried with one request", async () => {
  await using registry = await startUnruly();
  let clock = 0;
  await using setup = createTestClient({ target: registry, now: () => clock });
  registry.on(PATH, status(500));
  const from = { registry: setup.host, repository: "app" };
  const ask = async () => reasonOf(await setup.client.subject(from, "v1", never));
  for (let count = 0; count < 10; count += 1) assert.equal(await ask(), "REGISTRY_ERROR");
  assert.equal(registry.count(PATH), 20);
  assert.equal(await ask(), "REGISTRY_ERROR");
  assert.equal(registry.count(PATH), 20);
  clock += 2000;
  const gate = createGate();
  registry.on(PATH, after(gate.opened, manifest()), manifest());
  const probe = ask();
  await registry.seen(PATH, 21);
  assert.equal(await ask(), "REGISTRY_ERROR");
  gate.open();
  assert.equal(await probe, undefined);
  assert.equal(await ask(), undefined);
});

test("F-03 a registry that asks for a longer pause gets it", async () => {
  await using registry = await startUnruly();
  let clock = 0;
  await using setup = createTestClient({ target: registry, now: () => clock });
  registry.on(PATH, status(429, { "retry-after": "5" }), manifest());
  const from = { registry: setup.host, repository: "app" };
  const ask = async () => reasonOf(await setup.client.subject(from, "v1", never));
  assert.equal(await ask(), "REGISTRY_THROTTLED");
  assert.equal(await ask(), "REGISTRY_THROTTLED");
  assert.equal(registry.count(PATH), 1);
  clock += 5000;
  assert.equal(await ask(), undefined);
});

test("F-03 who tries whether a pause is over does so to the end, though its caller hangs up", async () => {
  await using registry = await startUnruly();
  let clock = 0;
  await using setup = createTestClient({ target: registry, now: () => clock });
  const gate = createGate();
  registry.on(
    PATH,
    status(429, { "retry-after": "5" }),
    after(gate.opened, manifest()),
    manifest(),
  );
  const from = { registry: setup.host, repository: "app" };
  assert.equal(reasonOf(await setup.client.subject(from, "v1", never)), "REGISTRY_THROTTLED");
  clock += 5000;
  const caller = new AbortController();
  const trying = setup.client.subject(from, "v1", caller.signal);
  await registry.seen(PATH, 2);
  caller.abort(new Error("enough"));
  await assert.rejects(trying, { message: "enough" });
  // It goes on: nobody else tries meanwhile.
  assert.equal(reasonOf(await setup.client.subject(from, "v1", never)), "REGISTRY_THROTTLED");
  assert.equal(registry.count(PATH), 2);
  gate.open();
  while (reasonOf(await setup.client.subject(from, "v1", never)) !== undefined)
    await new Promise(setImmediate);
  assert.equal(registry.count(PATH), 3);
});

test("after close nothing is asked and nothing is left open", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  registry.on(PATH, silent());
  const from = { registry: setup.host, repository: "app" };
  const result = setup.client.subject(from, "v1", never);
  await registry.seen(PATH);
  await setup.client.close();
  assert.equal(reasonOf(await result), "REGISTRY_UNREACHABLE");
  while (registry.openConnections() > 0) await new Promise(setImmediate);
});
