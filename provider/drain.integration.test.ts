// What a signal calls, in this process and so at many more points of a batch than processes could be started for.
import assert from "node:assert/strict";
import { subscribe } from "node:diagnostics_channel";
import type { IncomingMessage } from "node:http";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import * as fc from "fast-check";
import { stringify } from "yaml";
import { census, isBack } from "../testing/census.ts";
import { createCaller } from "../testing/gatekeeper/caller.ts";
import { createAuthorities } from "../testing/gatekeeper/certificates.ts";
import { until } from "../testing/notation/processes.ts";
import { ROOT } from "../testing/provider/start.ts";
import { startOlareg } from "../testing/registry/olareg.ts";
import { attachSignature, pushImage } from "../testing/registry/push.ts";
import { createAuthority } from "../testing/signing/authority.ts";
import { JWS, jws } from "../testing/signing/envelope.ts";
import { statement, writeTrust } from "../testing/signing/trust.ts";
import { loadConfig } from "./config/load.ts";
import { serve } from "./serve.ts";
import type { Log } from "./telemetry/log.ts";

/** Rounds of each test. With those of service.integration.test.ts they are two hundred. */
const POINTS = 95;
/** Rounds at once: as many as a machine of two cores is busy with. */
const LANES = 4;
/** Images of a batch. */
const IMAGES = 4;

const SILENT: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  decisions: () => undefined,
  pins: () => undefined,
  dropped: () => 0,
  close: async () => undefined,
};

const directory = await mkdtemp(join(tmpdir(), "drain-"));
const registry = await startOlareg();
after(async () => {
  await registry[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});
const authorities = await createAuthorities();
const authority = await createAuthority({ name: "trusted" });
const signer = await authority.issue({ commonName: "team" });
const keys: string[] = [];
for (let index = 0; index < IMAGES; index += 1) {
  const place = { registry, repository: `app${index}` };
  const subject = await pushImage({ ...place, tag: "v1", content: `image ${index}` });
  await attachSignature({ ...place, subject, mediaType: JWS, envelope: jws({ signer, subject }) });
  keys.push(`${registry.host}/app${index}@${subject.digest}`);
}
writeTrust(join(directory, "trust"), {
  statements: [statement()],
  stores: { "ca:example": [authority.root] },
});
await writeFile(join(directory, "tls.crt"), authorities.serving.cert);
await writeFile(join(directory, "tls.key"), authorities.serving.key);
await writeFile(join(directory, "ca.crt"), authorities.gatekeeper.ca);

/** The configuration of one round, which writes where no other does. */
async function configOf(name: string, drainDelay: string) {
  const runtimeDirectory = join(directory, name);
  await mkdir(runtimeDirectory);
  const file = join(directory, `${name}.yaml`);
  const tls = { certificate: "tls.crt", key: "tls.key", clientCA: "ca.crt" };
  await writeFile(
    file,
    stringify({
      server: { address: "127.0.0.1:0", tls, drainDelay, deadline: "10s", drainTimeout: "20s" },
      verification: { deadline: "20s" },
      admin: { address: "127.0.0.1:0" },
      trust: { directory: "trust" },
      notation: { binary: join(ROOT, "tools/bin/notation") },
      runtimeDirectory,
      registries: [{ host: registry.host, plainHttp: true, allowedAddresses: ["127.0.0.0/8"] }],
    }),
  );
  const loaded = loadConfig(file);
  assert.ok("config" in loaded, JSON.stringify(loaded));
  return { config: loaded.config, runtimeDirectory };
}

/** Ports of the servers that have read the head of a request. */
const taken = new Set<number>();
subscribe("http.server.request.start", (message) => {
  const { request } = message as { readonly request: IncomingMessage };
  taken.add(request.socket.localPort ?? 0);
});

/** When a round's provider is told to end. */
interface Point {
  /** After the batch was asked for; undefined when it is answered. */
  readonly ms?: number;
  /** How long it goes on taking requests then. */
  readonly drainDelay: "0ms" | "20ms";
}

/**
 * Serves, is asked for a batch that nobody knows, and is told to end.
 * @returns the code of each key, or what the caller's connection met instead; the milliseconds to either; and whether the
 *   provider had read the head of the request
 */
async function round(name: string, { ms: point, drainDelay }: Point) {
  const { config, runtimeDirectory } = await configOf(name, drainDelay);
  const { url, stop } = await serve(config, SILENT);
  const port = Number(new URL(url).port);
  // Somebody before may have had the same.
  taken.delete(port);
  const { ca, gatekeeper } = authorities;
  const caller = createCaller({ url, ca, cert: gatekeeper.cert, key: gatekeeper.key });
  const began = performance.now();
  const asking = caller.ask(keys).then(
    ({ response: { response } }) => {
      const { items, systemError = "" } = response;
      return keys.map((key) => {
        const item = items.find((each) => each.key === key);
        if (item !== undefined) return (item.value as { readonly outcome: string }).outcome;
        const line = systemError.split("\n").find((each) => each.startsWith(`${key}: `));
        return line?.slice(key.length + 2).split(":", 1)[0] ?? "no answer";
      });
    },
    (error: unknown) => String(error),
  );
  await (point === undefined ? asking : wait(point));
  const stopped = stop();
  const answer = await asking;
  const ms = performance.now() - began;
  await stopped;
  await caller.close();
  assert.deepEqual(
    (await readdir(runtimeDirectory)).filter((each) => each !== "crl"),
    [],
  );
  return { answer, ms, isTaken: taken.has(port) };
}

/** Does work for each value, a few at a time. */
async function inLanes<T>(
  values: readonly T[],
  work: (value: T, index: number) => Promise<void>,
): Promise<void> {
  const left = values.entries();
  const lane = async (): Promise<void> => {
    for (const [index, value] of left) await work(value, index);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

for (const [drainDelay, seed] of [
  ["0ms", 33],
  ["20ms", 34],
] as const) {
  test(`F-33 an end within ${drainDelay} at ${POINTS} points of a cold batch: it is answered whole or never taken, and nothing is left`, async () => {
    // What is loaded and kept for the whole process comes first.
    await round(`first-${seed}`, { drainDelay });
    const before = census(process.pid);
    let whole = 0;
    await inLanes(["a", "b", "c", "d"], async (name) => {
      const { answer, ms } = await round(`${name}-${seed}`, { drainDelay });
      assert.deepEqual(answer, Array<string>(IMAGES).fill("verified"));
      whole = Math.max(whole, ms);
    });
    let answered = 0;
    const within = fc.sample(fc.integer({ min: 0, max: 999 }), { numRuns: POINTS, seed });
    await inLanes(within, async (part, index) => {
      // The square has more of them early, while there is a connection, a handshake and a body to be read.
      const ms = 1.1 * whole * ((index + part / 1000) / POINTS) ** 2;
      const { answer, isTaken } = await round(`point-${index}-${seed}`, { ms, drainDelay });
      const what = `${ms.toFixed(1)} ms: ${JSON.stringify(answer)}`;
      assert.equal(typeof answer === "string", !isTaken, what);
      if (typeof answer === "string") assert.match(answer, /ECONNREFUSED|ECONNRESET|hang up/, what);
      else for (const code of answer) assert.match(code, /^(?:verified|SHUTTING_DOWN)$/, what);
      answered += isTaken ? 1 : 0;
    });
    assert.ok(answered > POINTS / 2);
    await until(() => isBack(census(process.pid), before));
  });
}
