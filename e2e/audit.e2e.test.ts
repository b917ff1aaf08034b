// Scenario 4: audit reports what ran before the constraint, with a reason that fits its status.
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { Cluster } from "../testing/cluster/cluster.ts";
import { KIND } from "../testing/cluster/policy.ts";
import { pod } from "./objects.ts";
import { assertAdmitted, constraintOver, enforce, open, pushNew, startE2e } from "./setting.ts";

interface Violation {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  readonly message: string;
  readonly enforcementAction: string;
}

/** What Gatekeeper keeps of a message in `.status.violations`, in bytes. */
const STATUS_BYTES = 256;

suite("audit", () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startE2e({
      // A signature that comes later is seen when both caches have forgotten the rejection.
      gatekeeper: { auditIntervalSeconds: 2, responseCacheTtl: "1s" },
      provider: { cache: { rejected: "1s" } },
    });
  });
  after(async () => await cluster[Symbol.asyncDispose]());

  /** The violations that audit found under a constraint, once it looked after `since`. */
  const violationsOf = async (name: string, isAwaited: (found: readonly Violation[]) => boolean) =>
    await cluster.wait(`audit of ${name}`, async () => {
      const constraint = await cluster.api.read({
        apiVersion: "constraints.gatekeeper.sh/v1beta1",
        kind: KIND,
        metadata: { name },
      });
      const status = constraint?.["status"] as
        | { readonly auditTimestamp?: string; readonly violations?: readonly Violation[] }
        | undefined;
      if (status?.auditTimestamp === undefined) return undefined;
      const found = status.violations ?? [];
      return isAwaited(found) ? found : undefined;
    });

  for (const action of ["dryrun", "deny"] as const) {
    test(`a Pod that ran before a constraint (${action}) is reported with its reason, until its image is signed`, async () => {
      const namespace = await open(cluster);
      const repository = `audit/a-team-with-a-long-name/and-a-service-of-it/${action}`;
      const { pinned } = await pushNew(cluster, repository);
      const running = pod({ namespace, image: pinned });
      assertAdmitted(await cluster.api.create(running));
      await enforce(cluster, constraintOver(namespace, { action }));
      const [violation, ...others] = await violationsOf(namespace, (found) => found.length > 0);
      assert.deepEqual(others, []);
      assert.ok(violation);
      const { message, ...rest } = violation;
      assert.deepEqual(
        {
          kind: rest.kind,
          name: rest.name,
          namespace: rest.namespace,
          action: rest.enforcementAction,
        },
        { kind: "Pod", name: running.metadata.name, namespace, action },
      );
      assert.ok(Buffer.byteLength(message) <= STATUS_BYTES);
      assert.match(message, /: UNSIGNED: .*[^.]$/);
      assert.doesNotMatch(message, /\.\.\.$/, "cut");
      await cluster.notation.sign(pinned, { key: cluster.keys.trusted });
      await violationsOf(namespace, (found) => found.length === 0);
    });
  }
});
