import assert from "node:assert/strict";
import { once } from "node:events";
import { after, test } from "node:test";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { goBody, isProviderResponse, type RawAnswer } from "../../testing/gatekeeper/caller.ts";
import {
  decision,
  refuseAll,
  type Service,
  startService,
} from "../../testing/gatekeeper/service.ts";
import { undecided } from "../verdict/verdict.ts";

const MANY = 1024 * 1024;
const service = await startService({
  pin: async (keys) =>
    keys.map((key) => ({ key, result: { kind: "pinned", image: `${key}@pinned` }, durationMs: 0 })),
  limits: { headersTimeoutMs: 300, requestTimeoutMs: 300, checkIntervalMs: 50 },
});
after(async () => {
  await service[Symbol.asyncDispose]();
});
const caller = service.caller();
const { authorities } = service;

/** What every answer must be, whatever its status. @returns its systemError */
function failureOf({ raw, headers }: Pick<RawAnswer, "raw" | "headers">): string | undefined {
  assert.equal(headers["content-type"], "application/json");
  const parsed: unknown = JSON.parse(raw);
  assert.ok(isProviderResponse(parsed), raw);
  assert.equal(parsed.apiVersion, "externaldata.gatekeeper.sh/v1beta1");
  assert.equal(parsed.response.idempotent, false);
  assert.deepEqual(parsed.response.items, []);
  return parsed.response.systemError;
}

const tls = ({ authorities, port }: Service = service): ConnectionOptions => ({
  host: "127.0.0.1",
  port,
  ca: authorities.ca,
  cert: authorities.gatekeeper.cert,
  key: authorities.gatekeeper.key,
});

/** Sends bytes as they are. @returns everything that came back until the server closed the connection */
async function sendRaw(...parts: readonly string[]): Promise<string> {
  const socket: TLSSocket = connect(tls());
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
  });
  const closed = once(socket, "close");
  for (const part of parts) socket.write(part);
  await closed;
  return text;
}

/** Takes the answers of one connection apart. */
function readRaw(text: string): readonly RawAnswer[] {
  const answers: RawAnswer[] = [];
  let rest = text;
  while (rest !== "") {
    const end = rest.indexOf("\r\n\r\n");
    const [line = "", ...lines] = rest.slice(0, end).split("\r\n");
    const headers = Object.fromEntries(
      lines.map((header) => {
        const colon = header.indexOf(":");
        return [header.slice(0, colon).toLowerCase(), header.slice(colon + 1).trim()];
      }),
    );
    const length = Number(headers["content-length"]);
    const raw = rest.slice(end + 4, end + 4 + length);
    answers.push({ status: Number(line.split(" ")[1]), headers, raw });
    rest = rest.slice(end + 4 + length);
  }
  return answers;
}

test("a key is answered byte for byte, Go's escapes undone", async () => {
  const key = "a<b>&\u2028é";
  const { status, headers, response } = await caller.ask([key, key]);
  assert.equal(status, 200);
  assert.equal(headers["content-type"], "application/json");
  assert.deepEqual(response.response, {
    idempotent: false,
    items: [{ key, error: "UNSIGNED: no signature found" }],
  });
});

test("/mutate answers images and is idempotent", async () => {
  const { status, response } = await caller.ask(["a"], { path: "/mutate" });
  assert.equal(status, 200);
  assert.deepEqual(response.response, {
    idempotent: true,
    items: [{ key: "a", value: "a@pinned" }],
  });
});

const paths = [
  "//validate",
  "/validate/",
  "/VALIDATE",
  "/Validate",
  "/%76alidate",
  "/validate%2f",
  "/validate%2F..%2Fmutate",
  "/x/../validate",
  "/./validate",
  "/validate;x",
  "/validate#x",
  "/validate\\",
  "/",
  "/readyz",
  "/metrics",
  "*",
  "https://127.0.0.1/validate",
];
for (const path of paths) {
  test(`T-38 ${path} is 404, with a ProviderResponse`, async () => {
    const body = goBody(["a"]);
    const text = await sendRaw(
      `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const [answer, ...more] = readRaw(text);
    assert.ok(answer);
    assert.deepEqual(more, []);
    assert.equal(answer.status, 404);
    assert.match(failureOf(answer) ?? "", /^BAD_REQUEST: /);
  });
}

test("a query of the Provider's URL does not change the route", async () => {
  const { status } = await caller.ask(["a"], { path: "/validate?cluster=blue" });
  assert.equal(status, 200);
});

const json = { "Content-Type": "application/json" };
const refused = [
  { name: "GET", send: { method: "GET" }, status: 405 },
  { name: "PUT", send: { method: "PUT" }, status: 405 },
  { name: "OPTIONS", send: { method: "OPTIONS" }, status: 405 },
  { name: "DELETE of an unknown path", send: { method: "DELETE", path: "/x" }, status: 404 },
  { name: "no Content-Type", send: { headers: { "Content-Type": undefined } }, status: 415 },
  { name: "text", send: { headers: { "Content-Type": "text/plain" } }, status: 415 },
  {
    name: "JSON's cousin",
    send: { headers: { "Content-Type": "application/jsonp" } },
    status: 415,
  },
  { name: "gzip", send: { headers: { ...json, "Content-Encoding": "gzip" } }, status: 415 },
  { name: "no Host", send: { headers: { Host: undefined } }, status: 400 },
  { name: "no body", body: "", status: 400 },
  { name: "a body that is not JSON", body: "{", status: 400 },
  { name: "F-39 a key that is a number", body: goBody(["a"]).replace('"a"', "1"), status: 400 },
  { name: "F-39 a key that is null", body: goBody(["a"]).replace('"a"', "null"), status: 400 },
  { name: "F-39 a key that is an object", body: goBody(["a"]).replace('"a"', "{}"), status: 400 },
  {
    name: "F-39 bytes that are not UTF-8",
    body: Buffer.from(goBody(["\u00ff"]), "latin1"),
    status: 400,
  },
  { name: "F-37 1,001 keys", body: goBody(Array<string>(1_001).fill("a")), status: 413 },
  { name: "a body of 1 MiB and a byte", body: "x".repeat(MANY + 1), status: 413 },
  { name: "a body of 5 MiB", body: "x".repeat(5 * MANY), status: 413 },
];
for (const { name, body = goBody(["a"]), send = {}, status } of refused) {
  test(`${name} is ${status}, with a ProviderResponse`, async () => {
    const answer = await caller.send(body, send);
    assert.equal(answer.status, status);
    assert.match(failureOf(answer) ?? "", /^BAD_REQUEST: /);
    assert.equal(answer.headers.allow, status === 405 ? "POST" : undefined);
  });
}

const accepted = [
  { name: "F-37 no keys at all", body: goBody([]), items: 0 },
  { name: "F-37 null for keys", body: goBody(["a"]).replace('["a"]', "null"), items: 0 },
  { name: "F-37 an empty list", body: goBody(["a"]).replace('["a"]', "[]"), items: 0 },
  {
    name: "F-37 1,000 keys",
    body: goBody(Array.from({ length: 1_000 }, (_, index) => `image-${index}`)),
    items: 1_000,
  },
  { name: "F-39 a key of 1 KiB and a byte", body: goBody(["a".repeat(1_025)]), items: 1 },
  { name: "F-39 a key of 64 KiB", body: goBody(["a".repeat(65_536)]), items: 1 },
  { name: "F-39 a key that fills the body", body: goBody(["a".repeat(MANY - 200)]), items: 1 },
  { name: "F-39 a lone surrogate", body: goBody(["\ud800"]), items: 1 },
];
for (const { name, body, items } of accepted) {
  test(`${name}: 200, each key answered as it was sent`, async () => {
    const { status, raw } = await caller.send(body);
    const parsed: unknown = JSON.parse(raw);
    assert.ok(isProviderResponse(parsed));
    assert.equal(status, 200);
    assert.equal(parsed.response.items.length, items);
    assert.equal(parsed.response.systemError, undefined);
    const sent = (JSON.parse(body) as { request: { keys?: string[] } }).request.keys ?? [];
    assert.deepEqual(
      parsed.response.items.map(({ key }) => key),
      sent,
    );
  });
}

test("the media type's parameters and case do not matter", async () => {
  const headers = { "Content-Type": "Application/JSON; charset=utf-8" };
  const { status } = await caller.send(goBody(["a"]), { headers });
  assert.equal(status, 200);
});

const hostile = {
  "X-Forwarded-Host": "evil.example",
  "X-Forwarded-For": "10.0.0.1",
  "X-Forwarded-Proto": "http",
  Forwarded: "host=evil.example",
  Referer: "https://evil.example/",
  "X-HTTP-Method-Override": "GET",
  Host: "evil.example:1, b@[::1",
  Expect: "something",
  Upgrade: "h2c",
};
/** A request with members of any names beside its keys. */
const withMembers = (members: string): string =>
  `{"apiVersion":"externaldata.gatekeeper.sh/v1beta1","kind":"ProviderRequest","request":{"keys":["a"]${members}}}`;
/** As many members as a body of 1 MiB holds. */
const members = (name: (index: number) => string): string =>
  Array.from({ length: 70_000 }, (_, index) => `,"${name(index)}":0`).join("");

for (const { name, body, status } of [
  { name: "T-51 names that are integers", body: withMembers(members(String)), status: 200 },
  {
    // Strings of up to seven digits carry their own value as their hash.
    name: "T-51 integers that are multiples of a power of two",
    body: withMembers(members((index) => String(index * 128))),
    status: 200,
  },
  { name: "T-52 1 MiB of opening brackets", body: "[".repeat(MANY), status: 400 },
  { name: "T-52 200,000 levels of objects", body: '{"a":'.repeat(200_000), status: 400 },
  {
    name: "T-52 500,000 levels that are closed again",
    body: withMembers(`,"x":${"[".repeat(500_000)}${"]".repeat(500_000)}`),
    status: 200,
  },
]) {
  test(`${name} are ${status}, twenty times over, and the next request is answered`, async () => {
    assert.ok(Buffer.byteLength(body) <= MANY);
    // In time that is more than linear these would take minutes.
    for (let count = 0; count < 20; count += 1) {
      const answer = await caller.send(body);
      assert.equal(answer.status, status);
      if (status !== 200) assert.match(failureOf(answer) ?? "", /^BAD_REQUEST: /);
    }
    assert.equal((await caller.ask(["a"])).status, 200);
  });
}

test("T-54 headers that frameworks trust change nothing", async () => {
  const plain = await caller.send(goBody(["a"]));
  const forged = await caller.send(goBody(["a"]), { headers: hostile });
  assert.equal(forged.status, 200);
  assert.equal(forged.raw, plain.raw);
});

const request = (headers: string, body: string): string =>
  `POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${headers}\r\n\r\n${body}`;
const body = goBody(["a"]);
const length = `Content-Length: ${body.length}`;
const chunk = (extension: string): string =>
  `${body.length.toString(16)}${extension}\r\n${body}\r\n0\r\n\r\n`;
const smuggled = [
  { name: "two Content-Length", text: request(`${length}\r\nContent-Length: 0`, body) },
  { name: "the same Content-Length twice", text: request(`${length}\r\n${length}`, body) },
  { name: "Content-Length with a list", text: request(`${length}, ${body.length}`, body) },
  { name: "Content-Length with a sign", text: request(`Content-Length: +${body.length}`, body) },
  {
    name: "Content-Length with Transfer-Encoding",
    text: request(`${length}\r\nTransfer-Encoding: chunked`, chunk("")),
  },
  { name: "Transfer-Encoding alone", text: request("Transfer-Encoding: chunked", chunk("")) },
  {
    name: "an unknown Transfer-Encoding",
    text: request(`Transfer-Encoding: xchunked`, chunk("")),
  },
  { name: "chunk extensions", text: request("Transfer-Encoding: chunked", chunk(";a=b")) },
  {
    name: "a chunk extension with a bare line feed",
    text: request("Transfer-Encoding: chunked", chunk(";\n")),
  },
  { name: "a bare line feed", text: request(length, body).replaceAll("\r\n", "\n") },
  { name: "one bare line feed", text: request(length, body).replace("Host: x\r\n", "Host: x\n") },
  { name: "a blank before the colon", text: request(length.replace(":", " :"), body) },
  { name: "an obsolete fold", text: request(`X-A: b\r\n c: d\r\n${length}`, body) },
  { name: "NUL in a header", text: request(`X-A: b\0c\r\n${length}`, body) },
  { name: "two Host headers", text: request(`Host: y\r\n${length}`, body) },
];
for (const { name, text } of smuggled) {
  test(`T-53 ${name} is 400, the connection closed, nothing behind it read`, async () => {
    const [answer, ...more] = readRaw(await sendRaw(text, request(length, body)));
    assert.ok(answer);
    assert.equal(answer.status, 400);
    assert.equal(answer.headers.connection, "close");
    assert.match(failureOf(answer) ?? "", /^BAD_REQUEST: /);
    assert.deepEqual(more, []);
  });
}

const early = [
  { name: "garbage", text: "\x16\x03\x01 hello\r\n\r\n", status: 400 },
  { name: "HTTP/2's preface", text: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", status: 400 },
  { name: "64 KiB of headers", text: request(`X-A: ${"a".repeat(65_536)}`, ""), status: 431 },
  { name: "headers that never end", text: "POST /validate HTTP/1.1\r\nHost: x\r\n", status: 408 },
];
for (const { name, text, status } of early) {
  test(`${name}: ${status} with a ProviderResponse before the app`, async () => {
    const [answer] = readRaw(await sendRaw(text));
    assert.ok(answer);
    assert.equal(answer.status, status);
    assert.match(failureOf(answer) ?? "", /^BAD_REQUEST: /);
    assert.deepEqual(service.requests.at(-1), { route: "none", status, durationMs: 0 });
  });
}

test("a connection that was opened ahead of its request is not cut as a slow one", async (t) => {
  const socket = connect(tls());
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  await once(socket, "secureConnect");
  // Time passes on the server: another connection, opened later, has run into the time-out for headers.
  await sendRaw("POST /validate HTTP/1.1\r\n");
  await sendRaw("POST /validate HTTP/1.1\r\n");
  socket.write(request(length, body));
  const [data] = (await once(socket.setEncoding("latin1"), "data")) as [string];
  assert.equal(readRaw(data)[0]?.status, 200);
});

test("a body that does not arrive is 408 by its own deadline", async () => {
  await using slow = await startService({ authorities, app: { bodyTimeoutMs: 50 } });
  const socket = connect(tls(slow));
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  socket.write(request("Content-Length: 100", "{"));
  let text = "";
  socket.setEncoding("latin1").on("data", (data: string) => {
    text += data;
  });
  await once(socket, "close");
  const [answer] = readRaw(text);
  assert.ok(answer);
  assert.equal(answer.status, 408);
  assert.equal(answer.headers.connection, "close");
  assert.match(failureOf(answer) ?? "", /^BAD_REQUEST: /);
});

test("the time of a request runs from its arrival, and its body is part of it", async () => {
  let time = 1_000;
  const began: unknown[] = [];
  await using timed = await startService({
    authorities,
    now: () => time,
    async decide(keys, signal, since) {
      began.push(since);
      return await refuseAll(keys, signal);
    },
    async pin(_keys, _signal, since) {
      began.push(since);
      return [];
    },
  });
  for (const path of ["/validate", "/mutate"]) {
    const socket = connect(tls(timed));
    const headers = `Connection: close\r\nExpect: 100-continue\r\n${length}`;
    socket.write(request(headers, "").replace("/validate", path));
    // Node says this as it hands the request to the app.
    const [said] = (await once(socket.setEncoding("latin1"), "data")) as [string];
    assert.match(said, /^HTTP\/1.1 100 /);
    time += 1_500;
    socket.end(body);
    const [data] = (await once(socket, "data")) as [string];
    assert.equal(readRaw(data)[0]?.status, 200);
    await once(socket, "close");
  }
  assert.deepEqual(began, [1_000, 2_500]);
});

test("T-61 another leaf of the same CA gets a 403, on every path, and its connection closed", async (t) => {
  const stranger = await authorities.gatekeeper.issue({ name: "other.gatekeeper-system.svc" });
  const other = service.caller(stranger);
  for (const path of ["/validate", "/mutate", "/x"]) {
    await t.test(path, async () => {
      const answer = await other.send(goBody(["a"]), { path });
      assert.equal(answer.status, 403);
      assert.equal(answer.headers.connection, "close");
      assert.match(failureOf(answer) ?? "", /^BAD_REQUEST: /);
    });
  }
});

const name = "gatekeeper-webhook-service.gatekeeper-system.svc";
const strangers = [
  { title: "the name as common name beside another", name, dns: ["other.svc"] },
  { title: "the name as common name alone", name, dns: [] },
  { title: "a wildcard that covers it", name: "x", dns: ["*.gatekeeper-system.svc"] },
  { title: "a name that quotes it", name: "x", dns: [`a, DNS:${name}, DNS:b`] },
  { title: "a longer name", name: "x", dns: [`${name}.example`, `x.${name}`] },
];
for (const { title, ...leaf } of strangers) {
  test(`T-61 ${title} is not enough`, async () => {
    const other = service.caller(await authorities.gatekeeper.issue(leaf));
    assert.equal((await other.send(goBody(["a"]))).status, 403);
  });
}

test("T-61 the name among others is enough", async () => {
  const leaf = await authorities.gatekeeper.issue({ name: "x", dns: ["a", name] });
  assert.equal((await service.caller(leaf).ask(["a"])).status, 200);
});

const throwing = [
  { path: "/validate", thrown: new Error("secret 10.1.2.3 /var/run/token") },
  { path: "/validate", thrown: Object.assign(new Error("x"), { status: 418, expose: true }) },
  { path: "/validate", thrown: "a string" },
  { path: "/validate", thrown: undefined },
  { path: "/mutate", thrown: new RangeError("deep") },
];
for (const { path, thrown } of throwing) {
  test(`T-56 ${path} that throws ${String(thrown)} is 500 with a systemError`, async () => {
    const fail = async (): Promise<never> => await Promise.reject(thrown);
    await using failing = await startService({ authorities, decide: fail, pin: fail });
    const answer = await failing.caller().send(goBody(["a"]), { path });
    assert.equal(answer.status, 500);
    assert.equal(failureOf(answer), "INTERNAL_ERROR: the provider failed on this request");
    assert.deepEqual(failing.errors, [thrown]);
    assert.equal(failing.requests.at(-1)?.status, 500);
  });
}

test("T-56 an observer that throws costs its own request alone", async () => {
  await using failing = await startService({
    authorities,
    observeDecisions: () => {
      throw new Error("observer");
    },
  });
  const kept = failing.caller();
  assert.equal((await kept.send(goBody(["a"]))).status, 500);
  assert.equal((await kept.send(goBody([]))).status, 500);
});

test("undecided keys are left out and named in systemError, with status 200", async () => {
  await using service = await startService({
    authorities,
    decide: async ([first = "", second = ""]) => [
      decision(first),
      decision(second, { verdict: undecided("TIMEOUT", "not decided in time") }),
    ],
  });
  const { status, response } = await service.caller().ask(["a", "b"]);
  assert.equal(status, 200);
  assert.deepEqual(response.response, {
    idempotent: false,
    items: [{ key: "a", error: "UNSIGNED: no signature found" }],
    systemError: "b: TIMEOUT: not decided in time",
  });
});

test("a caller that hangs up aborts the decision's signal", async () => {
  const asked = Promise.withResolvers<AbortSignal>();
  const answered = Promise.withResolvers<void>();
  await using hanging = await startService({
    authorities,
    decide: async (keys, signal) => {
      asked.resolve(signal);
      await answered.promise;
      return await refuseAll(keys, signal);
    },
  });
  const gatekeeper = new AbortController();
  const lost = hanging.caller().ask(["a"], { signal: gatekeeper.signal });
  const signal = await asked.promise;
  assert.equal(signal.aborted, false);
  gatekeeper.abort();
  await assert.rejects(lost, { name: "AbortError" });
  if (!signal.aborted) await once(signal, "abort");
  answered.resolve();
  // The next request is answered, and the lost one was counted as lost.
  assert.equal((await hanging.caller().ask(["b"])).status, 200);
  assert.deepEqual(
    hanging.requests.map(({ status }) => status),
    [499, 200],
  );
});

test("the signal of a request that was answered does not abort while its connection lives", async () => {
  const signals: AbortSignal[] = [];
  await using service = await startService({
    authorities,
    decide: async (keys, signal) => {
      signals.push(signal);
      return await refuseAll(keys, signal);
    },
  });
  const kept = service.caller();
  await kept.ask(["a"]);
  await kept.ask(["b"]);
  assert.deepEqual(
    signals.map(({ aborted }) => aborted),
    [false, false],
  );
});

const SIZES = [
  {
    name: "an answer that a socket takes at once keeps its connection",
    keys: 20,
    connection: "keep-alive",
  },
  {
    name: "a large answer ends its connection, before the next request can come too early for Node",
    keys: 900,
    connection: "close",
  },
];
for (const { name, keys, connection } of SIZES) {
  test(name, async () => {
    const asked = Array.from({ length: keys }, (_, index) => `registry.example/app:${index}`);
    const { status, headers, response } = await caller.ask(asked, { path: "/mutate" });
    assert.deepEqual([status, response.response.items.length], [200, keys]);
    assert.equal(headers["connection"], connection);
  });
}

test("large answers one after the other lose no request", async () => {
  const keys = Array.from(
    { length: 1000 },
    (_, index) => `registry.example/${"a".repeat(100)}:${index}`,
  );
  for (let round = 0; round < 50; round += 1) {
    const { response } = await caller.ask(keys, { path: "/mutate" });
    assert.equal(response.response.items.length, keys.length);
  }
});
