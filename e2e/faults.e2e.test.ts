// Scenarios 5 and 6: whatever happens to the provider or between it and Gatekeeper, nothing is admitted unverified, and
// when it is over the next review is answered rightly.
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { Cluster } from "../testing/cluster/cluster.ts";
import { createCaller } from "../testing/gatekeeper/caller.ts";
import { createProviderAuthority, issueServing } from "../testing/gatekeeper/certificates.ts";
import { pod, workload } from "./objects.ts";
import {
  assertAdmitted,
  assertRefused,
  guard,
  messageOf,
  PODS_ONLY,
  pushNew,
  startE2e,
} from "./setting.ts";

/** A ProviderResponse, good but for what is said otherwise. */
const response = (members: object): string =>
  JSON.stringify({
    apiVersion: "externaldata.gatekeeper.sh/v1beta1",
    kind: "ProviderResponse",
    response: { idempotent: false, items: [], systemError: "", ...members },
  });

suite("faults", () => {
  let cluster: Cluster;
  let namespace: string;
  /** Signed, and known to no cache. */
  const fresh = async (): Promise<string> =>
    (await pushNew(cluster, `faults/app-${(images += 1)}`, { signed: true })).pinned;
  let images = 0;
  before(async () => {
    // A cached answer would hide the provider's state.
    cluster = await startE2e({ gatekeeper: { responseCacheTtl: "0s" } });
    namespace = await guard(cluster);
  });
  after(async () => await cluster[Symbol.asyncDispose]());

  const tryPod = async (image: string) => await cluster.api.create(pod({ namespace, image }));

  /** What puts the provider out of reach. @returns what ends it */
  const FAULTS: readonly {
    readonly name: string;
    readonly begin: () => Promise<() => Promise<void>>;
    readonly says: RegExp;
  }[] = [
    {
      name: "the provider is stopped",
      begin: async () => {
        await cluster.provider.stop();
        return async () => await cluster.provider.start();
      },
      says: /nothing listens at the Provider's url/,
    },
    {
      name: "the provider hangs",
      begin: () => {
        cluster.provider.pause();
        return Promise.resolve(() => {
          cluster.provider.resume();
          return Promise.resolve();
        });
      },
      says: /no answer within the Provider's timeout/,
    },
    {
      name: "something else answers in its place",
      begin: async () => {
        await cluster.provider.stop();
        const impostor = await cluster.provider.impersonate();
        return async () => {
          await impostor[Symbol.asyncDispose]();
          await cluster.provider.start();
        };
      },
      says: /the answer was not a ProviderResponse/,
    },
    {
      name: "a server of another CA answers in its place",
      begin: async () => {
        await cluster.provider.stop();
        const certificate = await issueServing(await createProviderAuthority());
        const impostor = await cluster.provider.impersonate({ certificate });
        return async () => {
          await impostor[Symbol.asyncDispose]();
          await cluster.provider.start();
        };
      },
      says: /no mutual TLS between Gatekeeper and the provider/,
    },
  ];
  for (const { name, begin, says } of FAULTS) {
    test(`${name}: Pods are refused, and a Deployment's Pods come when it is over`, async () => {
      const image = await fresh();
      const known = await fresh();
      const deployments = await guard(cluster, { kinds: PODS_ONLY });
      assertAdmitted(await tryPod(known));
      const end = await begin();
      let deployment;
      try {
        for (const each of [image, known]) {
          const answer = await tryPod(each);
          assert.match(messageOf(answer), /^PROVIDER_FAILED: /);
          assert.match(messageOf(answer), says);
        }
        deployment = workload("Deployment", { namespace: deployments, image });
        assertAdmitted(await cluster.api.create(deployment));
        await cluster.wait("the ReplicaSet to be refused", async () => {
          const events = await cluster.api.list({ apiVersion: "v1", kind: "Event" }, deployments);
          return events.find(({ reason }) => reason === "FailedCreate");
        });
        assert.deepEqual(
          await cluster.api.list({ apiVersion: "v1", kind: "Pod" }, deployments),
          [],
        );
      } finally {
        await end();
      }
      assertAdmitted(await tryPod(image));
      await cluster.wait("the ReplicaSet to try again", async () => {
        const { readyReplicas } = ((await cluster.api.read(deployment))?.["status"] ?? {}) as {
          readonly readyReplicas?: number;
        };
        return readyReplicas === 1 ? true : undefined;
      });
    });
  }

  test("T-48 whatever an answer holds, an image is admitted only by an outcome that says so", async (t) => {
    const image = cluster.samples.signed;
    const items = (...values: readonly unknown[]): string =>
      response({ items: values.map((value) => ({ key: image, value })) });
    const verified = { outcome: "verified", digest: `sha256:${"0".repeat(64)}` };
    const rows: readonly {
      readonly body: string;
      readonly status?: number;
      readonly isAdmitted?: true;
    }[] = [
      { body: items(verified), isAdmitted: true },
      { body: items({ outcome: "skipped" }), isAdmitted: true },
      // Gatekeeper does not look at the status of an answer that it can read.
      { body: items(verified), status: 500, isAdmitted: true },
      { body: "" },
      { body: "null" },
      { body: "{}" },
      { body: "[]" },
      { body: response({}) },
      { body: response({ items: null }) },
      { body: items(null) },
      { body: items("verified") },
      { body: items(["verified"]) },
      { body: items({}) },
      { body: items({ outcome: "Verified" }) },
      { body: items({ outcome: ["verified"] }) },
      { body: items({ outcome: "rejected" }) },
      { body: items(verified, { outcome: "rejected" }) },
      { body: response({ items: [{ key: `${image} `, value: verified }] }) },
      { body: response({ items: [{ key: image, value: verified, error: "UNSIGNED: no" }] }) },
      { body: response({ items: [{ key: image, error: "UNSIGNED: no" }] }) },
      { body: response({ systemError: `${image}: TIMEOUT: no` }) },
      { body: response({ systemError: "BAD_REQUEST: no" }), status: 400 },
    ];
    await cluster.provider.stop();
    try {
      for (const { body, status, isAdmitted = false } of rows) {
        await using parts = new AsyncDisposableStack();
        parts.use(
          await cluster.provider.impersonate({ body, ...(status !== undefined && { status }) }),
        );
        const answer = await tryPod(image);
        const what = `${status ?? 200} ${body.slice(0, 300)}: ${answer.body.message ?? "admitted"}`;
        assert.equal(answer.status === 201, isAdmitted, what);
        if (!isAdmitted)
          assert.match(
            messageOf(answer),
            /(?:^| )(?:NO_VERDICT|PROVIDER_FAILED|UNSIGNED|TIMEOUT|BAD_REQUEST): /,
            what,
          );
      }
      t.diagnostic(`${rows.length} answers`);
    } finally {
      await cluster.provider.start();
    }
  });

  test("T-61 another certificate of Gatekeeper's own CA is refused", async (t) => {
    const { url, ca } = cluster.provider;
    const other = await cluster.gatekeeper
      .authority()
      .issue({ name: "dashboard.gatekeeper-system.svc" });
    const caller = createCaller({ url, ca, ...other });
    t.after(async () => await caller.close());
    const { status, response } = await caller.ask([cluster.samples.signed]);
    assert.equal(status, 403);
    assert.deepEqual(response.response.items, []);
  });

  test("T-60 nobody gets an answer without a client certificate", async (t) => {
    const { url, ca } = cluster.provider;
    const caller = createCaller({ url, ca });
    t.after(async () => await caller.close());
    await assert.rejects(caller.ask([cluster.samples.signed]));
  });

  for (const authority of ["same", "new"] as const) {
    test(`F-30 Gatekeeper's certificate is replaced by one of ${authority === "new" ? "a new" : "the same"} CA: no verdict is lost`, async () => {
      const stop = new AbortController();
      const images = await Promise.all(Array.from({ length: 4 }, fresh));
      const answers: Awaited<ReturnType<typeof tryPod>>[] = [];
      const load = async (image: string): Promise<void> => {
        while (!stop.signal.aborted) answers.push(await tryPod(image));
      };
      const loads = images.map(load);
      await cluster.wait("load", () => (answers.length > 8 ? true : undefined));
      await cluster.gatekeeper.rotate(authority);
      // The provider keeps the old CA for a while beside the new one, so both certificates are good at this moment.
      const seen = answers.length;
      await cluster.wait("reviews after the rotation", () =>
        answers.length > seen + 20 ? true : undefined,
      );
      stop.abort();
      await Promise.all(loads);
      const late = answers.slice(seen);
      for (const answer of late) assertAdmitted(answer);
      const image = await fresh();
      assertAdmitted(await tryPod(image));
      const { unsigned } = cluster.samples;
      assertRefused(await tryPod(unsigned), unsigned, "UNSIGNED");
    });
  }
});
