import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createAuthority } from "../../testing/signing/authority.ts";
import { brokenEnvelopes } from "../../testing/signing/broken.ts";
import { COSE, cose, JWS, jws } from "../../testing/signing/envelope.ts";
import { NOTATION } from "../../testing/signing/notation.ts";
import { statement, writeTrust } from "../../testing/signing/trust.ts";
import type { Descriptor } from "../image/descriptor.ts";
import { digestOf } from "../image/digest.ts";
import { isRefusal } from "../verdict/verdict.ts";
import { readEnvelope } from "./envelope.ts";
import type { Envelope, EnvelopeType } from "./evidence.ts";
import { writeLayout } from "./layout.ts";

const subject: Descriptor = {
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  digest: digestOf("image"),
  size: 528,
};
const directory = mkdtempSync(join(tmpdir(), "notation-evidence-"));
after(() => rmSync(directory, { recursive: true, force: true }));

/** Lays an envelope out as the service does and asks the real Notation. */
async function verify(config: string, mediaType: EnvelopeType, bytes: Uint8Array) {
  const envelope: Envelope = {
    kind: "envelope",
    signature: digestOf("signature"),
    mediaType,
    bytes,
    claims: { signer: { scheme: "notary.x509", subject: "CN=nobody reads it" } },
  };
  using layout = writeLayout(directory, subject, envelope);
  const reference = `.@${subject.digest}`;
  const env = {
    NOTATION_EXPERIMENTAL: "1",
    NOTATION_CONFIG: config,
    NOTATION_CACHE: join(directory, "cache"),
  };
  const { promise, resolve } = Promise.withResolvers<{ passed: boolean; reason: string }>();
  execFile(
    NOTATION,
    ["verify", "-v", "--oci-layout", "--scope", "registry.example/app", "--", reference],
    { cwd: layout.path, env },
    (error, stdout, stderr) => {
      const [line] = stdout.split("\n");
      const passed = error === null && line === `Successfully verified signature for ${reference}`;
      const reason = /failed verification with error: (.*)/.exec(stderr)?.[1];
      resolve({ passed, reason: passed ? "" : (reason ?? stderr) });
    },
  );
  return await promise;
}

const authority = await createAuthority({ name: "Example root", intermediate: true });
const trusting = join(directory, "trusting");
writeTrust(trusting, {
  statements: [statement({ trustStores: ["ca:example", "signingAuthority:example"] })],
  stores: { "ca:example": [authority.root], "signingAuthority:example": [authority.root] },
});

// Everything that is awaited comes before the first test: the runner calls `after` whenever all tests it knows of are
// done, and the making of a key may take longer than they do.
const signers = await Promise.all(
  (["P-256", "P-384", "P-521", "RSA-2048", "RSA-3072"] as const).map((keyType) =>
    authority.issue({ commonName: "signer", keyType }),
  ),
);
const broken = await brokenEnvelopes(subject);

for (const signer of signers) {
  for (const scheme of ["notary.x509", "notary.x509.signingAuthority"] as const) {
    for (const [mediaType, seal] of [
      [JWS, jws],
      [COSE, cose],
    ] as const) {
      test(`Notation verifies ${mediaType}, ${signer.algorithm}, ${scheme} from our layout`, async () => {
        const expiry = new Date(Date.now() + 3_600_000);
        const metadata = { commit: "abc" };
        const bytes = seal({ signer, subject, scheme, expiry, metadata });
        const claims = readEnvelope(mediaType, bytes);
        assert.equal(isRefusal(claims), false);
        assert.deepEqual(await verify(trusting, mediaType, bytes), { passed: true, reason: "" });
      });
    }
  }
}

const config = join(directory, "broken");
writeTrust(config, broken.trust);
for (const { name, mediaType, bytes, notation } of broken.cases) {
  const title = notation === undefined ? "lets pass, and vetting does not:" : "refuses";
  test(`Notation ${title} ${name}`, async () => {
    const { passed, reason } = await verify(config, mediaType, bytes);
    assert.equal(passed, notation === undefined);
    if (notation !== undefined) assert.match(reason, notation);
  });
}

test("no layout is left", () => {
  assert.deepEqual(
    readdirSync(directory).filter((name) => name.startsWith("layout-")),
    [],
  );
});
