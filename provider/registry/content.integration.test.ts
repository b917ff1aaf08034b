import assert from "node:assert/strict";
import test from "node:test";
import {
  guarded,
  pass,
  redirect,
  reply,
  status,
  type Answer,
} from "../../testing/registry/answers.ts";
import {
  createAuthorities,
  issueSelfSigned,
  type LeafOptions,
} from "../../testing/gatekeeper/certificates.ts";
import { startCanary } from "../../testing/registry/canary.ts";
import { until } from "../../testing/notation/processes.ts";
import { createTestClient, type TestClient } from "../../testing/registry/client.ts";
import { issueLoopback, startOlareg } from "../../testing/registry/olareg.ts";
import { pushImage } from "../../testing/registry/push.ts";
import { startUnruly } from "../../testing/registry/unruly.ts";
import { digestOf } from "../image/digest.ts";
import { isRefusal, type Refusal } from "../verdict/verdict.ts";
import { basicHeader } from "./credentials.ts";

const OCI = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";
const ENVELOPE = "an envelope";
const BLOB = {
  mediaType: "application/jose+json",
  digest: digestOf(ENVELOPE),
  size: ENVELOPE.length,
};
const BLOB_PATH = `GET /v2/app/blobs/${BLOB.digest}`;
const ALICE = { username: "alice", password: "secret" };
const never = new AbortController().signal;

const reasonOf = (result: unknown): string | undefined =>
  isRefusal(result) ? result.reason : undefined;
const fetchBlob = ({ client, host }: TestClient, limit = 1000) =>
  client.blob({ registry: host, repository: "app" }, BLOB, limit, never);

test("F-06 a body of no said length is ended at the first byte beyond what was asked for", async () => {
  await using registry = await startUnruly();
  // What stays beyond that byte, and below the cap of every body, would be waited for.
  await using setup = createTestClient({ target: registry, requestTimeoutMs: 2000 });
  registry.on(BLOB_PATH, ({ response }) => {
    response.writeHead(200);
    response.write(`${ENVELOPE}.`);
  });
  const refused = await fetchBlob(setup);
  assert.equal(reasonOf(refused), "REGISTRY_ERROR");
  await until(() => registry.openConnections() === 0);
});

interface Lie {
  readonly name: string;
  /** Default the tag. */
  readonly by?: "digest";
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: string;
  readonly want: Refusal["reason"] | undefined;
}

const manifest = { schemaVersion: 2, config: {}, layers: [] };
const HEX = /[0-9a-f]{64}$/;

const LIES: readonly Lie[] = [
  {
    name: "T-03 the digest's header names another",
    headers: { "docker-content-digest": digestOf("x") },
    want: "REGISTRY_ERROR",
  },
  {
    name: "T-03 the digest's header is missing",
    headers: { "docker-content-digest": undefined },
    want: undefined,
  },
  {
    name: "T-03 the digest's header is of another algorithm",
    headers: { "docker-content-digest": `sha512:${"0".repeat(128)}` },
    want: "REGISTRY_ERROR",
  },
  {
    name: "T-03 the digest's header is no digest",
    headers: { "docker-content-digest": "yes" },
    want: "REGISTRY_ERROR",
  },
  {
    name: "T-03 the body is another than the header says",
    body: JSON.stringify(manifest),
    want: "REGISTRY_ERROR",
  },
  {
    name: "T-03 the body is another than was asked for",
    by: "digest",
    headers: { "docker-content-digest": undefined },
    body: JSON.stringify(manifest),
    want: "REGISTRY_ERROR",
  },
  {
    name: "T-03 body and header agree on another than was asked for",
    by: "digest",
    headers: { "docker-content-digest": digestOf(JSON.stringify(manifest)) },
    body: JSON.stringify(manifest),
    want: "REGISTRY_ERROR",
  },
  {
    name: "T-05 the type of an index for an image",
    headers: { "content-type": INDEX },
    want: "REGISTRY_ERROR",
  },
  {
    name: "T-05 a type with parameters",
    headers: { "content-type": `${OCI}; charset=utf-8` },
    want: undefined,
  },
  {
    name: "T-05 a type that is no image's",
    headers: { "content-type": "application/json" },
    want: "NOT_AN_IMAGE",
  },
  { name: "T-05 no type", headers: { "content-type": undefined }, want: "REGISTRY_ERROR" },
];

for (const { name, by, headers, body, want } of LIES) {
  test(`${name}: ${want ?? "accepted"}`, async () => {
    await using real = await startOlareg();
    await using registry = await startUnruly({ upstream: real });
    await using setup = createTestClient({ target: registry });
    const subject = await pushImage({ registry: real, repository: "app", tag: "v1" });
    registry.on(/^GET/, pass({ ...(headers && { headers }), ...(body && { body: () => body }) }));
    const from = { registry: setup.host, repository: "app" };
    const result = await setup.client.subject(from, by ? subject.digest : "v1", never);
    if (want === undefined) assert.deepEqual(result, subject);
    else assert.equal(reasonOf(result), want);
  });
}

test("T-03 a digest in upper case is another digest", async () => {
  await using real = await startOlareg();
  await using registry = await startUnruly({ upstream: real });
  await using setup = createTestClient({ target: registry });
  const { digest } = await pushImage({ registry: real, repository: "app", tag: "v1" });
  const upper = digest.replace(HEX, (hex) => hex.toUpperCase());
  registry.on(/^GET/, pass({ headers: { "docker-content-digest": upper } }));
  const from = { registry: setup.host, repository: "app" };
  assert.equal(reasonOf(await setup.client.subject(from, "v1", never)), "REGISTRY_ERROR");
});

const CONTENTS: readonly { readonly name: string; readonly answer: Answer }[] = [
  { name: "other bytes of the same size", answer: reply({ body: "AN ENVELOPE" }) },
  { name: "fewer bytes", answer: reply({ body: "an envelop" }) },
  { name: "more bytes", answer: reply({ body: `${ENVELOPE}!` }) },
  { name: "nothing", answer: reply({}) },
  { name: "that it is not there", answer: status(404) },
  {
    name: "an encoded body",
    answer: reply({ body: ENVELOPE, headers: { "content-encoding": "gzip" } }),
  },
];

for (const { name, answer } of CONTENTS) {
  test(`T-03 ${name} in place of an envelope or a signature manifest: REGISTRY_ERROR`, async () => {
    await using registry = await startUnruly();
    await using setup = createTestClient({ target: registry });
    registry.on(/^GET/, answer);
    const from = { registry: setup.host, repository: "app" };
    assert.equal(reasonOf(await fetchBlob(setup)), "REGISTRY_ERROR");
    assert.equal(reasonOf(await setup.client.manifest(from, BLOB, never)), "REGISTRY_ERROR");
    assert.equal(registry.requests.length, 2);
  });
}

test("T-12 what is listed as larger than is read is not asked for", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  const from = { registry: setup.host, repository: "app" };
  assert.equal(reasonOf(await fetchBlob(setup, BLOB.size - 1)), "REGISTRY_ERROR");
  for (const size of [4 * 1024 ** 2 + 1, 5 * 1024 ** 3]) {
    const descriptor = { ...BLOB, size };
    assert.equal(reasonOf(await setup.client.manifest(from, descriptor, never)), "REGISTRY_ERROR");
    assert.equal(
      reasonOf(await setup.client.blob(from, descriptor, size, never)),
      "REGISTRY_ERROR",
    );
  }
  assert.deepEqual(registry.requests, []);
});

test("T-31 names that are none of a reference reach no path", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  const names = [
    "",
    "..",
    "app/../x",
    "app?x",
    "app#x",
    "App",
    "a//b",
    "app/",
    "/app",
    "a b",
    "%2e",
    "a\0",
    "a:b",
  ];
  for (const repository of names) {
    const from = { registry: setup.host, repository };
    assert.equal(reasonOf(await setup.client.subject(from, "v1", never)), "INVALID_REFERENCE");
    assert.equal(
      reasonOf(await setup.client.signatures(from, BLOB.digest, never)),
      "INVALID_REFERENCE",
    );
  }
  for (const name of ["", "..", "v1/../x", "v1?x", "v1@x", "sha256:abc", ".v1", "a".repeat(129)]) {
    const from = { registry: setup.host, repository: "app" };
    assert.equal(reasonOf(await setup.client.subject(from, name, never)), "INVALID_REFERENCE");
  }
  assert.deepEqual(registry.requests, []);
});

test("T-31 only the exact spelling of a registry's host is that registry", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry, host: "registry.example" });
  const hosts = [
    "registry.example.evil.example",
    "evil-registry.example",
    "registry.example.",
    "REGISTRY.example",
    "registry.example:443",
    "user@registry.example",
    "registry\u3002example",
    "registry.example\0",
    "registry%2eexample",
    "127.0.0.1",
    "2130706433",
    "[::1]",
    "__proto__",
    "constructor",
  ];
  for (const host of hosts) {
    assert.equal(setup.client.allows(host), false, host);
    const from = { registry: host, repository: "app" };
    assert.equal(reasonOf(await setup.client.subject(from, "v1", never)), "REGISTRY_NOT_ALLOWED");
  }
  assert.equal(registry.connections(), 0);
});

test("T-30 a blob is followed to a host on the list, once, without credentials", async () => {
  for (const code of [301, 302, 303, 307, 308]) {
    const tls = await issueLoopback();
    await using registry = await startUnruly({ tls });
    await using store = await startUnruly({ tls });
    await using setup = createTestClient({
      target: registry,
      credentials: async () => ALICE,
      blobHosts: [store.host],
    });
    registry.on(
      BLOB_PATH,
      guarded(
        (shown) => shown === basicHeader(ALICE),
        "Basic",
        redirect(`${store.url}/b?signed=1#x`, code),
      ),
    );
    store.on("GET /b?signed=1", reply({ body: ENVELOPE }));
    assert.deepEqual(await fetchBlob(setup), Buffer.from(ENVELOPE));
    assert.equal(registry.requests.at(-1)?.headers.authorization, basicHeader(ALICE));
    assert.equal(store.requests.length, 1);
    assert.equal(store.requests[0]?.headers.authorization, undefined);
  }
});

test("T-30 a blob that comes from elsewhere has to be the right one all the same", async () => {
  await using registry = await startUnruly();
  await using store = await startUnruly();
  await using setup = createTestClient({ target: registry, blobHosts: [store.host] });
  registry.on(BLOB_PATH, redirect(`${store.url}/b`));
  store.on("GET /b", reply({ body: "AN ENVELOPE" }));
  assert.equal(reasonOf(await fetchBlob(setup)), "REGISTRY_ERROR");
});

test("F-09 a blob is not followed twice", async () => {
  await using registry = await startUnruly();
  await using store = await startUnruly();
  await using setup = createTestClient({
    target: registry,
    blobHosts: [store.host, registry.host],
  });
  registry.on(BLOB_PATH, redirect(`${store.url}/b`));
  store.on(/./, redirect(`${registry.url}/v2/app/blobs/${BLOB.digest}`));
  assert.equal(reasonOf(await fetchBlob(setup)), "REGISTRY_ERROR");
  assert.deepEqual([registry.requests.length, store.requests.length], [1, 1]);
});

test("F-09 a blob is not followed to its own registry unless that is on the list", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  registry.on(BLOB_PATH, redirect("/elsewhere"));
  assert.equal(reasonOf(await fetchBlob(setup)), "REGISTRY_ERROR");
  assert.equal(registry.requests.length, 1);
});

// LISTED is on the list, CANARY is not; both are canaries.
const LOCATIONS = [
  "http://CANARY/b",
  "https://CANARY/b",
  "//CANARY/b",
  "https://LISTED@CANARY/b",
  "https://user:password@LISTED/b",
  "https://LISTED.CANARY/b",
  "https://CANARY/LISTED",
  "https://CANARY\\@LISTED/b",
  "http://LISTED/b",
  "ftp://LISTED/b",
  "file:///etc/passwd",
  "http://169.254.169.254/latest/meta-data",
  "https://169.254.169.254/latest/meta-data",
  "https://2852039166/latest",
  "https://[::ffff:169.254.169.254]/",
  "",
  "https://",
  "\\\\CANARY\\b",
];

for (const location of LOCATIONS) {
  for (const code of [301, 307]) {
    test(`T-30 ${code} to ${JSON.stringify(location)} is not followed`, async () => {
      await using registry = await startUnruly({ tls: await issueLoopback() });
      await using canary = await startCanary();
      const listed = `127.0.0.9:${canary.port}`;
      await using setup = createTestClient({
        target: registry,
        credentials: async () => ALICE,
        blobHosts: [listed],
        allowedAddresses: ["127.0.0.0/8"],
      });
      const url = location
        .replaceAll("LISTED", listed)
        .replaceAll("CANARY", `127.0.0.2:${canary.port}`);
      registry.on(/./, redirect(url, code));
      const from = { registry: setup.host, repository: "app" };
      assert.equal(reasonOf(await fetchBlob(setup)), "REGISTRY_ERROR");
      assert.equal(reasonOf(await setup.client.subject(from, "v1", never)), "REGISTRY_ERROR");
      assert.deepEqual(canary.connections, []);
    });
  }
}

test("T-30 only blobs are followed, even to a host on the list", async () => {
  await using registry = await startUnruly();
  await using canary = await startCanary();
  const listed = `127.0.0.2:${canary.port}`;
  await using setup = createTestClient({
    target: registry,
    blobHosts: [listed],
    allowedAddresses: ["127.0.0.0/8"],
  });
  registry.on(/./, redirect(`http://${listed}/`));
  const from = { registry: setup.host, repository: "app" };
  assert.equal(reasonOf(await setup.client.subject(from, "v1", never)), "REGISTRY_ERROR");
  assert.equal(reasonOf(await setup.client.manifest(from, BLOB, never)), "REGISTRY_ERROR");
  assert.equal(reasonOf(await setup.client.signatures(from, BLOB.digest, never)), "REGISTRY_ERROR");
  assert.deepEqual(canary.connections, []);
  // The same redirect of a blob goes there: the canary works.
  assert.equal(reasonOf(await fetchBlob(setup)), "REGISTRY_UNREACHABLE");
  assert.deepEqual(canary.connections, ["127.0.0.2"]);
});

test("T-30 a host on the list at a closed address is not connected to", async () => {
  await using registry = await startUnruly();
  await using canary = await startCanary();
  const listed = `127.0.0.2:${canary.port}`;
  await using setup = createTestClient({ target: registry, blobHosts: [listed] });
  registry.on(/./, redirect(`http://${listed}/`));
  assert.equal(reasonOf(await fetchBlob(setup)), "REGISTRY_UNREACHABLE");
  assert.deepEqual(canary.connections, []);
});

const ENDPOINTS = [
  "http://127.0.0.2:PORT",
  "http://localhost:PORT",
  "http://[::ffff:127.0.0.2]:PORT",
  "http://0x7f.2:PORT",
];

for (const endpoint of ENDPOINTS) {
  test(`F-12 the endpoint ${endpoint} is not connected to unless its address is open`, async () => {
    await using canary = await startCanary(["127.0.0.1", "127.0.0.2"]);
    const url = endpoint.replace("PORT", String(canary.port));
    await using setup = createTestClient({
      target: { url },
      host: "r.example",
      allowedAddresses: [],
    });
    const from = { registry: "r.example", repository: "app" };
    assert.equal(reasonOf(await setup.client.subject(from, "v1", never)), "REGISTRY_UNREACHABLE");
    assert.deepEqual(canary.connections, []);
  });
}

test("F-12 a name that changes its mind is checked at every connection", async () => {
  await using registry = await startUnruly();
  await using canary = await startCanary(["127.0.0.2"]);
  const port = Number(new URL(registry.url).port);
  registry.on(/./, ({ response }) => {
    response.writeHead(404, { connection: "close" });
    response.end();
  });
  const addresses = ["127.0.0.1", "127.0.0.2", "169.254.169.254"];
  const looked: string[] = [];
  await using setup = createTestClient({
    target: { url: `http://r.example:${port}` },
    resolve: (hostname, _options, callback) => {
      looked.push(hostname);
      callback(null, [{ address: addresses.shift() ?? "", family: 4 }]);
    },
  });
  const from = { registry: setup.host, repository: "app" };
  const ask = async () => reasonOf(await setup.client.subject(from, "v1", never));
  assert.equal(await ask(), "IMAGE_NOT_FOUND");
  assert.equal(await ask(), "REGISTRY_UNREACHABLE");
  assert.equal(await ask(), "REGISTRY_UNREACHABLE");
  assert.deepEqual(looked, ["r.example", "r.example", "r.example"]);
  assert.deepEqual(canary.connections, []);
});

for (const code of ["ENOTFOUND", "EAI_AGAIN"]) {
  test(`F-12 a name that is not resolved (${code}) is REGISTRY_UNREACHABLE`, async () => {
    await using setup = createTestClient({
      target: { url: "https://r.example" },
      resolve: (_hostname, _options, callback) =>
        callback(Object.assign(new Error("getaddrinfo r.example"), { code }), []),
    });
    const from = { registry: setup.host, repository: "app" };
    const verdict = await setup.client.subject(from, "v1", never);
    assert.equal(reasonOf(verdict), "REGISTRY_UNREACHABLE");
    assert.doesNotMatch(JSON.stringify(verdict), /r\.example/);
  });
}

test("F-12 slow DNS ends with the time of the request", async () => {
  await using setup = createTestClient({
    target: { url: "https://r.example" },
    requestTimeoutMs: 50,
    resolve: () => {},
  });
  const from = { registry: setup.host, repository: "app" };
  assert.equal(reasonOf(await setup.client.subject(from, "v1", never)), "REGISTRY_UNREACHABLE");
});

test("T-65 a certificate of a stranger is REGISTRY_UNREACHABLE, and nothing was sent", async () => {
  await using registry = await startUnruly({ tls: await issueLoopback() });
  const { ca } = await issueLoopback();
  for (const target of [{ url: registry.url }, { url: registry.url, ca }]) {
    await using setup = createTestClient({ target });
    const from = { registry: setup.host, repository: "app" };
    assert.equal(reasonOf(await setup.client.subject(from, "v1", never)), "REGISTRY_UNREACHABLE");
  }
  assert.deepEqual(registry.requests, []);
});

const local: LeafOptions = { name: "registry", ip: ["127.0.0.1"] };

/** A certificate of an authority that the registry's `ca` names, but for what is said otherwise. */
const flawed: readonly {
  readonly name: string;
  readonly leaf?: Partial<LeafOptions>;
  readonly isSelfSigned?: boolean;
  readonly want: string;
}[] = [
  { name: "that is good", want: "IMAGE_NOT_FOUND" },
  { name: "for another name", leaf: { ip: ["127.0.0.3"] }, want: "REGISTRY_UNREACHABLE" },
  {
    name: "that has expired",
    leaf: { notAfter: new Date(Date.now() - 1000) },
    want: "REGISTRY_UNREACHABLE",
  },
  { name: "that vouches for itself", isSelfSigned: true, want: "REGISTRY_UNREACHABLE" },
];
for (const { name, leaf, isSelfSigned = false, want } of flawed) {
  test(`T-65 a registry with a certificate ${name}: ${want}`, async (t) => {
    // Which would let Node take any certificate.
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    t.after(() => delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"]);
    const { ca, provider } = await createAuthorities();
    const tls = isSelfSigned
      ? await issueSelfSigned(local)
      : await provider.issue({ ...local, ...leaf });
    await using registry = await startUnruly({ tls });
    await using setup = createTestClient({ target: { url: registry.url, ca } });
    const from = { registry: setup.host, repository: "app" };
    assert.equal(reasonOf(await setup.client.subject(from, "v1", never)), want);
    assert.equal(registry.requests.length, want === "IMAGE_NOT_FOUND" ? 1 : 0);
  });
}

test("T-65 a certificate for another name is REGISTRY_UNREACHABLE", async () => {
  const tls = await issueLoopback();
  await using registry = await startUnruly({ tls, address: "127.0.0.3" });
  await using setup = createTestClient({ target: registry, allowedAddresses: ["127.0.0.3/32"] });
  const from = { registry: setup.host, repository: "app" };
  assert.equal(reasonOf(await setup.client.subject(from, "v1", never)), "REGISTRY_UNREACHABLE");
  assert.deepEqual(registry.requests, []);
});
