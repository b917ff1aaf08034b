// Images that AWS Signer signed: admitted, and refused when what signed them is revoked.
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import {
  createSigningAuthority,
  profileArn,
  type SignedEnvelope,
  type SigningAuthority,
} from "../testing/aws/envelopes.ts";
import { createSigner, type Signer } from "../testing/aws/signer.ts";
import { internal, pass, startAws, throttled, type Aws } from "../testing/aws/wire.ts";
import type { Cluster } from "../testing/cluster/cluster.ts";
import { attachSignature, pushImage } from "../testing/registry/push.ts";
import { JWS } from "../testing/signing/envelope.ts";
import { statement, writeTrust } from "../testing/signing/trust.ts";
import { pod } from "./objects.ts";
import { assertAdmitted, guard, messageOf, startE2e } from "./setting.ts";

/** Seconds: the provider asks again after the first, Gatekeeper keeps an answer for the second. */
const INTERVAL = 1;
const CACHE = 1;

suite("AWS Signer", () => {
  let cluster: Cluster;
  let signer: Signer;
  let aws: Aws;
  let authority: SigningAuthority;
  let images = 0;

  before(async () => {
    signer = createSigner();
    aws = await startAws({ services: [signer.service] });
    authority = await createSigningAuthority();
    cluster = await startE2e({ gatekeeper: { responseCacheTtl: `${CACHE}s` } });
    writeTrust(cluster.settings.trust, {
      statements: [
        statement({ trustStores: ["signingAuthority:aws"], trustedIdentities: [profileArn()] }),
      ],
      stores: { "signingAuthority:aws": [authority.root] },
    });
    await cluster.provider.restart({
      overrides: {
        aws: { endpoints: [{ service: "signer", url: aws.url }] },
        signer: { revocationInterval: `${INTERVAL}s` },
      },
      environment: {
        AWS_ACCESS_KEY_ID: aws.credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: aws.credentials.secretAccessKey,
      },
    });
  });
  after(async () => {
    await cluster[Symbol.asyncDispose]();
    await aws[Symbol.asyncDispose]();
  });

  const push = async (): Promise<{ readonly image: string; readonly signed: SignedEnvelope }> => {
    const repository = `aws/app-${(images += 1)}`;
    const place = { registry: cluster.registry, repository };
    const subject = await pushImage({ ...place, tag: "v1" });
    const signed = authority.sign({ subject });
    await attachSignature({ ...place, subject, mediaType: JWS, envelope: signed.bytes });
    return { image: `${cluster.registry.host}/${repository}@${subject.digest}`, signed };
  };

  for (const { what, revoke, names } of [
    {
      what: "job",
      revoke: ({ job }: SignedEnvelope) => signer.revokeJob(job),
      names: ({ job }: SignedEnvelope) => job,
    },
    {
      what: "profile version",
      revoke: ({ profileVersion }: SignedEnvelope) =>
        signer.revokeProfileVersion(profileVersion, new Date(0)),
      names: ({ profileVersion }: SignedEnvelope) => profileVersion,
    },
  ]) {
    test(`T-13 a ${what} is revoked: Pods that run stay, a new one is refused and told why`, async (t) => {
      const namespace = await guard(cluster);
      const { image, signed } = await push();
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

  for (const { name, begin, code } of [
    {
      name: "throttles",
      begin: () => aws.on("GetRevocationStatus", throttled()),
      code: "REVOCATION_UNKNOWN",
    },
    {
      name: "fails",
      begin: () => aws.on("GetRevocationStatus", internal()),
      code: "REVOCATION_UNKNOWN",
    },
    { name: "denies", begin: () => aws.deny("signer:GetRevocationStatus"), code: "SIGNER_DENIED" },
  ]) {
    test(`F-13 an AWS Signer that ${name} leaves a new image undecided, which is refused`, async () => {
      const namespace = await guard(cluster);
      aws.on("GetRevocationStatus", pass());
      begin();
      const { image } = await push();
      const answer = await cluster.api.create(pod({ namespace, image }));
      assert.match(messageOf(answer), new RegExp(`: ${code}: `));
    });
  }
});
