// The composition root in this process: what it leaves behind when it fails, and when it must end at once.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { EventEmitter, once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { connect } from "node:tls";
import { stringify } from "yaml";
import { createCaller } from "../testing/gatekeeper/caller.ts";
import { createAuthorities } from "../testing/gatekeeper/certificates.ts";
import {
  CLIENT_CA,
  encode,
  OWN,
  startWorld,
  until,
  type World,
} from "../testing/kubernetes/world.ts";
import { listen } from "../testing/loopback.ts";
import { createFakeNotation } from "../testing/notation/fake-notation.ts";
import { silent } from "../testing/registry/answers.ts";
import { startUnruly } from "../testing/registry/unruly.ts";
import { createAuthority } from "../testing/signing/authority.ts";
import { statement, writeTrust } from "../testing/signing/trust.ts";
import { loadConfig } from "./config/load.ts";
import { issueAuthority, issueServing } from "./kubernetes/issue.ts";
import { writeState } from "./kubernetes/state.ts";
import { serve } from "./serve.ts";
import type { Log } from "./telemetry/log.ts";

/** Milliseconds. */
const LONGEST_WAIT_MS = 20_000;

/** A log that keeps its messages, and who waits for one gets its fields. */
function createLines() {
  const lines: string[] = [];
  const told = new EventEmitter();
  const write = (message: string, fields?: object): void => {
    lines.push(message);
    told.emit(message, fields ?? {});
  };
  const log: Log = {
    debug: write,
    info: write,
    warn: write,
    error: write,
    decisions: () => undefined,
    pins: () => undefined,
    dropped: () => 0,
    close: async () => undefined,
  };
  return {
    log,
    lines: lines as readonly string[],
    /** @throws when it never comes */
    line: async (message: string): Promise<Readonly<Record<string, unknown>>> => {
      const signal = AbortSignal.timeout(LONGEST_WAIT_MS);
      const [fields] = (await once(told, message, { signal })) as [Record<string, unknown>];
      return fields;
    },
  };
}

/** A configuration with its files on disk; the registry never answers. */
async function prepare(
  t: TestContext,
  change: Readonly<Record<string, unknown>> = {},
  registryChange: Readonly<Record<string, unknown>> = {},
) {
  const directory = await mkdtemp(join(tmpdir(), "serve-"));
  t.after(async () => await rm(directory, { recursive: true, force: true }));
  const registry = await startUnruly({});
  t.after(async () => await registry[Symbol.asyncDispose]());
  registry.on(/./, silent());
  const notation = await createFakeNotation();
  t.after(async () => await notation[Symbol.asyncDispose]());
  const authorities = await createAuthorities();
  const { root } = await createAuthority({ name: "trusted" });
  writeTrust(join(directory, "trust"), {
    statements: [statement()],
    stores: { "ca:example": [root] },
  });
  const files = new Map([
    ["tls.crt", authorities.serving.cert],
    ["tls.key", authorities.serving.key],
    ["ca.crt", authorities.gatekeeper.ca],
    [
      "provider.yaml",
      stringify({
        server: {
          address: "127.0.0.1:0",
          tls: { certificate: "tls.crt", key: "tls.key", clientCA: "ca.crt" },
          deadline: "30s",
          drainDelay: "0ms",
        },
        admin: { address: "127.0.0.1:0" },
        trust: { directory: "trust" },
        notation: { binary: notation.path },
        runtimeDirectory: "run",
        verification: { deadline: "5m" },
        registries: [
          {
            host: registry.host,
            plainHttp: true,
            allowedAddresses: ["127.0.0.0/8"],
            requestTimeout: "60s",
            ...registryChange,
          },
        ],
        ...change,
      }),
    ],
  ]);
  for (const [name, text] of files) await writeFile(join(directory, name), text);
  const loaded = loadConfig(join(directory, "provider.yaml"));
  assert.ok("config" in loaded, JSON.stringify(loaded));
  const left = async (): Promise<readonly string[]> =>
    (await readdir(join(directory, "run"))).filter((name) => name !== "crl");
  return { config: loaded.config, registry, authorities, left, directory };
}

test("T-56 what is under way when a fault is not caught is answered as undecided at once, and nothing is left", async (t) => {
  const { config, registry, authorities, left } = await prepare(t);
  const { log } = createLines();
  const { url, admin, abort } = await serve(config, log);
  t.after(async () => await abort());
  const { ca, gatekeeper } = authorities;
  const caller = createCaller({ url, ca, cert: gatekeeper.cert, key: gatekeeper.key });
  t.after(async () => await caller.close());
  const key = `${registry.host}/app:v1`;
  const asked = caller.ask([key]);
  await registry.seen(/./);
  assert.notDeepEqual(await left(), []);
  const ended = abort();
  const { status, response } = await asked;
  assert.equal(status, 200);
  assert.deepEqual(response.response.items, []);
  assert.match(response.response.systemError ?? "", new RegExp(`^${key}: SHUTTING_DOWN: `));
  await ended;
  assert.deepEqual(await left(), []);
  await assert.rejects(fetch(`${admin}/livez`));
});

test("a running service shows every metric that the chart's alerts and dashboard name", async (t) => {
  const { config } = await prepare(t);
  const { admin, abort } = await serve(config, createLines().log);
  t.after(async () => await abort());
  const text = await (await fetch(`${admin}/metrics`)).text();
  const chart = new URL("../helm/notation-gatekeeper-provider/files/", import.meta.url);
  const named = await Promise.all(
    ["alerts.yaml", "dashboard.json"].map(
      async (name) => await readFile(new URL(name, chart), "utf8"),
    ),
  );
  const metrics = new Set(named.join("\n").match(/\b(?:notation_provider|nodejs|process)_\w+/g));
  assert.ok(metrics.size > 30, String(metrics.size));
  for (const metric of metrics) {
    const family = metric.replace(/_(?:bucket|sum|count)$/, "");
    assert.match(text, new RegExp(`^# TYPE (?:${metric}|${family}) `, "m"));
  }
  assert.match(text, /^notation_provider_build_info\{version="\d+\.\d+\.\d+",notation="\d/m);
  assert.match(text, /^notation_provider_trust_policy_age_seconds\{policy="default"\} \d/m);
});

test("T-56 a fault that nobody caught ends the process with 1, after an answer to what is under way, and its text is nowhere", async (t) => {
  const { registry, authorities, left, directory } = await prepare(t);
  // A fault of the process itself, as no request can make one; its text may quote anything.
  const plant = join(directory, "plant.mjs");
  const text = 'process.on("SIGUSR2", () => { throw new Error("hunter2"); });';
  await writeFile(plant, text);
  const child = spawn(
    process.execPath,
    [
      "--import",
      plant,
      new URL("main.ts", import.meta.url).pathname,
      "serve",
      "--config",
      join(directory, "provider.yaml"),
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  t.after(() => child.kill("SIGKILL"));
  const exited = once(child, "exit");
  const lines: string[] = [];
  const ready = Promise.withResolvers<string>();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      const url = /"url":"(?<url>[^"]+)".*"msg":"ready"/.exec(line)?.groups?.["url"];
      if (url !== undefined) ready.resolve(url);
    });
  }
  const { ca, gatekeeper } = authorities;
  const url = await ready.promise;
  const caller = createCaller({ url, ca, cert: gatekeeper.cert, key: gatekeeper.key });
  t.after(async () => await caller.close());
  const key = `${registry.host}/app:v1`;
  const asked = caller.ask([key]);
  await registry.seen(/./);
  child.kill("SIGUSR2");
  const { response } = await asked;
  assert.match(response.response.systemError ?? "", /: SHUTTING_DOWN: /);
  assert.deepEqual(await exited, [1, null]);
  assert.deepEqual(await left(), []);
  const log = lines.join("\n");
  assert.match(log, /"msg":"the process failed"/);
  assert.doesNotMatch(log, /hunter2/);
});

test(
  "a body gets no more time than the request that it belongs to",
  { timeout: 3_500 },
  async (t) => {
    const server = { address: "127.0.0.1:0", deadline: "100ms", drainDelay: "0ms" };
    const tls = { certificate: "tls.crt", key: "tls.key", clientCA: "ca.crt" };
    const { config, authorities } = await prepare(t, { server: { ...server, tls } });
    const service = await serve(config, createLines().log);
    t.after(async () => await service.stop());
    const { port } = new URL(service.url);
    const { cert, key } = authorities.gatekeeper;
    const { ca } = authorities;
    const socket = connect({ host: "127.0.0.1", port: Number(port), ca, cert, key });
    socket.write("POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n");
    socket.write("Content-Length: 100\r\n\r\n{");
    const [data] = (await once(socket.setEncoding("latin1"), "data")) as [string];
    socket.destroy();
    assert.match(data, /^HTTP\/1.1 408 /);
  },
);

test("stopping twice is stopping once, and a stopped service is not ready", async (t) => {
  const { config, left } = await prepare(t);
  // So long the listener of readiness stays.
  const server = { ...config.server, drainDelay: 1000 };
  const { stop, abort, admin } = await serve({ ...config, server }, createLines().log);
  const ends = [stop(), stop(), abort()];
  const answer = await fetch(`${admin}/readyz?verbose`);
  assert.equal(answer.status, 503);
  assert.match(await answer.text(), /serving.*shutting down/);
  await Promise.all(ends);
  assert.deepEqual(await left(), []);
});

test("a start whose second address is taken ends what it had begun", async (t) => {
  const { port, end } = await listen(createServer());
  t.after(async () => await end());
  const { config, left } = await prepare(t);
  const server = { ...config.server, address: `127.0.0.1:${port}` };
  await assert.rejects(serve({ ...config, server }, createLines().log), { code: "EADDRINUSE" });
  assert.deepEqual(await left(), []);
});

for (const { name, change, registry, message } of [
  {
    name: "a registry's CA that is not there",
    change: {},
    registry: { plainHttp: false, ca: "gone.crt" },
    message: /^the ca of registry \S+ cannot be read: \/.*\/gone\.crt \(ENOENT\)$/,
  },
  {
    name: "a registry's CA that is no certificate",
    change: {},
    registry: { plainHttp: false, ca: "provider.yaml" },
    message: /^the ca of registry \S+ holds no certificate, or one that is broken: /,
  },
  {
    name: "a CA for AWS that is not there",
    change: { aws: { ca: "gone.crt" } },
    registry: {},
    message: /^the ca under aws cannot be read: \/.*\/gone\.crt \(ENOENT\)$/,
  },
  {
    name: "a CA for AWS that is no certificate",
    change: { aws: { ca: "provider.yaml" } },
    registry: {},
    message: /^the ca under aws holds no certificate, or one that is broken: /,
  },
  {
    name: "a serving key that is another file",
    change: {
      server: {
        address: "127.0.0.1:0",
        tls: { certificate: "tls.crt", key: "ca.crt", clientCA: "ca.crt" },
      },
    },
    registry: { requestTimeout: "5s" },
    message: /^the key, or a certificate behind the serving certificate, is broken$/,
  },
]) {
  test(`a start with ${name} fails in a sentence, and leaves nothing`, async (t) => {
    const { config, left } = await prepare(t, change, registry);
    await assert.rejects(serve(config, createLines().log), { message });
    assert.deepEqual(await left(), []);
  });
}

test("F-44 what the trust directory says at the start stands in the log", async (t) => {
  const { config } = await prepare(t);
  const { log, lines } = createLines();
  const { abort } = await serve(config, log);
  await abort();
  assert.ok(lines.includes("a trust policy is in force"));
});

const HOUR = 3_600_000;

/** Certificates of its own, in the world of a test. */
const ownCertificates = (world: World) => ({
  server: { address: "127.0.0.1:0", drainDelay: "0ms" },
  certificates: {
    names: ["127.0.0.1"],
    secret: { namespace: "gatekeeper-system", name: "certificates" },
    providers: ["notation"],
    kubeconfig: world.api.kubeconfig,
  },
});
/** Every check of `/readyz?verbose`. */
const checksOf = async (admin: string): Promise<string> =>
  await (await fetch(`${admin}/readyz?verbose`)).text();

test(
  "F-42 a replica that starts while the API server is away is alive and not ready, and serves when it is back",
  { timeout: 60_000 },
  async (t) => {
    await using world = await startWorld("");
    world.api.fault = () => "reset";
    const { config, authorities, left } = await prepare(t, ownCertificates(world));
    world.api.put(CLIENT_CA, { data: { "ca.crt": encode(authorities.gatekeeper.ca) } });
    const { log, line } = createLines();
    const waiting = line("waiting for certificates");
    const stopping = new AbortController();
    t.after(() => stopping.abort());
    const starting = serve(config, log, { stopping: stopping.signal });
    starting.catch(() => undefined);
    const admin = String((await waiting)["admin"]);
    await until(async () => (await checksOf(admin)).includes("ECONNRESET"));
    assert.equal((await fetch(`${admin}/livez`)).status, 200);
    assert.equal((await fetch(`${admin}/readyz`)).status, 503);
    const metrics = await (await fetch(`${admin}/metrics`)).text();
    assert.match(metrics, /^notation_provider_certificates_age_seconds \+?Inf/m);

    world.api.fault = undefined;
    const { url, stop } = await starting;
    await until(() => world.trusted().length === 1);
    const { cert, key } = authorities.gatekeeper;
    const caller = createCaller({ url, ca: world.bundle(), cert, key });
    assert.equal((await caller.ask([])).status, 200);
    assert.equal((await fetch(`${admin}/readyz`)).status, 200);
    await caller.close();
    await stop();
    assert.deepEqual(await left(), []);
  },
);

test("F-33 a start that waits for certificates ends with 0 when it is asked to", async (t) => {
  await using world = await startWorld("");
  world.api.fault = () => "silent";
  const { left, directory } = await prepare(t, ownCertificates(world));
  const child = spawn(
    process.execPath,
    [
      new URL("main.ts", import.meta.url).pathname,
      "serve",
      "--config",
      join(directory, "provider.yaml"),
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  t.after(() => child.kill("SIGKILL"));
  const exited = once(child, "exit");
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.includes('"waiting for certificates"')) child.kill("SIGTERM");
  }
  assert.deepEqual(await exited, [0, null]);
  assert.deepEqual(await left(), []);
});

test(
  "F-31 a certificate that ended while the API server took no writes is told of, and renewed without a restart",
  { timeout: 60_000 },
  async (t) => {
    await using world = await startWorld("");
    const { config, authorities } = await prepare(t, ownCertificates(world));
    world.api.put(CLIENT_CA, { data: { "ca.crt": encode(authorities.gatekeeper.ca) } });
    const now = Date.now();
    const authority = await issueAuthority({ begins: now - 9 * HOUR, ends: now + 99 * HOUR });
    const serving = await issueServing(authority, ["127.0.0.1"], {
      begins: now - 9 * HOUR,
      ends: now - HOUR,
    });
    const data = Object.entries(writeState({ authority, serving })).filter(
      ([, text]) => text !== null,
    );
    world.api.put(OWN, { data: Object.fromEntries(data) });
    world.api.fault = ({ method, path }) =>
      method === "PATCH" && path === OWN ? { status: 503, reason: "Timeout" } : undefined;

    const { log, line } = createLines();
    const service = await serve(config, log);
    t.after(async () => await service.abort());
    await until(() => world.trusted().length === 1);
    const { cert, key } = authorities.gatekeeper;
    const caller = createCaller({ url: service.url, ca: world.bundle(), cert, key });
    t.after(async () => await caller.close());
    await assert.rejects(caller.ask([]), { code: "CERT_HAS_EXPIRED" });
    await until(async () => (await checksOf(service.admin)).includes("secret_write: Timeout"));
    assert.match(await checksOf(service.admin), /certificate ok: ended \d{4}-/);
    const metrics = await (await fetch(`${service.admin}/metrics`)).text();
    assert.match(metrics, /^notation_provider_serving_certificate_expiry_seconds -\d+/m);
    assert.match(metrics, /failure="secret_write"\} [1-9]/);

    const renewed = line("certificates are in force");
    world.api.fault = undefined;
    await renewed;
    assert.equal((await caller.ask([])).status, 200);
    const events = world.api.asked.filter(({ path }) => path.endsWith("/events"));
    assert.ok(JSON.stringify(events.map(({ body }) => body)).includes("CertificateRenewed"));
  },
);
