// A roll-out as the chart's Deployment does it: three replicas behind one address, each replaced by a new one that is ready
// before the old one ends. The configuration of the end is the chart's.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { parse } from "yaml";
import { schema } from "../../provider/config/schema.ts";
import { startBalancer } from "../cluster/balancer.ts";
import { createCaller, type Caller } from "../gatekeeper/caller.ts";
import { createAuthorities } from "../gatekeeper/certificates.ts";
import { isRunning, until } from "../notation/processes.ts";
import { startProvider, type RunningProvider } from "../provider/start.ts";
import { startOlareg, type Olareg } from "../registry/olareg.ts";
import { attachSignature, pushImage } from "../registry/push.ts";
import { createAuthority } from "../signing/authority.ts";
import { JWS, jws } from "../signing/envelope.ts";
import { statement, writeTrust } from "../signing/trust.ts";
import { createHelm, find, parseDocuments, scenarios } from "./helm.ts";
import type { PodSpec } from "./kubelet.ts";

const REPLICAS = 3;

/** Answers to each caller between two steps of the roll-out. */
const MEANWHILE = 20;

/** Between two questions of one caller, milliseconds: its connection is idle most of the time, as Gatekeeper's is. */
const PAUSE_MS = 5;

suite("a roll-out", () => {
  let registry: Olareg;
  let directory: string;
  /** Two images and what has to be said of them. */
  const expected = new Map<string, string>();
  let deployment: PodSpec & { readonly terminationGracePeriodSeconds?: number };
  /** The chart's, with the provider's defaults. */
  let configuration: ReturnType<typeof schema.parse>;
  before(async () => {
    registry = await startOlareg();
    directory = await mkdtemp(join(tmpdir(), "rolling-"));
    const authority = await createAuthority({ name: "trusted" });
    const signer = await authority.issue({ commonName: "team" });
    const place = { registry: await registry.authorize(), repository: "team/app" };
    const subject = await pushImage({ ...place, tag: "v1" });
    await attachSignature({
      ...place,
      subject,
      mediaType: JWS,
      envelope: jws({ signer, subject }),
    });
    await pushImage({ ...place, tag: "v2", content: "unsigned" });
    expected.set(`${registry.host}/team/app:v1`, "verified");
    expected.set(`${registry.host}/team/app:v2`, "UNSIGNED");
    writeTrust(join(directory, "trust"), {
      statements: [statement()],
      stores: { "ca:example": [authority.root] },
    });
    await using helm = await createHelm();
    const defaults = (await scenarios()).find(({ name }) => name === "defaults");
    const objects = parseDocuments(await helm.render([defaults?.file ?? ""]));
    const { data } = find(objects, "ConfigMap", "notation-provider") as unknown as {
      readonly data: Readonly<Record<string, string>>;
    };
    configuration = schema.parse(parse(data["provider.yaml"] ?? ""));
    ({ spec: deployment } = (
      find(objects, "Deployment")["spec"] as { readonly template: { readonly spec: PodSpec } }
    ).template);
  });
  after(async () => {
    await registry[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  for (const { name, isWithdrawn } of [
    { name: "that no new connection reaches while they end", isWithdrawn: "before" },
    { name: "that new connections reach until they have ended almost", isWithdrawn: "after" },
  ] as const) {
    test(`F-41 replaces replicas ${name}, and no caller misses an answer or gets another`, async (t) => {
      const authorities = await createAuthorities();
      const { drainDelay, drainTimeout } = configuration.server;
      const ending = { drainDelay: `${drainDelay}ms`, drainTimeout: `${drainTimeout}ms` };
      const started: RunningProvider[] = [];
      // At once: each takes the time of its drain.
      t.after(async () => {
        await Promise.all(started.map(async (one) => await one[Symbol.asyncDispose]()));
      });
      const start = async (): Promise<RunningProvider> => {
        const provider = await startProvider({
          authorities,
          trust: join(directory, "trust"),
          registries: [{ host: registry.host, plainHttp: true, allowedAddresses: ["127.0.0.0/8"] }],
          overrides: { server: ending },
        });
        t.after(async () => await provider[Symbol.asyncDispose]());
        return provider;
      };
      const replicas = await Promise.all(Array.from({ length: REPLICAS }, start));
      const endpoints = replicas.map(({ url }) => url);
      await using balancer = await startBalancer(endpoints);
      const { ca, gatekeeper } = authorities;
      // New Gatekeepers keep their connections, old ones make one for each call.
      const callers = (["kept", "perCall", "kept", "perCall"] as const).map((mode) => {
        const { cert, key } = gatekeeper;
        const caller = createCaller({ url: balancer.url, ca, cert, key, mode });
        t.after(async () => await caller.close());
        return { caller, answers: 0 };
      });
      const over = new AbortController();
      const load = async (one: { readonly caller: Caller; answers: number }): Promise<void> => {
        while (!over.signal.aborted) {
          assert.deepEqual(await ask(one.caller, expected.keys()), expected);
          one.answers += 1;
          await setTimeout(PAUSE_MS);
        }
      };
      const failed: unknown[] = [];
      const loads = callers.map(
        async (one) => await load(one).catch((error: unknown) => failed.push(error)),
      );
      const meanwhile = async (): Promise<void> => {
        const goals = callers.map((one) => ({ one, goal: one.answers + MEANWHILE }));
        await until(() => failed.length > 0 || goals.every(({ one, goal }) => one.answers >= goal));
      };
      await meanwhile();
      for (const old of replicas) {
        const next = await start();
        endpoints.push(next.url);
        const withdraw = (): void => void endpoints.splice(endpoints.indexOf(old.url), 1);
        // The preStop is over when the endpoint is withdrawn; or, where the network is slow, before.
        if (isWithdrawn === "before") withdraw();
        await meanwhile();
        process.kill(old.pid, "SIGTERM");
        await meanwhile();
        if (isWithdrawn === "after") withdraw();
      }
      await Promise.all(replicas.map(async ({ pid }) => await until(() => !isRunning(pid))));
      await meanwhile();
      over.abort();
      await Promise.all(loads);
      assert.deepEqual(failed, []);
    });
  }

  test("F-41 the time that a Pod is given holds its preStop, its drain and what is under way", () => {
    const [{ lifecycle } = {}] = deployment.containers as readonly {
      readonly lifecycle?: {
        readonly preStop: { readonly sleep: { readonly seconds: number } };
      };
    }[];
    const { drainDelay, drainTimeout } = configuration.server;
    const needed =
      (lifecycle?.preStop.sleep.seconds ?? Number.NaN) + (drainDelay + drainTimeout) / 1000;
    assert.ok((deployment.terminationGracePeriodSeconds ?? 0) > needed, String(needed));
  });
});

/** What is said of each image: its outcome, or the code of its error. @throws Error when the connection fails */
async function ask(caller: Caller, images: Iterable<string>): Promise<ReadonlyMap<string, string>> {
  const { response } = await caller.ask([...images]);
  return new Map(
    response.response.items.map(({ key, value, error }) => [
      key,
      error?.split(":", 1)[0] ?? (value as { readonly outcome: string }).outcome,
    ]),
  );
}
