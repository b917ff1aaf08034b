import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test, type TestContext } from "node:test";
import { listen } from "../loopback.ts";
import { createAuthority } from "./authority.ts";
import { JWS, jws } from "./envelope.ts";
import { askNotation } from "./notation.ts";
import { statement } from "./trust.ts";

const subject = {
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  digest: `sha256:${"a".repeat(64)}`,
  size: 528,
};

/** Serves one answer, whatever is asked for. */
async function serve(t: TestContext, answer: () => Buffer | undefined): Promise<string> {
  const server = createServer((_request, response) => {
    const body = answer();
    response.writeHead(body === undefined ? 404 : 200).end(body);
  });
  const { port, end } = await listen(server);
  t.after(async () => await end());
  return `http://127.0.0.1:${port}/list.crl`;
}

const lists = [
  {
    name: "that names the signer",
    revoked: true,
    served: true,
    want: /^signing certificate with subject "CN=signer,.*" is revoked$/,
  },
  { name: "that names nobody", revoked: false, served: true, want: /^$/ },
  {
    name: "that is not there",
    revoked: false,
    served: false,
    want: /revocation status is unknown/,
  },
];
for (const { name, revoked, served, want } of lists) {
  test(`Notation reads a revocation list ${name}`, async (t) => {
    const authority = await createAuthority({ name: "Example root" });
    let list: Buffer | undefined;
    const crlUrl = await serve(t, () => list);
    const signer = await authority.issue({ commonName: "signer", crlUrl });
    if (served) list = await authority.revocationList({ revoked: revoked ? [signer.serial] : [] });
    const answer = await askNotation({
      subject,
      mediaType: JWS,
      envelope: jws({ signer, subject }),
      trust: { statements: [statement()], stores: { "ca:example": [authority.root] } },
    });
    assert.match(answer.reason, want);
    assert.equal(answer.passed, served && !revoked);
  });
}

test("T-18 a chain that names neither OCSP nor a revocation list passes", async () => {
  const authority = await createAuthority({ name: "Example root" });
  const signer = await authority.issue({ commonName: "signer" });
  const answer = await askNotation({
    subject,
    mediaType: JWS,
    envelope: jws({ signer, subject }),
    trust: { statements: [statement()], stores: { "ca:example": [authority.root] } },
  });
  assert.equal(answer.passed, true);
  assert.match(answer.stderr, /neither has an OCSP nor a CRL revocation method/);
});
