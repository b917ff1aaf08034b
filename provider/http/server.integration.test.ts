import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { createServer, request as plainRequest } from "node:http";
import { connect as connectPlain, type Socket } from "node:net";
import { test } from "node:test";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import type { Answer, Caller } from "../../testing/gatekeeper/caller.ts";
import {
  createAuthorities,
  createGatekeeperAuthority,
  gatekeeperName,
  issueServing,
} from "../../testing/gatekeeper/certificates.ts";
import { refuseAll, type Service, startService } from "../../testing/gatekeeper/service.ts";
import { listen } from "../../testing/loopback.ts";
import { withEnd } from "../../testing/signing/ends.ts";
import type { CertificateState } from "./server.ts";

const authorities = await createAuthorities();
const stranger = await createGatekeeperAuthority();
const other = await issueServing(authorities.provider);
const DAY = 86_400_000;

/** A clock that a test moves. */
function createClock() {
  let time = 0;
  return {
    now: () => time,
    advance: (ms: number) => {
      time += ms;
    },
  };
}

const tls = ({ port }: Service, more: ConnectionOptions = {}): ConnectionOptions => ({
  host: "127.0.0.1",
  port,
  ca: authorities.ca,
  cert: authorities.gatekeeper.cert,
  key: authorities.gatekeeper.key,
  ...more,
});

/** A connection of the genuine caller on which nothing is asked. The service may cut it as the test ends. */
async function openIdle(
  t: Disposables,
  service: Service,
  more: ConnectionOptions = {},
): Promise<TLSSocket> {
  const socket = connect(tls(service, more));
  t.after(() => socket.destroy());
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  return socket;
}

interface Disposables {
  after(end: () => unknown): void;
}

/** For tests that would otherwise wait for ever for a connection that is not ended. */
const BOUND = { timeout: 10_000 };

/** Resolves when a condition holds; it is looked at as the loop turns. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

/** Resolves when the port is closed. */
async function refused(service: Service): Promise<void> {
  for (;;) {
    try {
      await service.caller().ask(["a"]);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ECONNREFUSED") return;
    }
  }
}

const expired = { notBefore: new Date(Date.now() - 2 * DAY), notAfter: new Date(Date.now() - DAY) };
const early = { notBefore: new Date(Date.now() + DAY), notAfter: new Date(Date.now() + 2 * DAY) };
const name = gatekeeperName();
const callers = [
  {
    title: "no certificate",
    pair: { cert: undefined, key: undefined },
    code: "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
  },
  {
    title: "a certificate of a CA with the same name",
    pair: await stranger.issue({ name }),
    code: "ECONNRESET",
  },
  {
    title: "an expired certificate",
    pair: await authorities.gatekeeper.issue({ name, ...expired }),
    code: "ECONNRESET",
  },
  {
    title: "a certificate that is not valid yet",
    pair: await authorities.gatekeeper.issue({ name, ...early }),
    code: "ECONNRESET",
  },
];
for (const { title, pair, code } of callers) {
  test(`T-60 ${title} ends the connection before anything is read`, async () => {
    await using service = await startService({ authorities });
    const caller = service.caller(pair as Partial<typeof authorities.serving>);
    await assert.rejects(caller.ask(["a"]), { code });
    assert.deepEqual(service.requests, []);
    assert.equal(service.server.counts().failedHandshakes, 1);
    assert.equal((await service.caller().ask(["a"])).status, 200);
  });
}

test("T-62 plain HTTP on the service port gets no HTTP answer", async () => {
  await using service = await startService({ authorities });
  const request = plainRequest({ host: "127.0.0.1", port: service.port, path: "/validate" });
  request.end();
  await assert.rejects(once(request, "response"));
  assert.deepEqual(service.requests, []);
});

async function refuseOldTls(service: Service): Promise<void> {
  const old = connect(tls(service, { maxVersion: "TLSv1.2" }));
  await assert.rejects(once(old, "secureConnect"), {
    code: "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION",
  });
}

const versions = [
  { before: "as it started", change: async () => {} },
  {
    before: "after a certificate reload",
    change: async (service: Service) => {
      await service.mount({ serving: await issueServing(authorities.provider) });
      await service.server.reload();
    },
  },
  {
    before: "after another client CA",
    change: async (service: Service) => {
      await service.mount({ ca: stranger.ca + authorities.gatekeeper.ca });
      await service.server.reload();
    },
  },
];
for (const { before, change } of versions) {
  test(`T-63 TLS 1.2 is refused ${before}, TLS 1.3 is not`, async () => {
    await using service = await startService({ authorities });
    await change(service);
    await refuseOldTls(service);
    assert.equal((await service.caller().ask(["a"])).status, 200);
    // And a certificate is still demanded.
    const nobody = service.caller({ cert: undefined, key: undefined } as never);
    await assert.rejects(nobody.ask(["a"]));
  });
}

test("HTTP/2 is not offered", async (t) => {
  await using service = await startService({ authorities });
  const socket = await openIdle(t, service, { ALPNProtocols: ["h2", "http/1.1"] });
  assert.equal(socket.alpnProtocol, "http/1.1");
});

test("T-64 handshakes that do not end lose their place, the genuine caller is served", async (t) => {
  await using service = await startService({ authorities, limits: { maxConnections: 16 } });
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  const kept = service.caller();
  for (let index = 0; index < 100; index += 1) {
    const socket = connectPlain(service.port, "127.0.0.1");
    socket.on("error", () => {});
    sockets.push(socket);
    await once(socket, "connect");
    if (index % 10 === 0) assert.equal((await kept.ask(["a"])).status, 200);
  }
  assert.equal((await service.caller().ask(["a"])).status, 200);
  const { handshaking, dropped } = service.server.counts();
  // Seven eighths of the bound, less the two connections of the genuine caller.
  assert.deepEqual({ handshaking, dropped }, { handshaking: 12, dropped: 88 });
});

test("T-64 a handshake that does not end is ended by its time-out", async () => {
  await using service = await startService({ authorities, limits: { handshakeTimeoutMs: 50 } });
  const socket = connectPlain(service.port, "127.0.0.1");
  await once(socket, "close");
  assert.equal(service.server.counts().failedHandshakes, 1);
});

test("F-45 connections that their callers leave open make room for new ones, the longest idle first", async () => {
  await using service = await startService({ authorities, limits: { maxConnections: 16 } });
  const old = service.caller({ mode: "perCall" });
  for (let index = 0; index < 50; index += 1) {
    assert.equal((await old.ask(["a"])).status, 200);
  }
  const { idle, dropped, active } = service.server.counts();
  assert.deepEqual({ idle, active, dropped }, { idle: 14, active: 0, dropped: 36 });
});

test("T-64 connections of strangers make room before those of the known caller, however long those are idle", async (t) => {
  await using service = await startService({ authorities, limits: { maxConnections: 16 } });
  const kept = service.caller();
  assert.equal((await kept.ask(["a"])).status, 200);
  const stranger = await authorities.gatekeeper.issue({ name: "other.gatekeeper-system.svc" });
  const strangers: TLSSocket[] = [];
  for (let index = 0; index < 50; index += 1) {
    strangers.push(await openIdle(t, service, stranger));
  }
  await until(() => strangers.filter(({ destroyed }) => destroyed).length === 37);
  await until(() => service.server.counts().idle === 14);
  assert.equal((await kept.ask(["a"])).status, 200);
  assert.equal(kept.connections(), 1, "its connection was kept");
  assert.equal(service.server.counts().dropped, 37);
});

test("a connection on which something is answered is never given away", async (t) => {
  const answer = Promise.withResolvers<void>();
  await using service = await startService({
    authorities,
    limits: { maxConnections: 8 },
    decide: async (keys, signal) => {
      if (keys[0] === "slow") await answer.promise;
      return await refuseAll(keys, signal);
    },
  });
  const slow = service.caller().ask(["slow"]);
  await until(() => service.server.counts().active === 1);
  for (let index = 0; index < 20; index += 1) await openIdle(t, service);
  answer.resolve();
  assert.equal((await slow).status, 200);
});

test("no more than the bound of connections is held, whatever they do", async (t) => {
  const answer = Promise.withResolvers<void>();
  await using service = await startService({
    authorities,
    limits: { maxConnections: 8 },
    decide: async (keys, signal) => {
      await answer.promise;
      return await refuseAll(keys, signal);
    },
  });
  t.after(() => {
    answer.resolve();
  });
  const asked: Promise<Answer>[] = [];
  while (asked.length < 8) {
    asked.push(service.caller().ask(["slow"]));
    await until(() => service.server.counts().active === asked.length);
  }
  await assert.rejects(service.caller().ask(["more"]));
  answer.resolve();
  const statuses = (await Promise.all(asked)).map(({ status }) => status);
  assert.deepEqual(statuses, Array<number>(8).fill(200));
});

test("a connection is closed with its answer when it is too old", async () => {
  const { now, advance } = createClock();
  await using service = await startService({
    authorities,
    now,
    limits: { maxConnectionAgeMs: 600_000 },
  });
  const caller = service.caller();
  assert.equal((await caller.ask(["a"])).headers.connection, "keep-alive");
  advance(600_000);
  assert.equal((await caller.ask(["a"])).headers.connection, "keep-alive");
  advance(1);
  assert.equal((await caller.ask(["a"])).headers.connection, "close");
  assert.equal((await caller.ask(["a"])).headers.connection, "keep-alive");
});

test("a connection is closed with its last answer when it has had enough requests", async () => {
  await using service = await startService({ authorities, limits: { maxRequestsPerSocket: 3 } });
  const caller = service.caller();
  const connections = [];
  for (let index = 0; index < 6; index += 1) {
    connections.push((await caller.ask(["a"])).headers.connection);
  }
  const three = ["keep-alive", "keep-alive", "close"];
  assert.deepEqual(connections, [...three, ...three]);
});

test("idle connections are kept longer than Gatekeeper keeps them", async () => {
  await using service = await startService({ authorities });
  const { headers } = await service.caller().ask(["a"]);
  assert.ok(Number(/timeout=(\d+)/.exec(String(headers["keep-alive"]))?.[1]) > 90);
});

test("T-66 F-30 certificate, key and client CA rotated 100 times under load: no request fails", async () => {
  await using service = await startService({ authorities });
  const rotated = await stranger.issue({ name });
  const done = new AbortController();
  const ask = async (caller: Caller): Promise<number> => {
    let answered = 0;
    for (; !done.signal.aborted; answered += 1) {
      const { status, response } = await caller.ask(["a"]);
      assert.equal(status, 200);
      assert.equal(response.response.items.length, 1);
    }
    return answered;
  };
  const before = service.caller();
  await before.ask(["a"]);
  const pairs = await Promise.all(
    Array.from({ length: 4 }, async () => await issueServing(authorities.provider)),
  );
  const roots = [authorities.gatekeeper.ca, stranger.ca, authorities.gatekeeper.ca + stranger.ca];
  // From here on both roots are accepted: each replaces the other within its grace period.
  await service.mount({ ca: stranger.ca });
  await service.server.reload();
  const load = Promise.all([
    ask(before),
    ask(service.caller(rotated)),
    ask(service.caller({ mode: "perCall" })),
  ]);
  for (let round = 0; round < 100; round += 1) {
    const [serving, ca] = [pairs[round % pairs.length], roots[round % roots.length]];
    assert.ok(serving !== undefined && ca !== undefined);
    await service.mount({ serving, ca });
    if (round % 2 === 0) await service.server.reload();
  }
  await service.server.reload();
  done.abort();
  for (const answered of await load) assert.ok(answered > 10, String(answered));
  assert.equal(service.server.certificates().problem, undefined);
});

test("F-30 certificates that come as a whole are in force as soon as they are there", async () => {
  const { ca: clientCA } = authorities.gatekeeper;
  const listeners = new Set<() => void>();
  let { serving } = authorities;
  const changed = new EventEmitter();
  await using service = await startService({
    authorities,
    source: {
      read: async () => ({ certificate: serving.cert, key: serving.key, clientCA }),
      watch: (onChange) => {
        listeners.add(onChange);
        return { [Symbol.dispose]: () => void listeners.delete(onChange) };
      },
    },
    onChange: () => changed.emit("change"),
  });
  serving = other;
  let isTimerFirst = false;
  const timer = setTimeout(() => (isTimerFirst = true), 0);
  for (const tell of listeners) tell();
  await once(changed, "change");
  clearTimeout(timer);
  assert.equal(isTimerFirst, false);
  assert.equal(service.server.certificates().problem, undefined);
});

test("files are read when they change, without being told", async (t) => {
  const changed = Promise.withResolvers<CertificateState>();
  await using service = await startService({ authorities, onChange: changed.resolve });
  const serving = await issueServing(authorities.provider, {
    notAfter: new Date(Date.now() + 42 * DAY),
  });
  await service.mount({ serving });
  const state = await changed.promise;
  assert.equal(state.problem, undefined);
  assert.ok(state.notAfter.getTime() > Date.now() + 41 * DAY);
  const socket = await openIdle(t, service);
  assert.equal(new Date(socket.getPeerCertificate().valid_to).getTime(), state.notAfter.getTime());
});

const { serving } = authorities;
/** The same certificate, but for an end that is no time. */
const endless = (pem: string): string =>
  new X509Certificate(withEnd(new X509Certificate(pem).raw, "999999999999Z")).toString();
const broken = [
  {
    title: "a certificate that does not say when it ends",
    files: { serving: { ...serving, cert: endless(serving.cert) } },
  },
  { title: "a key of another pair", files: { serving: { ...serving, key: other.key } } },
  { title: "a certificate of another pair", files: { serving: { ...serving, cert: other.cert } } },
  {
    title: "half a certificate",
    files: { serving: { ...serving, cert: serving.cert.slice(0, 300) } },
  },
  { title: "half a key", files: { serving: { ...serving, key: serving.key.slice(0, 100) } } },
  { title: "an empty certificate", files: { serving: { ...serving, cert: "" } } },
  { title: "an empty client CA", files: { ca: "" } },
  {
    title: "a client CA that does not say when it ends",
    files: { ca: endless(authorities.gatekeeper.ca) },
  },
  { title: "half a client CA", files: { ca: authorities.gatekeeper.ca.slice(0, 500) } },
  {
    title: "one broken client CA of two",
    files: { ca: `${stranger.ca}${stranger.ca.slice(0, 500)}` },
  },
];
for (const { title, files } of broken) {
  test(`F-30 ${title} is refused, and the old context serves on until the files are good`, async () => {
    const states: (string | undefined)[] = [];
    await using service = await startService({
      authorities,
      onChange: ({ problem }) => states.push(problem),
    });
    await service.mount(files);
    await service.server.reload();
    await service.server.reload();
    assert.ok(service.server.certificates().problem);
    assert.equal((await service.caller().ask(["a"])).status, 200);
    await service.mount({ serving: other, ca: authorities.gatekeeper.ca });
    await service.server.reload();
    assert.equal(service.server.certificates().problem, undefined);
    assert.equal(states.length, 2, "each state is told once");
    assert.equal((await service.caller().ask(["a"])).status, 200);
  });
}

test("a server does not start with files that it cannot serve with", async () => {
  const bad = { ...authorities, serving: { ...serving, key: other.key } };
  await assert.rejects(startService({ authorities: bad }), {
    message: "the serving certificate does not belong to the key",
  });
});

test("F-31 an expired serving certificate is served, and its end is told", async () => {
  const old = await issueServing(authorities.provider, expired);
  await using service = await startService({ authorities: { ...authorities, serving: old } });
  await assert.rejects(service.caller().ask(["a"]), { code: "CERT_HAS_EXPIRED" });
  const { notAfter } = service.server.certificates();
  assert.equal(notAfter.getTime(), Math.floor(expired.notAfter.getTime() / 1000) * 1000);
});

test(
  "T-66 a client CA that is replaced ends within its grace period, connections of it too",
  BOUND,
  async (t) => {
    const { now, advance } = createClock();
    await using service = await startService({ authorities, now, limits: { rootGraceMs: 300 } });
    const rotated = await stranger.issue({ name });
    const before = service.caller();
    const idle = await openIdle(t, service);
    assert.equal((await before.ask(["a"])).headers.connection, "keep-alive");

    await service.mount({ ca: stranger.ca });
    await service.server.reload();
    // Both are accepted; the old one's connections end with each answer.
    const after = service.caller(rotated);
    assert.equal((await after.ask(["a"])).headers.connection, "keep-alive");
    assert.equal((await before.ask(["a"])).headers.connection, "close");
    assert.equal((await before.ask(["a"])).headers.connection, "close");
    assert.equal((await after.ask(["a"])).headers.connection, "keep-alive");

    // The end of the grace period cuts what is left.
    const cut = once(idle, "close", t);
    advance(300);
    await cut;
    await assert.rejects(before.ask(["a"]), { code: "ECONNRESET" });
    assert.equal((await after.ask(["a"])).headers.connection, "keep-alive");
    // T-63: the context was made anew once more.
    await refuseOldTls(service);
  },
);

test("T-66 an answer that was being made when the CA changed closes its connection", async () => {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  await using service = await startService({
    authorities,
    decide: async (keys, signal) => {
      asked.resolve();
      await answer.promise;
      return await refuseAll(keys, signal);
    },
  });
  const asking = service.caller().ask(["a"]);
  await asked.promise;
  await service.mount({ ca: stranger.ca });
  await service.server.reload();
  answer.resolve();
  assert.equal((await asking).headers.connection, "close");
});

test("T-66 no TLS session is resumed, so that no certificate of the past is believed", async (t) => {
  await using service = await startService({ authorities });
  const sessions: Buffer[] = [];
  const first = await openIdle(t, service);
  first.on("session", (session) => sessions.push(session));
  first.write("POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  await once(first, "data");
  const session = sessions.at(-1) ?? first.getSession();
  assert.ok(session);
  const second = await openIdle(t, service, { session });
  assert.equal(second.isSessionReused(), false);
});

test("a root that is added ends no connection", async () => {
  await using service = await startService({ authorities });
  const caller = service.caller();
  await caller.ask(["a"]);
  await service.mount({ ca: stranger.ca + authorities.gatekeeper.ca });
  await service.server.reload();
  assert.equal((await caller.ask(["a"])).headers.connection, "keep-alive");
  const rotated = service.caller(await stranger.issue({ name }));
  assert.equal((await rotated.ask(["a"])).headers.connection, "keep-alive");
});

test("F-33 a drain answers what is asked, closes each connection with it, and then refuses", async () => {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  await using service = await startService({
    authorities,
    decide: async (keys, signal) => {
      if (keys[0] === "slow") {
        asked.resolve();
        await answer.promise;
      }
      return await refuseAll(keys, signal);
    },
  });
  const kept = service.caller();
  await kept.ask(["a"]);
  const slow = service.caller().ask(["slow"]);
  await asked.promise;

  const announced = new AbortController();
  const drained = service.server.drain({ announced: announced.signal, graceMs: 60_000 });
  // Announced: old and new connections are served, for the last time each.
  assert.equal((await kept.ask(["a"])).headers.connection, "close");
  assert.equal((await kept.ask(["a"])).headers.connection, "close");
  announced.abort();
  // Closing: what is being answered is waited for.
  await refused(service);
  answer.resolve();
  const { status, headers } = await slow;
  assert.deepEqual(
    { status, connection: headers.connection },
    { status: 200, connection: "close" },
  );
  await drained;
  await until(() => service.server.counts().idle + service.server.counts().active === 0);
});

test("F-33 a drain does not wait for a connection whose handshake ends while the server closes", async (t) => {
  await using service = await startService({ authorities });
  const raw = connectPlain(service.port, "127.0.0.1");
  t.after(() => raw.destroy());
  await once(raw, "connect");
  await until(() => service.server.counts().handshaking === 1);
  const drained = service.server.drain({ announced: AbortSignal.abort(), graceMs: 60_000 });
  await refused(service);
  const late = connect({ ...tls(service), socket: raw });
  late.on("error", () => {});
  await once(late, "secureConnect");
  await drained;
});

test("F-33 a drain ends by its grace period, whatever is left", async (t) => {
  const asked = Promise.withResolvers<AbortSignal>();
  const answer = Promise.withResolvers<void>();
  t.after(() => {
    answer.resolve();
  });
  await using service = await startService({
    authorities,
    decide: async (keys, signal) => {
      asked.resolve(signal);
      await answer.promise;
      return await refuseAll(keys, signal);
    },
  });
  const lost = assert.rejects(service.caller().ask(["never"]), { code: "ECONNRESET" });
  const signal = await asked.promise;
  await openIdle(t, service);
  const silent = connectPlain(service.port, "127.0.0.1");
  silent.on("error", () => {});
  await once(silent, "connect");
  await service.server.drain({ announced: AbortSignal.abort(), graceMs: 50 });
  await lost;
  if (!signal.aborted) await once(signal, "abort");
});

test("a port that is taken is an error", async (t) => {
  const { port, end } = await listen(createServer());
  t.after(async () => await end());
  await assert.rejects(startService({ authorities, port }), { code: "EADDRINUSE" });
});
