import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import { test, type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { listen } from "../loopback.ts";
import { createCaller, goBody } from "./caller.ts";
import { createAuthorities } from "./certificates.ts";

const authorities = await createAuthorities();
const EMPTY = `{"apiVersion":"v","kind":"ProviderResponse","response":{"items":[]}}`;

/** A server that answers as it is told, and ends with the test. @returns its URL and its connections so far */
async function serve(
  t: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
) {
  const { ca, gatekeeper, serving } = authorities;
  const tls = { ...serving, ca: gatekeeper.ca, requestCert: true, minVersion: "TLSv1.3" } as const;
  const server = createServer({ ...tls, keepAliveTimeout: 60_000 }, answer);
  const connections: unknown[] = [];
  server.on("secureConnection", (socket) => connections.push(socket));
  const { port, end } = await listen(server);
  const url = `https://127.0.0.1:${port}`;
  const { cert, key } = gatekeeper;
  const caller = (mode: "kept" | "perCall" = "kept") => {
    const made = createCaller({ url, ca, cert, key, mode });
    t.after(async () => {
      await made.close();
    });
    return made;
  };
  t.after(async () => await end());
  return { url, caller, connections };
}

test("a request has the headers that Go writes, in Go's order, and no others", async (t) => {
  const seen: string[][] = [];
  const { caller, url } = await serve(t, (request, response) => {
    seen.push(request.rawHeaders);
    response.end(EMPTY);
  });
  await caller().ask(["a"]);
  const headers = [
    ["Host", url.slice("https://".length)],
    ["User-Agent", "Go-http-client/1.1"],
    ["Content-Length", String(goBody(["a"]).length)],
    ["Content-Type", "application/json"],
    ["Accept-Encoding", "gzip"],
  ];
  assert.deepEqual(seen, [headers.flat()]);
});

test("a body is what Go's encoder writes", () => {
  const start = `{"apiVersion":"externaldata.gatekeeper.sh/v1beta1","kind":"ProviderRequest","request":`;
  assert.equal(goBody(["<&>\u2028"]), String.raw`${start}{"keys":["\u003c\u0026\u003e\u2028"]}}`);
  assert.equal(goBody([]), `${start}{}}`);
});

test("a gzip answer is decoded, and what is no ProviderResponse is an error", async (t) => {
  const { caller } = await serve(t, (request, response) => {
    response.setHeader("Content-Encoding", "gzip");
    response.end(gzipSync(request.url === "/validate" ? EMPTY : "{}"));
  });
  assert.equal((await caller().ask(["a"])).raw, EMPTY);
  await assert.rejects(caller().ask(["a"], { path: "/x" }), { name: "SyntaxError" });
});

test("kept: calls in turn share a connection, and of many at once ten are kept", async (t) => {
  const waiting: ServerResponse[] = [];
  const { caller, connections } = await serve(t, (request, response) => {
    if (request.url === "/validate") response.end(EMPTY);
    else if (waiting.push(response) === 16) for (const each of waiting) each.end(EMPTY);
  });
  const kept = caller();
  for (let index = 0; index < 5; index += 1) await kept.ask(["a"]);
  assert.equal(connections.length, 1);
  await Promise.all(Array.from({ length: 16 }, async () => await kept.ask(["a"], { path: "/x" })));
  assert.equal(connections.length, 16);
  while (kept.connections() > 10) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(kept.connections(), 10);
});

test("perCall: each call has a connection, which is left open", async (t) => {
  const { caller, connections } = await serve(t, (_request, response) => response.end(EMPTY));
  const old = caller("perCall");
  for (let index = 0; index < 3; index += 1) await old.ask(["a"]);
  assert.equal(connections.length, 3);
  assert.equal(old.connections(), 3);
});

test("a connection that breaks is an error, and nothing is tried again", async (t) => {
  const asked: string[] = [];
  const { caller } = await serve(t, (request, response) => {
    asked.push(request.url ?? "");
    if (asked.length === 1) response.end(EMPTY);
    else request.socket.destroy();
  });
  const kept = caller();
  await kept.ask(["a"]);
  await assert.rejects(kept.ask(["a"]), { code: "ECONNRESET" });
  assert.equal(asked.length, 2);
});
