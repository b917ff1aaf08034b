import assert from "node:assert/strict";
import { test } from "node:test";
import { gather } from "../../testing/evidence/gather.ts";
import { createTestClient } from "../../testing/registry/client.ts";
import { startOlareg } from "../../testing/registry/olareg.ts";
import { attachSignature, pushImage } from "../../testing/registry/push.ts";
import { createAuthority } from "../../testing/signing/authority.ts";
import { COSE, cose, JWS, jws } from "../../testing/signing/envelope.ts";
import type { Digest } from "../image/digest.ts";
import { isRefusal } from "../verdict/verdict.ts";
import { createCollect } from "./collect.ts";
import { createContents } from "./contents.ts";

const never = new AbortController().signal;

for (const referrersApi of [true, false]) {
  const how = referrersApi ? "by the referrers API" : "by the tag schema";
  test(`signatures of a real registry are collected ${how}`, async () => {
    await using registry = await startOlareg({ referrersApi });
    await using target = createTestClient({ target: registry });
    const limits = { registry: target.client, maxEnvelopeBytes: 100_000 };
    const from = { registry: target.host, repository: "team/app" };
    const contents = createContents({ ...limits, maxCacheBytes: 1_000_000, now: () => 0 });
    const evidenceFor = createCollect({
      ...limits,
      contents,
      plugins: [],
      maxSignatures: 10,
      onFault: assert.ifError,
    });
    const collect = async (digest: Digest) =>
      await gather(await evidenceFor(from, digest, undefined, never));
    const place = { registry, repository: "team/app" };
    const subject = await pushImage({ ...place, tag: "v1" });
    const unsigned = await pushImage({ ...place, tag: "v2" });
    const authority = await createAuthority({ name: "Example root" });
    const signer = await authority.issue({ commonName: "signer" });
    const signatures = [
      await attachSignature({
        ...place,
        subject,
        mediaType: JWS,
        envelope: jws({ signer, subject }),
      }),
      await attachSignature({
        ...place,
        subject,
        mediaType: COSE,
        envelope: cose({ signer, subject }),
      }),
      await attachSignature({ ...place, subject, mediaType: JWS, envelope: "{" }),
    ];

    const evidence = await collect(subject.digest);
    if (isRefusal(evidence)) assert.fail(evidence.sentence);
    assert.deepEqual(evidence.subject, subject);
    assert.equal(evidence.listed, 3);
    const kinds = new Map(
      evidence.candidates.map((candidate) => [
        candidate.signature,
        candidate.kind === "envelope" ? candidate.mediaType : candidate.verdict.reason,
      ]),
    );
    assert.deepEqual(
      signatures.map(({ digest }) => kinds.get(digest)),
      [JWS, COSE, "MALFORMED_SIGNATURE"],
    );

    const asked = target.events.length;
    assert.deepEqual(await collect(subject.digest), evidence);
    const again = new Set(target.events.slice(asked).map(({ operation }) => operation));
    assert.deepEqual([...again], ["referrers"]);

    const none = await collect(unsigned.digest);
    assert.deepEqual(none, { subject: unsigned, candidates: [], listed: 0 });
  });
}
