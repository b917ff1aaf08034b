// Scenario 9: Gatekeeper's cache and connections, and the settings that admit what nobody looked at.
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { ApiAnswer } from "../testing/cluster/api.ts";
import type { Cluster } from "../testing/cluster/cluster.ts";
import { createCaller } from "../testing/gatekeeper/caller.ts";
import { pass, silent, slow } from "../testing/registry/answers.ts";
import { pushImage } from "../testing/registry/push.ts";
import { startUnruly, type Unruly } from "../testing/registry/unruly.ts";
import { pod } from "./objects.ts";
import { assertAdmitted, EVERY_IMAGE, guard, messageOf, pushNew, startE2e } from "./setting.ts";

/** Pods that are created at once, each with an image that nobody has asked about. */
const PODS = 20;

suite("load", () => {
  const resources = new AsyncDisposableStack();
  let cluster: Cluster;
  let registry: Unruly;
  let bursts = 0;
  before(async () => {
    cluster = resources.use(await startE2e());
    registry = resources.use(await startUnruly({ upstream: cluster.registry }));
    await cluster.provider.restart({
      registries: [
        ...cluster.settings.registries,
        { host: registry.host, plainHttp: true, allowedAddresses: ["127.0.0.0/8"] },
      ],
    });
  });
  after(async () => await resources.disposeAsync());

  /** Requests that the provider answered so far. */
  const requests = async (): Promise<number> => {
    const text = await (await fetch(`${cluster.provider.process().admin}/metrics`)).text();
    const rows = text.matchAll(
      /^notation_provider_requests_total\{.*route="validate".*\} (\d+)$/gm,
    );
    return rows.reduce((sum, [, count]) => sum + Number(count), 0);
  };

  for (const { ttl, asks } of [
    { ttl: "3m", asks: 1 },
    { ttl: "0s", asks: 3 },
  ]) {
    test(`with Gatekeeper's response cache at ${ttl} the provider is asked ${asks} times for three reviews`, async () => {
      await cluster.gatekeeper.configure({ responseCacheTtl: ttl, auditIntervalSeconds: 3600 });
      const namespace = await guard(cluster);
      const { pinned } = await pushNew(cluster, `load/cache-${ttl}`, { signed: true });
      const before = await requests();
      for (let review = 0; review < 3; review += 1) {
        assertAdmitted(await cluster.api.create(pod({ namespace, image: pinned })));
      }
      assert.equal((await requests()) - before, asks);
    });
  }

  for (const mode of ["kept", "perCall"] as const) {
    test(`connections that are ${mode === "kept" ? "kept" : "made for each call"} get the same answers`, async (t) => {
      const { url, ca } = cluster.provider;
      const caller = createCaller({ url, ca, ...cluster.gatekeeper.certificate(), mode });
      t.after(async () => await caller.close());
      for (let call = 0; call < 3; call += 1) {
        const { items } = (await caller.ask(Object.values(cluster.samples))).response.response;
        assert.deepEqual(
          items.map(({ error }) => error?.split(":", 1)[0]),
          [undefined, "UNSIGNED", "UNTRUSTED_SIGNER", "SIGNATURE_EXPIRED", "TAMPERED"],
        );
      }
    });
  }

  /** Pods of unsigned images at once. @returns the answers */
  const burst = async (): Promise<readonly ApiAnswer[]> => {
    const repository = `load/burst-${(bursts += 1)}`;
    const namespace = await guard(cluster, { parameters: EVERY_IMAGE });
    const images = await Promise.all(
      Array.from({ length: PODS }, async (_, index) => {
        const { digest } = await pushImage({
          registry: cluster.registry,
          repository,
          tag: `v${index}`,
        });
        return `${registry.host}/${repository}@${digest}`;
      }),
    );
    return await Promise.all(
      images.map(async (image) => await cluster.api.create(pod({ namespace, image }))),
    );
  };

  // A registry that takes a second for each answer: two round trips, which go out together, and the verdict.
  test("as Gatekeeper is installed, two reviews at once and Ignore, Pods are admitted that nobody looked at", async (t) => {
    registry.reset();
    registry.on(/./, slow(1_000, pass()));
    await cluster.gatekeeper.configure({ failurePolicy: "Ignore", maxServingThreads: 2 });
    const count = admitted(await burst());
    t.diagnostic(`${count} of ${PODS} unsigned Pods were admitted`);
    assert.ok(count > 0, "docs/gatekeeper.md warns of something that does not happen");
  });

  for (const { failurePolicy, maxServingThreads } of [
    { failurePolicy: "Fail", maxServingThreads: 2 },
    { failurePolicy: "Fail", maxServingThreads: 100 },
    { failurePolicy: "Ignore", maxServingThreads: 100 },
  ] as const) {
    test(`with ${failurePolicy} and ${maxServingThreads} reviews at once none is admitted`, async (t) => {
      registry.reset();
      registry.on(/./, slow(1_000, pass()));
      await cluster.gatekeeper.configure({ failurePolicy, maxServingThreads });
      const answers = await burst();
      assert.equal(admitted(answers), 0);
      const reviewed = codes(answers).filter((code) => code !== "no review").length;
      t.diagnostic(`${reviewed} of ${PODS} were refused by a review, the others by its time-out`);
      if (maxServingThreads === 100) assert.equal(reviewed, PODS);
    });
  }

  test("a registry that says nothing costs each review the provider's deadline, and none is admitted even with Ignore", async () => {
    registry.reset();
    registry.on(/./, silent());
    await cluster.gatekeeper.configure({ failurePolicy: "Ignore", maxServingThreads: 100 });
    const answers = await burst();
    assert.equal(admitted(answers), 0);
    for (const code of codes(answers)) assert.match(code, /^(?:TIMEOUT|REGISTRY_UNREACHABLE)$/);
  });

  test("more images than an object may have are one refusal at once, though the webhook would admit what takes long", async () => {
    await cluster.gatekeeper.configure({ failurePolicy: "Ignore", maxServingThreads: 100 });
    const namespace = await guard(cluster);
    const padded = (count: number) => ({
      ...pod({ namespace, image: cluster.samples.unsigned }),
      spec: {
        containers: [{ name: "app", image: cluster.samples.unsigned }],
        initContainers: Array.from({ length: count }, (_, index) => ({
          name: `padding-${index}`,
          image: `${registry.host}/padding:${count}-${index}`,
        })),
      },
    });
    for (const count of [256, 5000]) {
      const message = messageOf(await cluster.api.create(padded(count)));
      assert.equal(message, "TOO_MANY_IMAGES: an object may have 256 images");
    }
    registry.reset();
    registry.on(/./, silent());
    assert.match(messageOf(await cluster.api.create(padded(255))), / UNSIGNED: /);
  });
});

const admitted = (answers: readonly ApiAnswer[]): number =>
  answers.filter(({ status }) => status === 201).length;

const codes = (answers: readonly ApiAnswer[]): readonly string[] =>
  answers.map(({ body }) => /[:\]] ([A-Z_]+): /.exec(body.message ?? "")?.[1] ?? "no review");
