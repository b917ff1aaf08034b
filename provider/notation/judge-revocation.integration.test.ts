// Revocation of certificates: the one thing that Notation asks over the network.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import {
  codeOf,
  createRealJudge,
  SUBJECT,
  type RealJudge,
} from "../../testing/notation/real-judge.ts";
import { listen } from "../../testing/loopback.ts";
import type { SnapshotOptions } from "../../testing/notation/trust-snapshot.ts";
import {
  createAuthority,
  EXTENDED_KEY_USAGE,
  type SigningIdentity,
} from "../../testing/signing/authority.ts";
import { jws } from "../../testing/signing/envelope.ts";
import { ocspAnswer, ocspRefusal, startOcspResponder } from "../../testing/signing/ocsp.ts";
import type { NotationOptions } from "./judge.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const ago = (ms: number) => new Date(Date.now() - ms);

const subject = SUBJECT;
const authority = await createAuthority({ name: "Trusted", intermediate: true });
const elsewhere = await createAuthority({ name: "Elsewhere" });
const colleague = await authority.issue({ commonName: "colleague" });
const responder = { commonName: "responder", extendedKeyUsage: [EXTENDED_KEY_USAGE.ocspSigning] };
const delegate = await authority.issue(responder);
const pastDelegate = await authority.issue({
  ...responder,
  notBefore: ago(3 * DAY),
  notAfter: ago(DAY),
});
const POLICY = {
  trustStores: ["ca:example"],
  trustedIdentities: ["x509.subject: C=US, ST=WA, O=Example"],
  stores: { "ca:example": [authority.root] },
} satisfies Partial<SnapshotOptions>;

const fixture = async (t: TestContext, options?: Partial<NotationOptions>): Promise<RealJudge> =>
  await createRealJudge(t, POLICY, options);

interface RevocationServer {
  /** Where the leaf's certificate says that its list is. */
  readonly url: string;
  /** Requests so far. */
  readonly requests: () => number;
  /** Resolves when the first request has come. */
  readonly asked: Promise<unknown>;
}

async function revocationServer(
  t: TestContext,
  answer: RequestListener,
): Promise<RevocationServer> {
  const server = createServer(answer);
  let requests = 0;
  server.on("request", () => (requests += 1));
  const { port, end } = await listen(server);
  t.after(async () => await end());
  return {
    url: `http://127.0.0.1:${port}/list.crl`,
    requests: () => requests,
    asked: once(server, "request"),
  };
}

/** A signer whose certificate names a list; what the server answers is decided when it is asked. */
async function revocable(t: TestContext, by = authority, revoked = false) {
  let list: Buffer = Buffer.alloc(0);
  const server = await revocationServer(t, (_, response) => response.end(list));
  const identity: SigningIdentity = await by.issue({ commonName: "app", crlUrl: server.url });
  list = await by.revocationList({ revoked: revoked ? [identity.serial] : [] });
  return { server, envelope: jws({ signer: identity, subject }) };
}

/** What an OCSP responder may do in place of answering. */
const troubles: readonly {
  readonly name: string;
  readonly answer: RequestListener;
}[] = [
  { name: "fails", answer: (_, response) => response.writeHead(500).end() },
  { name: "answers in garbage", answer: (_, response) => response.end("<html>") },
  { name: "hangs up", answer: (request) => request.socket.destroy() },
];
for (const { name, answer } of troubles) {
  for (const level of ["strict", "permissive", "audit"] as const) {
    test(`F-14 an OCSP responder that ${name} is REVOCATION_UNKNOWN, or a warning that says so, under ${level}`, async (t) => {
      const { url: ocspUrl, requests } = await revocationServer(t, answer);
      const identity = await authority.issue({ commonName: "app", ocspUrl });
      const { ask } = await fixture(t);
      const code = codeOf(await ask(level, { envelope: jws({ signer: identity, subject }) }));
      const want = level === "strict" ? "" : "passed revocation ";
      assert.equal(code, `${want}REVOCATION_UNKNOWN`);
      assert.ok(requests() > 0);
    });
  }

  for (const isRevoked of [false, true]) {
    test(`F-14 where an OCSP responder ${name}, the list says that a certificate is ${isRevoked ? "revoked" : "good"}`, async (t) => {
      const { url: ocspUrl } = await revocationServer(t, answer);
      let list: Buffer = Buffer.alloc(0);
      const { url: crlUrl } = await revocationServer(t, (_, response) => response.end(list));
      const identity = await authority.issue({ commonName: "app", ocspUrl, crlUrl });
      list = await authority.revocationList({ revoked: isRevoked ? [identity.serial] : [] });
      const { ask } = await fixture(t);
      const code = codeOf(await ask("strict", { envelope: jws({ signer: identity, subject }) }));
      assert.equal(code, isRevoked ? "REVOKED" : "passed");
    });
  }
}

test("F-14 T-67 an OCSP responder that says nothing is TIMEOUT at the deadline, and nothing is left of the run", async (t) => {
  const server = await revocationServer(t, () => undefined);
  const identity = await authority.issue({ commonName: "app", ocspUrl: server.url });
  const { ask, runtime } = await fixture(t);
  const deadline = new AbortController();
  const envelope = jws({ signer: identity, subject });
  const asked = ask("strict", { envelope, signal: deadline.signal });
  await server.asked;
  deadline.abort();
  assert.equal(codeOf(await asked), "TIMEOUT");
  assert.deepEqual(readdirSync(join(runtime, "layouts")), []);
});

for (const level of ["strict", "permissive", "audit"] as const) {
  test(`a certificate that its list does not name passes under ${level}, and the list is asked for once`, async (t) => {
    const { server, envelope } = await revocable(t);
    const { ask, runtime } = await fixture(t);
    assert.equal(codeOf(await ask(level, { envelope })), "passed");
    assert.equal(codeOf(await ask(level, { envelope })), "passed");
    assert.equal(server.requests(), 1);
    assert.equal(readdirSync(join(runtime, "crl")).length, 1);
  });

  test(`a revoked certificate is REVOKED, or a warning that says so, under ${level}`, async (t) => {
    const { envelope } = await revocable(t, authority, true);
    const { ask } = await fixture(t);
    const want = level === "strict" ? "REVOKED" : "passed revocation REVOKED";
    assert.equal(codeOf(await ask(level, { envelope })), want);
  });

  test(`F-14 a list that is not there is REVOCATION_UNKNOWN, or a warning that says so, under ${level}`, async (t) => {
    const server = await revocationServer(t, (_, response) => response.writeHead(404).end());
    const identity = await authority.issue({ commonName: "app", crlUrl: server.url });
    const { ask } = await fixture(t);
    const code = codeOf(await ask(level, { envelope: jws({ signer: identity, subject }) }));
    const want = level === "strict" ? "" : "passed revocation ";
    assert.equal(code, `${want}REVOCATION_UNKNOWN`);
  });

  test(`F-14 a list that never comes is TIMEOUT at the deadline under ${level}`, async (t) => {
    const server = await revocationServer(t, () => undefined);
    const identity = await authority.issue({ commonName: "app", crlUrl: server.url });
    const { ask, runtime } = await fixture(t);
    const deadline = new AbortController();
    const asked = ask(level, {
      envelope: jws({ signer: identity, subject }),
      signal: deadline.signal,
    });
    await server.asked;
    deadline.abort();
    assert.equal(codeOf(await asked), "TIMEOUT");
    assert.deepEqual(readdirSync(join(runtime, "layouts")), []);
  });

  test(`T-32 no address that a stranger's certificate names is called under ${level}`, async (t) => {
    const { server, envelope } = await revocable(t, elsewhere);
    const { ask } = await fixture(t);
    const want = level === "audit" ? "passed authenticity UNTRUSTED_SIGNER" : "UNTRUSTED_SIGNER";
    assert.equal(codeOf(await ask(level, { envelope })), want);
    assert.equal(server.requests(), 0);
  });
}

test("audit that enforces revocation refuses a revoked certificate of a trusted signer", async (t) => {
  const { envelope } = await revocable(t, authority, true);
  const { ask } = await fixture(t);
  const policy = { override: { revocation: "enforce" } } as const;
  assert.equal(codeOf(await ask("audit", { envelope, policy })), "REVOKED");
});

test("T-17 a cache of revocation lists on another file system than the layouts is used all the same", async (t) => {
  const { server, envelope } = await revocable(t);
  const cache = mkdtempSync("/dev/shm/cache-");
  t.after(() => rmSync(cache, { recursive: true, force: true }));
  const { ask, runtime } = await fixture(t, { cacheDirectory: cache });
  assert.notEqual(statSync(cache).dev, statSync(runtime).dev);
  assert.equal(codeOf(await ask("strict", { envelope })), "passed");
  assert.equal(codeOf(await ask("strict", { envelope })), "passed");
  assert.equal(server.requests(), 1, "the list was kept");
  assert.equal(readdirSync(join(cache, "crl")).length, 1);
});

test("a cache of revocation lists that cannot be used changes no judgement", async (t) => {
  const { envelope } = await revocable(t);
  const { ask, runtime } = await fixture(t);
  rmSync(join(runtime, "crl"), { recursive: true });
  writeFileSync(join(runtime, "crl"), "not a directory");
  assert.equal(codeOf(await ask("strict", { envelope })), "passed");
});

test("a cache of revocation lists that holds garbage changes no judgement", async (t) => {
  const { envelope } = await revocable(t);
  const { ask, runtime } = await fixture(t);
  const lists = join(runtime, "crl");
  await ask("strict", { envelope });
  for (const name of readdirSync(lists)) writeFileSync(join(lists, name), "garbage");
  assert.equal(codeOf(await ask("strict", { envelope })), "passed");
});

// What an OCSP responder says, and what Notation makes of it. An answer has no nonce: whoever holds the network may replay one.

type Said = Partial<Parameters<typeof ocspAnswer>[0]>;

/** In a replayed answer: given a week ago, and it was to hold for a week and a little. */
const OLD = { status: "good", thisUpdate: ago(7 * DAY) } as const;

const answersOfOcsp: readonly {
  readonly name: string;
  readonly said: Said | Buffer;
  readonly want: "passed" | "REVOKED" | "REVOCATION_UNKNOWN";
}[] = [
  { name: "good", said: { status: "good" }, want: "passed" },
  { name: "revoked", said: { status: "revoked" }, want: "REVOKED" },
  { name: "unknown", said: { status: "unknown" }, want: "REVOCATION_UNKNOWN" },
  { name: "good by a delegate", said: { status: "good", signer: delegate }, want: "passed" },
  { name: "revoked by a delegate", said: { status: "revoked", signer: delegate }, want: "REVOKED" },
  {
    name: "good, replayed before its end",
    said: { ...OLD, nextUpdate: ago(-MINUTE) },
    want: "passed",
  },
  {
    name: "good, replayed after its end",
    said: { ...OLD, nextUpdate: ago(MINUTE) },
    want: "REVOCATION_UNKNOWN",
  },
  {
    name: "revoked, replayed after its end",
    said: { ...OLD, status: "revoked", nextUpdate: ago(MINUTE) },
    want: "REVOCATION_UNKNOWN",
  },
  {
    name: "good without an end",
    said: { status: "good", nextUpdate: "none" },
    want: "REVOCATION_UNKNOWN",
  },
  {
    name: "good of another certificate",
    said: { status: "good", serial: colleague.serial },
    want: "REVOCATION_UNKNOWN",
  },
  {
    name: "good by another authority",
    said: { status: "good", signer: elsewhere.issuing },
    want: "REVOCATION_UNKNOWN",
  },
  {
    name: "good by another authority that is said to be the issuer",
    said: {
      status: "good",
      authority: {
        ...authority,
        issuing: { ...authority.issuing, privateKey: elsewhere.issuing.privateKey },
      },
    },
    want: "REVOCATION_UNKNOWN",
  },
  // RFC 6960 3.2 and 4.2.2.2 would have these refused. Notation asks for no more than a signature of somebody whose
  // certificate the issuer signed, see docs/trust.md.
  {
    name: "good by a certificate that may sign code and no answers",
    said: { status: "good", signer: colleague },
    want: "passed",
  },
  {
    name: "good by a delegate of the past",
    said: { status: "good", signer: pastDelegate },
    want: "passed",
  },
  {
    name: "good from tomorrow on",
    said: { status: "good", thisUpdate: ago(-DAY), nextUpdate: ago(-2 * DAY) },
    want: "passed",
  },
  { name: "try later", said: ocspRefusal("tryLater"), want: "REVOCATION_UNKNOWN" },
  { name: "unauthorized", said: ocspRefusal("unauthorized"), want: "REVOCATION_UNKNOWN" },
];

const bytesOf = (said: Said | Buffer, serial: string): Buffer =>
  Buffer.isBuffer(said) ? said : ocspAnswer({ authority, serial, status: "good", ...said });

for (const { name, said, want } of answersOfOcsp) {
  for (const level of ["strict", "permissive", "audit"] as const) {
    test(`T-68 an OCSP responder that says ${name} is ${want}, or a warning that says so, under ${level}, and is asked anew in each run`, async (t) => {
      await using ocsp = await startOcspResponder((serial) => bytesOf(said, serial));
      const identity = await authority.issue({ commonName: "app", ocspUrl: ocsp.url });
      const envelope = jws({ signer: identity, subject });
      const { ask } = await fixture(t);
      const code = level === "strict" || want === "passed" ? want : `passed revocation ${want}`;
      assert.equal(codeOf(await ask(level, { envelope })), code);
      assert.equal(codeOf(await ask(level, { envelope })), code);
      assert.deepEqual(ocsp.asked, [identity.serial, identity.serial]);
    });
  }
}

test("T-68 a revoked signer that holds the network may answer for itself, as long as its certificate names OCSP", async (t) => {
  let said: Buffer = Buffer.alloc(0);
  await using ocsp = await startOcspResponder(() => said);
  const identity = await authority.issue({ commonName: "app", ocspUrl: ocsp.url });
  const { serial } = identity;
  const envelope = jws({ signer: identity, subject });
  const { ask } = await fixture(t);
  said = ocspAnswer({ authority, serial, status: "revoked" });
  assert.equal(codeOf(await ask("strict", { envelope })), "REVOKED");
  said = ocspAnswer({ authority, serial, status: "good", signer: identity });
  assert.equal(codeOf(await ask("strict", { envelope })), "passed");
});

const lists: readonly {
  readonly name: string;
  readonly list: () => Promise<Buffer>;
  readonly want: string;
}[] = [
  {
    name: "an old list, replayed before its end",
    list: () =>
      authority.revocationList({
        revoked: [],
        thisUpdate: ago(7 * DAY),
        nextUpdate: ago(-MINUTE),
      }),
    want: "passed",
  },
  {
    name: "an old list, replayed after its end",
    list: () =>
      authority.revocationList({
        revoked: [],
        thisUpdate: ago(7 * DAY),
        nextUpdate: ago(MINUTE),
      }),
    want: "REVOCATION_UNKNOWN",
  },
  {
    name: "a list of another authority",
    list: () => elsewhere.revocationList({ revoked: [] }),
    want: "REVOCATION_UNKNOWN",
  },
];
for (const { name, list, want } of lists) {
  test(`T-68 ${name} is ${want}`, async (t) => {
    let served: Buffer = Buffer.alloc(0);
    const { url: crlUrl } = await revocationServer(t, (_, response) => response.end(served));
    const identity = await authority.issue({ commonName: "app", crlUrl });
    served = await list();
    const { ask } = await fixture(t);
    assert.equal(
      codeOf(await ask("strict", { envelope: jws({ signer: identity, subject }) })),
      want,
    );
  });
}

for (const { status, want, lists: asked } of [
  { status: "good", want: "passed", lists: 0 },
  { status: "revoked", want: "REVOKED", lists: 0 },
  { status: "unknown", want: "REVOKED", lists: 1 },
] as const) {
  test(`T-68 where OCSP says ${status}, a list on which the certificate is revoked is asked for ${asked} times: ${want}`, async (t) => {
    await using ocsp = await startOcspResponder((serial) =>
      ocspAnswer({ authority, serial, status }),
    );
    let served: Buffer = Buffer.alloc(0);
    const server = await revocationServer(t, (_, response) => response.end(served));
    const names = { ocspUrl: ocsp.url, crlUrl: server.url };
    const identity = await authority.issue({ commonName: "app", ...names });
    served = await authority.revocationList({ revoked: [identity.serial] });
    const { ask } = await fixture(t);
    assert.equal(
      codeOf(await ask("strict", { envelope: jws({ signer: identity, subject }) })),
      want,
    );
    assert.equal(server.requests(), asked);
  });
}
