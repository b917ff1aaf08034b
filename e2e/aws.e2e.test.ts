// Images that AWS Signer signed: admitted, and refused when what signed them is revoked.
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { profileVersionArn, type SignedEnvelope } from "../testing/aws/envelopes.ts";
import { pod } from "./objects.ts";
import { CACHE, guardLevels, startAwsCluster, type AwsCluster } from "./aws-setting.ts";
import { assertAdmitted, assertRefused, guard, messageOf } from "./setting.ts";

/** Seconds after which the provider asks again. */
const INTERVAL = 1;

const HALF_HOUR_MS = 30 * 60_000;
/** Signatures know no parts of a second. */
const signedAt = new Date(Math.floor(Date.now() / 1000) * 1000 - HALF_HOUR_MS);

suite("AWS Signer", () => {
  let world: AwsCluster;
  before(async () => {
    world = await startAwsCluster({
      settings: () => ({ overrides: { signer: { revocationInterval: `${INTERVAL}s` } } }),
    });
  });
  after(async () => await world[Symbol.asyncDispose]());

  const REVOCATIONS: readonly {
    readonly what: string;
    readonly revoke: (signed: SignedEnvelope) => void;
    readonly names: (signed: SignedEnvelope) => string;
  }[] = [
    {
      what: "job",
      revoke: ({ job }) => world.signer.revokeJob(job),
      names: ({ job }) => job,
    },
    {
      what: "profile version",
      revoke: ({ profileVersion }) =>
        world.signer.revokeProfileVersion(profileVersion, new Date(0)),
      names: ({ profileVersion }) => profileVersion,
    },
    {
      what: "certificate",
      revoke: ({ chain }) => world.signer.revokeCertificate(chain, 0),
      names: () => "signing certificate ",
    },
    {
      what: "certificate of the issuer",
      revoke: ({ chain }) => world.signer.revokeCertificate(chain, 1),
      names: () => "issuing certificate ",
    },
  ];
  for (const { what, revoke, names } of REVOCATIONS) {
    test(`T-13 a ${what} is revoked: Pods that run stay, a new one is refused and told why`, async (t) => {
      const { cluster, signer } = world;
      const namespace = await guard(cluster);
      const { image, signed } = await world.push();
      const running = pod({ namespace, image });
      assertAdmitted(await cluster.api.create(running));
      revoke(signed);
      const began = performance.now();
      const message = await cluster.wait("the new Pod to be refused", async () => {
        const answer = await cluster.api.create(pod({ namespace, image }), { dryRun: true });
        return answer.status === 403 ? messageOf(answer) : undefined;
      });
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      t.diagnostic(`refused after ${seconds} s; promised are ${INTERVAL + CACHE} s and the call`);
      assert.match(message, /: REVOKED: /);
      assert.ok(message.includes(names(signed)), message);
      assert.notEqual(await cluster.api.read(running), undefined);
      signer.restore();
    });
  }

  test("a profile version is revoked from a date on: what it signed before stays, what it signed since is refused, and the next version's is admitted", async () => {
    const { cluster, signer } = world;
    const namespace = await guard(cluster);
    const from = new Date(signedAt.getTime() + 60_000);
    signer.revokeProfileVersion(profileVersionArn(), from);
    const older = await world.push({ signedAt });
    assertAdmitted(await cluster.api.create(pod({ namespace, image: older.image })));
    const { image } = await world.push({ signedAt: from });
    assertRefused(await cluster.api.create(pod({ namespace, image })), image, "REVOKED");
    const anew = await world.push({
      signedAt: from,
      profileVersion: profileVersionArn({}, "Ver1on0002"),
    });
    assertAdmitted(await cluster.api.create(pod({ namespace, image: anew.image })));
    signer.restore();
  });

  test("F-13 what is revoked is a refusal under strict, and a warning that says so under permissive and audit", async () => {
    const { cluster, signer } = world;
    const namespaces = await guardLevels(cluster);
    const { image, signed } = await world.push();
    signer.revokeJob(signed.job);
    const refused = await cluster.api.create(pod({ namespace: namespaces.strict, image }));
    assert.match(messageOf(refused), /: REVOKED: /);
    for (const level of ["permissive", "audit"] as const) {
      const answer = await cluster.api.create(pod({ namespace: namespaces[level], image }));
      assertAdmitted(answer);
      const told = answer.warnings.join("\n");
      assert.match(told, /: CHECK_FAILED: revocation: REVOKED: /);
      assert.ok(told.includes(signed.job), told);
    }
    signer.restore();
  });
});
