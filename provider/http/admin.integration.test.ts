import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { test, type TestContext } from "node:test";
import { type AdminOptions, createAdmin } from "./admin.ts";

interface Page {
  readonly status: number | undefined;
  readonly type: string | undefined;
  readonly text: string;
}

/** Starts an admin listener that ends with the test. @returns asks it */
async function start(t: TestContext, options: Partial<AdminOptions> = {}) {
  const errors: unknown[] = [];
  const admin = createAdmin({
    address: "127.0.0.1",
    port: 0,
    checks: () => [],
    metrics: async () => "# none\n",
    metricsType: "text/plain; version=0.0.4; charset=utf-8",
    onError: (error) => errors.push(error),
    ...options,
  });
  t.after(async () => {
    await admin.close();
  });
  const { port } = await admin.listen();
  const ask = async (path: string, method = "GET"): Promise<Page> => {
    const outgoing = request({ host: "127.0.0.1", port, path, method, agent: false });
    outgoing.end();
    const [message] = (await once(outgoing, "response")) as [IncomingMessage];
    let text = "";
    for await (const chunk of message.setEncoding("utf8")) text += String(chunk);
    return { status: message.statusCode, type: message.headers["content-type"], text };
  };
  return { ask, port, errors };
}

const TEXT = "text/plain; charset=utf-8";
const good = { name: "trust", ok: true, detail: "2 policies" };
const plain = { name: "notation", ok: true };
const bad = { name: "certificate", ok: false, detail: "expired" };

const pages = [
  { path: "/livez", checks: [bad], want: { status: 200, type: TEXT, text: "ok\n" } },
  { path: "/readyz", checks: [good, plain], want: { status: 200, type: TEXT, text: "ok\n" } },
  {
    path: "/readyz?verbose",
    checks: [good, plain],
    want: {
      status: 200,
      type: TEXT,
      text: "[+]trust ok: 2 policies\n[+]notation ok\nreadyz check passed\n",
    },
  },
  {
    path: "/readyz",
    checks: [good, bad],
    want: {
      status: 503,
      type: TEXT,
      text: "[+]trust ok: 2 policies\n[-]certificate failed: expired\nreadyz check failed\n",
    },
  },
  {
    path: "/readyz?x=1&verbose=true",
    checks: [],
    want: { status: 200, type: TEXT, text: "readyz check passed\n" },
  },
  {
    path: "/metrics",
    checks: [],
    want: { status: 200, type: "text/plain; version=0.0.4; charset=utf-8", text: "# none\n" },
  },
];
for (const { path, checks, want } of pages) {
  test(`${path} with ${checks.length} checks is ${want.status}: ${want.text.split("\n")[0]}`, async (t) => {
    const { ask } = await start(t, { checks: () => checks });
    assert.deepEqual(await ask(path), want);
  });
}

const others = [
  { method: "POST", path: "/validate", status: 404 },
  { method: "POST", path: "/mutate", status: 404 },
  { method: "GET", path: "/", status: 404 },
  { method: "GET", path: "/livez/", status: 404 },
  { method: "GET", path: "//metrics", status: 404 },
  { method: "GET", path: "/constructor", status: 404 },
  { method: "POST", path: "/metrics", status: 405 },
  { method: "DELETE", path: "/readyz", status: 405 },
  { method: "HEAD", path: "/livez", status: 200 },
];
for (const { method, path, status } of others) {
  test(`T-62 ${method} ${path} on the admin port is ${status}`, async (t) => {
    const { ask } = await start(t);
    assert.equal((await ask(path, method)).status, status);
  });
}

test("scrapes at the same time share one text, later ones do not", async (t) => {
  const text = Promise.withResolvers<string>();
  const scraped = Promise.withResolvers<void>();
  const scrapes: number[] = [];
  const { ask, port } = await start(t, {
    metrics: async () => {
      scrapes.push(scrapes.length);
      scraped.resolve();
      return await text.promise;
    },
  });
  // Two requests that arrive as one piece.
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  socket.write("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2));
  await scraped.promise;
  await ask("/livez");
  text.resolve("one text\n");
  let received = "";
  for await (const chunk of socket.setEncoding("utf8")) {
    received += String(chunk);
    if (received.split("one text").length === 3) break;
  }
  assert.equal(scrapes.length, 1);
  await ask("/metrics");
  assert.equal(scrapes.length, 2);
});

test("metrics that fail are a 500 without the reason, told to the log", async (t) => {
  const failure = new Error("secret");
  const { ask, errors } = await start(t, {
    metrics: async () => await Promise.reject(failure),
  });
  assert.deepEqual(await ask("/metrics"), { status: 500, type: TEXT, text: "failed\n" });
  assert.deepEqual(errors, [failure]);
});

test("closing does not wait for those who hold a connection", async () => {
  const admin = createAdmin({
    address: "127.0.0.1",
    port: 0,
    checks: () => [],
    metrics: async () => "",
    metricsType: "text/plain",
    onError: () => {},
  });
  const { port } = await admin.listen();
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
  await once(socket, "data");
  const closed = once(socket, "close");
  await admin.close();
  await closed;
});
