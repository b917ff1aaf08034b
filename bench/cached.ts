import { readFile } from "node:fs/promises";
import { createServer } from "node:https";
import { join } from "node:path";
import Koa from "koa";
import { createAuthorities } from "../testing/gatekeeper/certificates.ts";
import { goBody } from "../testing/gatekeeper/caller.ts";
import { listen } from "../testing/loopback.ts";
import type { RunningProvider } from "../testing/provider/start.ts";
import { pushSigned } from "./images.ts";
import { residentMiB } from "./processes.ts";
import type { Row } from "./report.ts";
import type { Setting } from "./setting.ts";
import { quantile } from "./statistics.ts";
import { attack, type LoadResult } from "./vegeta.ts";

/** Certificates and URL of a provider, as vegeta needs them. */
async function access({ directory, url }: RunningProvider) {
  const read = async (name: string): Promise<string> =>
    await readFile(join(directory, name), "utf8");
  return {
    url: `${url}/validate`,
    ca: await read("provider/ca.crt"),
    cert: await read("gatekeeper/tls.crt"),
    key: await read("gatekeeper/tls.key"),
  };
}

const describe = ({ throughput, p50, p99, errors }: LoadResult): string =>
  `${throughput.toFixed(0)} req/s, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, ${errors} errors`;

/** The least that a server of this kind can do: Koa, mutual TLS, JSON, a Map. What the provider adds is beyond it. */
async function bareKoa(keys: readonly string[], seconds: number): Promise<LoadResult> {
  const { ca, serving, gatekeeper } = await createAuthorities();
  const values = new Map(
    keys.map((key) => [key, { outcome: "verified", image: key, filler: "x".repeat(300) }]),
  );
  const app = new Koa();
  app.use(async (ctx) => {
    const chunks: Buffer[] = [];
    for await (const chunk of ctx.req) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString()) as { request: { keys: string[] } };
    const items = body.request.keys.map((key) => ({ key, value: values.get(key) }));
    ctx.body = { apiVersion: "v", kind: "ProviderResponse", response: { items } };
  });
  const handle = app.callback();
  const handler = (...exchange: Parameters<typeof handle>): void => void handle(...exchange);
  const server = createServer(
    { ...serving, ca: gatekeeper.ca, requestCert: true, minVersion: "TLSv1.3" },
    handler,
  );
  const { port, end } = await listen(server);
  try {
    const url = `https://127.0.0.1:${port}/`;
    const { cert, key } = gatekeeper;
    return await attack({
      url,
      ca,
      cert,
      key,
      body: goBody(keys),
      connections: 12,
      keepAlive: true,
      seconds,
    });
  } finally {
    await end();
  }
}

/** L-1 and L-2: answers from the cache, on kept and on new connections. */
export async function cachedRate(
  setting: Setting,
  seconds: number,
  progress: (text: string) => void,
): Promise<Row[]> {
  const images = await pushSigned(setting.registry, setting.signer, "cached/app", 3);
  const keys = images.map(({ repository, tag }) => `${setting.registry.host}/${repository}:${tag}`);
  progress("bare Koa, 12 connections");
  const bare = await bareKoa(keys, Math.min(seconds, 15));
  await using provider = await setting.provider();
  const caller = provider.caller();
  await caller.ask(keys);
  const load = { ...(await access(provider)), body: goBody(keys) };
  progress("L-1 cached answers, 12 kept connections");
  const kept = await attack({ ...load, connections: 12, keepAlive: true, seconds });
  const before = await residentMiB(provider.pid);
  progress("L-2 a new connection for every request");
  const fresh = await attack({ ...load, connections: 12, keepAlive: false, seconds });
  const resident = await residentMiB(provider.pid);
  return [
    {
      id: "bare Koa",
      what: "Koa, mutual TLS, JSON and a Map, 12 kept connections, 3 keys",
      measured: describe(bare),
      target: "",
      met: undefined,
      limit: "one core of Node, the other of the caller",
    },
    {
      id: "L-1",
      what: `cached answers, 12 kept mTLS connections, 3 keys, ${seconds} s`,
      measured: `${describe(kept)}; ${((kept.throughput / bare.throughput) * 100).toFixed(0)} % of bare Koa`,
      target: "≥ 8,000 req/s, p99 ≤ 6 ms, 0 errors",
      met: kept.throughput >= 8000 && kept.p99 <= 6 && kept.errors === 0,
      limit:
        "one core: a third of it in the one write of each answer through TLS, a tenth in garbage collection, the rest in HTTP, keys, log and metrics",
    },
    {
      id: "L-2",
      what: `a new mTLS connection for every request, ${seconds} s`,
      measured: `${describe(fresh)}; resident memory ${before.toFixed(0)} → ${resident.toFixed(0)} MiB`,
      target: "≥ 500/s, p99 ≤ 500 ms, 0 errors",
      met: fresh.throughput >= 500 && fresh.p99 <= 500 && fresh.errors === 0,
      limit: "the handshake: checking the caller's RSA chain and signing with P-256 on one core",
    },
  ];
}

/** L-7: Gatekeeper's audit asks for one Pod after the other. @param share of the Pods, 1 or less */
export async function audit(
  setting: Setting,
  progress: (text: string) => void,
  share: number,
): Promise<Row[]> {
  const images = await pushSigned(setting.registry, setting.signer, "audit/app", 30);
  const keys = images.map(
    ({ repository, digest }) => `${setting.registry.host}/${repository}@${digest}`,
  );
  await using provider = await setting.provider();
  const caller = provider.caller();
  await caller.ask(keys);
  const pods = 50_000 * share;
  progress(`L-7 the audit of ${pods} Pods`);
  let missing = 0;
  const began = performance.now();
  for (let pod = 0; pod < pods; pod += 1) {
    const asked = [0, 1, 2].map((image) => keys[(pod * 3 + image) % keys.length] ?? "");
    const { response } = await caller.ask(asked);
    missing += asked.length - response.response.items.length;
  }
  const seconds = (performance.now() - began) / 1000;
  return [
    {
      id: "L-7",
      what: `the audit of 50,000 Pods of 3 images, all cached, one after the other on one connection${share === 1 ? "" : `: ${pods} of them`}`,
      measured: `${seconds.toFixed(0)} s, ${((seconds * 1000) / pods).toFixed(2)} ms a Pod, ${missing} undecided`,
      target: `≤ ${60 * share} s`,
      met: seconds <= 60 * share && missing === 0,
      limit: "the way there and back: caller and provider wait for each other",
    },
  ];
}

/** L-6: a thousand keys in one request, all of them cached. */
export async function manyKeys(setting: Setting, progress: (text: string) => void): Promise<Row[]> {
  progress("L-6 push 1,000 signed images");
  const images = await pushSigned(setting.registry, setting.signer, "many/app", 1000);
  const keys = images.map(
    ({ repository, digest }) => `${setting.registry.host}/${repository}@${digest}`,
  );
  await using provider = await setting.provider();
  const caller = provider.caller();
  progress("L-6 warm the cache");
  for (;;) {
    const { response } = await caller.ask(keys);
    if (response.response.items.length === keys.length) break;
  }
  progress("L-6 1,000 cached keys in one request");
  const times: number[] = [];
  for (let round = 0; round < 50; round += 1) {
    const began = performance.now();
    const { response } = await caller.ask(keys);
    times.push(performance.now() - began);
    if (response.response.items.length !== keys.length) throw new Error("a key is missing");
  }
  const p50 = quantile(times, 0.5);
  return [
    {
      id: "L-6",
      what: "1,000 cached keys in one request, 50 times",
      measured: `p50 ${p50.toFixed(1)} ms, p95 ${quantile(times, 0.95).toFixed(1)} ms`,
      target: "≤ 50 ms",
      met: quantile(times, 0.95) <= 50,
      limit: "one core: a log line, a metric and an item for each key, and the caller's JSON",
    },
  ];
}
