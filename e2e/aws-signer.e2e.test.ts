// AWS Signer cannot be asked: refused under strict, admitted with a warning where the level only logs, and over when it is over.
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { pass, throttled, internal } from "../testing/aws/answers.ts";
import { silent } from "../testing/registry/answers.ts";
import { pod } from "./objects.ts";
import { guardLevels, LEVELS, startAwsCluster, type AwsCluster } from "./aws-setting.ts";
import { assertAdmitted, messageOf } from "./setting.ts";

const OPERATION = "GetRevocationStatus";

suite("AWS Signer in trouble", () => {
  let world: AwsCluster;
  let namespaces: Awaited<ReturnType<typeof guardLevels>>;
  before(async () => {
    world = await startAwsCluster({
      // The time of a question is a third of what a review has.
      settings: () => ({ overrides: { signer: { timeout: "400ms" } } }),
      // A cached answer would hide what the provider says.
      responseCacheTtl: "0s",
    });
    namespaces = await guardLevels(world.cluster);
  });
  after(async () => await world[Symbol.asyncDispose]());

  const TROUBLES: readonly {
    readonly what: string;
    readonly begin: () => Promise<void> | void;
    readonly end?: () => Promise<void> | void;
    readonly code: string;
    /** What whoever creates a Pod reads of it. */
    readonly says: RegExp;
  }[] = [
    {
      what: "is down",
      begin: async () => await world.aws.down(),
      end: async () => await world.aws.up(),
      code: "REVOCATION_UNKNOWN",
      says: /AWS Signer cannot be reached/,
    },
    {
      what: "says nothing",
      begin: () => world.aws.on(OPERATION, silent()),
      code: "REVOCATION_UNKNOWN",
      says: /AWS Signer did not answer/,
    },
    {
      what: "throttles",
      begin: () => world.aws.on(OPERATION, throttled()),
      code: "REVOCATION_UNKNOWN",
      says: /TooManyRequestsException/,
    },
    {
      what: "fails",
      begin: () => world.aws.on(OPERATION, internal()),
      code: "REVOCATION_UNKNOWN",
      says: /InternalServiceErrorException/,
    },
    {
      what: "denies access",
      begin: () => world.aws.deny("signer:GetRevocationStatus"),
      end: () => world.aws.allow("signer:GetRevocationStatus"),
      code: "SIGNER_DENIED",
      says: /signer:GetRevocationStatus/,
    },
  ];
  for (const { what, begin, end, code, says } of TROUBLES) {
    test(`T-67 F-13 an AWS Signer that ${what}: refused under strict, a warning under permissive and audit, and right again when it is over`, async () => {
      const { cluster, aws } = world;
      const create = async (level: (typeof LEVELS)[number], image: string) =>
        await cluster.api.create(pod({ namespace: namespaces[level], image }));
      const { image } = await world.push();
      await begin();

      const refused = await create("strict", image);
      const why = messageOf(refused);
      assert.ok(why.includes(`: ${code}: `), why);
      assert.match(why, says);
      for (const level of ["permissive", "audit"] as const) {
        const answer = await create(level, image);
        assertAdmitted(answer);
        const told = answer.warnings.join("\n");
        assert.ok(told.includes(`: CHECK_FAILED: revocation: ${code}: `), told);
        assert.match(told, says);
      }

      await end?.();
      aws.on(OPERATION, pass());
      await cluster.wait("the refused image to be admitted", async () => {
        const { status } = await create("strict", image);
        return status === 201 ? true : undefined;
      });
      // What nobody has asked about yet.
      const next = await world.push();
      for (const level of LEVELS) {
        const answer = await create(level, next.image);
        assertAdmitted(answer);
        assert.deepEqual(answer.warnings, []);
      }
    });
  }
});
