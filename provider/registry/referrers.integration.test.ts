import assert from "node:assert/strict";
import test from "node:test";
import {
  errorOf,
  json,
  pages,
  pass,
  reply,
  status,
  type Answer,
} from "../../testing/registry/answers.ts";
import { createTestClient, type TestClient } from "../../testing/registry/client.ts";
import { startOlareg } from "../../testing/registry/olareg.ts";
import { attachSignature, pushImage } from "../../testing/registry/push.ts";
import { startUnruly } from "../../testing/registry/unruly.ts";
import { digestOf, hexOf } from "../image/digest.ts";
import { isRefusal } from "../verdict/verdict.ts";

const INDEX = "application/vnd.oci.image.index.v1+json";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const SIGNATURE = "application/vnd.cncf.notary.signature";
const SUBJECT = digestOf("the subject");
const PATH = `/v2/app/referrers/${SUBJECT}`;
const API = /^GET \/v2\/app\/referrers\//;
const TAG = `GET /v2/app/manifests/sha256-${hexOf(SUBJECT)}`;
const never = new AbortController().signal;

const reasonOf = (result: unknown): string | undefined =>
  isRefusal(result) ? result.reason : undefined;
const list = ({ client, host }: TestClient, signal = never) =>
  client.signatures({ registry: host, repository: "app" }, SUBJECT, signal);

const signature = (name: string | number) => ({
  mediaType: MANIFEST,
  digest: digestOf(`signature ${name}`),
  size: 700,
  artifactType: SIGNATURE,
});
const index = (manifests: readonly unknown[], headers: Readonly<Record<string, string>> = {}) =>
  json(
    { schemaVersion: 2, mediaType: INDEX, manifests },
    { headers: { "content-type": INDEX, ...headers } },
  );

test("the API is asked for signatures alone, and what is none is left out all the same", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  const { artifactType: _, ...untyped } = signature("untyped");
  registry.on(
    API,
    index(
      [{ ...signature("sbom"), artifactType: "application/spdx+json" }, signature(1), untyped],
      {
        "oci-filters-applied": "artifactType",
      },
    ),
  );
  assert.deepEqual(await list(setup), [signature(1)]);
  assert.deepEqual(
    registry.requests.map(({ line }) => line),
    [`GET ${PATH}?artifactType=application%2Fvnd.cncf.notary.signature`],
  );
});

test("an empty list of the API is believed, and the tag schema is not asked", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  registry.on(API, index([]));
  assert.deepEqual(await list(setup), []);
  assert.equal(registry.requests.length, 1);
});

test("a repository that is unknown has no signatures, and the tag schema is not asked", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  registry.on(API, errorOf(404, "NAME_UNKNOWN"));
  assert.deepEqual(await list(setup), []);
  assert.equal(registry.requests.length, 1);
});

const NO_API: readonly { readonly name: string; readonly answer: Answer }[] = [
  { name: "404", answer: status(404) },
  { name: "404 MANIFEST_UNKNOWN", answer: errorOf(404, "MANIFEST_UNKNOWN") },
  { name: "404 with a page for people", answer: reply({ status: 404, body: "<html>" }) },
  { name: "405", answer: status(405) },
  {
    name: "a page for people",
    answer: reply({ body: "<html>", headers: { "content-type": "text/html" } }),
  },
  { name: "no type", answer: reply({ body: "{}" }) },
  { name: "ghcr.io's 303", answer: status(303, { location: "https://github.com/-/v2/packages" }) },
];

for (const { name, answer } of NO_API) {
  test(`a registry that answers ${name} for referrers is asked by the tag schema`, async () => {
    await using registry = await startUnruly();
    await using setup = createTestClient({ target: registry });
    registry.on(API, answer);
    registry.on(TAG, index([signature(1), signature(2)]));
    assert.deepEqual(await list(setup), [signature(1), signature(2)]);
  });
}

test("a registry without the API is remembered for minutes: one request for what is signed", async () => {
  await using registry = await startUnruly();
  let clock = 0;
  await using setup = createTestClient({ target: registry, now: () => clock });
  registry.on(API, status(404));
  registry.on(TAG, index([signature(1)]));
  await list(setup);
  await list(setup);
  assert.deepEqual([registry.count(API), registry.count(TAG)], [1, 2]);
  clock = 300_000;
  await list(setup);
  assert.deepEqual([registry.count(API), registry.count(TAG)], [2, 3]);
});

test("what was remembered wrongly hides no signature", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  registry.on(API, errorOf(404, "MANIFEST_UNKNOWN"), index([signature(1)]));
  assert.deepEqual(await list(setup), []);
  assert.deepEqual(await list(setup), [signature(1)]);
});

test("GitLab's registry, which takes the tag for the digest, lists no signatures", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  registry.on(TAG, reply({ body: "the subject", headers: { "content-type": MANIFEST } }));
  assert.deepEqual(await list(setup), []);
});

const MALFORMED: readonly { readonly name: string; readonly answer: Answer }[] = [
  {
    name: "F-08 truncated JSON",
    answer: reply({ body: '{"manifests":[', headers: { "content-type": INDEX } }),
  },
  {
    name: "F-08 a member twice",
    answer: reply({ body: '{"manifests":[],"Manifests":[]}', headers: { "content-type": INDEX } }),
  },
  {
    name: "F-08 500,000 levels",
    answer: reply({
      body: `{"manifests":${"[".repeat(500_000)}${"]".repeat(500_000)}}`,
      headers: { "content-type": INDEX },
    }),
  },
  {
    name: "F-08 a byte order mark",
    answer: reply({ body: '\ufeff{"manifests":[]}', headers: { "content-type": INDEX } }),
  },
  {
    name: "F-08 UTF-16",
    answer: reply({
      body: Buffer.from('{"manifests":[]}', "utf16le"),
      headers: { "content-type": INDEX },
    }),
  },
  { name: "no list", answer: json({}, { headers: { "content-type": INDEX } }) },
  {
    name: "an object as list",
    answer: json({ manifests: {} }, { headers: { "content-type": INDEX } }),
  },
  { name: "null", answer: json(null, { headers: { "content-type": INDEX } }) },
  {
    name: "another type inside than outside",
    answer: json({ mediaType: MANIFEST, manifests: [] }, { headers: { "content-type": INDEX } }),
  },
];

for (const { name, answer } of MALFORMED) {
  test(`${name} in a list is REGISTRY_ERROR, by API and by tag`, async () => {
    await using registry = await startUnruly();
    await using setup = createTestClient({ target: registry });
    registry.on(API, answer, status(404));
    registry.on(TAG, answer);
    assert.equal(reasonOf(await list(setup)), "REGISTRY_ERROR");
    assert.equal(registry.count(TAG), 0);
    assert.equal(reasonOf(await list(setup)), "REGISTRY_ERROR");
    assert.equal(registry.count(TAG), 1);
  });
}

test("F-08 an entry that is malformed does not spoil the others", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  registry.on(
    API,
    index([
      null,
      "x",
      { ...signature("a"), digest: "sha256:short" },
      { ...signature("b"), digest: `sha512:${"0".repeat(128)}` },
      { ...signature("c"), size: -1 },
      { ...signature("d"), size: 2 ** 60 },
      { ...signature("e"), size: "700" },
      { ...signature("f"), mediaType: 5 },
      signature(1),
    ]),
  );
  assert.deepEqual(await list(setup), [signature(1)]);
});

test("annotations are kept unless they are long or malformed", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  const annotations = { created: "2026-11-02T10:00:00Z" };
  registry.on(
    API,
    index([
      { ...signature(1), annotations },
      { ...signature(2), annotations: { a: "x".repeat(5000) } },
      { ...signature(3), annotations: { a: 5 } },
    ]),
  );
  assert.deepEqual(await list(setup), [
    { ...signature(1), annotations },
    signature(2),
    signature(3),
  ]);
});

test("pages are read one after the other, without repetition, in the registry's order", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  registry.on(
    API,
    index([signature(1), signature(2)], { link: `<${PATH}?last=2>; rel="next"` }),
    index([signature(2), signature(3)], { link: `<${registry.url}${PATH}?last=3>; rel=next` }),
    index([signature(1)]),
  );
  assert.deepEqual(await list(setup), [signature(1), signature(2), signature(3)]);
  assert.equal(registry.count(API), 3);
});

const ENDLESS: readonly {
  readonly name: string;
  readonly next: (page: number) => string;
  readonly requests: number;
}[] = [
  { name: "a chain of 1,000 pages", next: (page) => `${PATH}?page=${page}`, requests: 10 },
  {
    name: "a page that links itself",
    next: () => `${PATH}?artifactType=${encodeURIComponent(SIGNATURE)}`,
    requests: 1,
  },
  {
    name: "two pages that link each other",
    next: (page) => `${PATH}?page=${page % 2}`,
    requests: 3,
  },
  { name: "pages that differ in their fragment", next: (page) => `${PATH}?#${page}`, requests: 2 },
  { name: "another origin", next: () => `https://127.0.0.2${PATH}`, requests: 1 },
  { name: "an origin without scheme", next: () => `//127.0.0.2${PATH}`, requests: 1 },
  { name: "another repository", next: () => `/v2/other/referrers/${SUBJECT}`, requests: 1 },
  {
    name: "another repository behind dots",
    next: () => `${PATH}/../../../other/referrers/${SUBJECT}`,
    requests: 1,
  },
  { name: "another digest", next: () => `/v2/app/referrers/${digestOf("other")}`, requests: 1 },
  { name: "no URL", next: () => "https://", requests: 1 },
];

for (const { name, next, requests } of ENDLESS) {
  test(`T-11 ${name} ends the list: REGISTRY_ERROR`, async () => {
    await using registry = await startUnruly();
    await using setup = createTestClient({ target: registry });
    registry.on(API, pages({ next }));
    assert.equal(reasonOf(await list(setup)), "REGISTRY_ERROR");
    assert.equal(registry.requests.length, requests);
  });
}

test("T-11 ten pages are read", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  registry.on(
    API,
    pages({
      manifests: [signature(1)],
      next: (page) => (page < 10 ? `${PATH}?page=${page}` : undefined),
    }),
  );
  assert.deepEqual(await list(setup), [signature(1)]);
  assert.equal(registry.requests.length, 10);
});

test("T-10 no more than 1,000 signatures are listed, and no page after them is read", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  const many = Array.from({ length: 1500 }, (_, number) => signature(number));
  registry.on(API, index(many, { link: `<${PATH}?page=2>; rel="next"` }));
  assert.deepEqual(await list(setup), many.slice(0, 1000));
  assert.equal(registry.requests.length, 1);
});

test("a page that fails on the way fails the list", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  registry.on(API, index([signature(1)], { link: `<${PATH}?page=2>; rel="next"` }), status(404));
  assert.equal(reasonOf(await list(setup)), "REGISTRY_ERROR");
});

test("a digest on a registry that is warm costs subject and referrers at once, then one request for each step", async () => {
  await using real = await startOlareg({ auth: "token" });
  await using registry = await startUnruly({ upstream: real });
  await using setup = createTestClient({ target: registry, credentials: async () => undefined });
  const place = { registry: real, repository: "app" };
  const subject = await pushImage({ ...place, tag: "v1" });
  const attached = await attachSignature({
    ...place,
    subject,
    mediaType: "application/jose+json",
    envelope: "e",
  });
  // Every request of the client goes in with the double's own authorization.
  registry.on(/./, async (exchange) => {
    exchange.request.headers.authorization = real.authorization;
    await pass()(exchange);
  });
  const from = { registry: setup.host, repository: "app" };
  const [found, listed] = await Promise.all([
    setup.client.subject(from, subject.digest, never),
    setup.client.signatures(from, subject.digest, never),
  ]);
  assert.deepEqual(found, subject);
  assert.ok(!isRefusal(listed) && listed[0] !== undefined);
  await setup.client.manifest(from, listed[0], never);
  await setup.client.blob(
    from,
    { mediaType: "application/jose+json", digest: digestOf("e"), size: 1 },
    10,
    never,
  );
  assert.equal(registry.requests.length, 4);
  assert.deepEqual(
    new Set(registry.requests.map(({ line }) => line.split("?")[0])),
    new Set([
      `GET /v2/app/blobs/${digestOf("e")}`,
      `GET /v2/app/manifests/${attached.digest}`,
      `GET /v2/app/manifests/${subject.digest}`,
      `GET /v2/app/referrers/${subject.digest}`,
    ]),
  );
});

for (const { place, from } of [
  { place: "the API", from: API },
  { place: "the tag", from: TAG },
]) {
  test(`T-12 a list of nothing but entries from ${place} is refused by the count of its marks`, async () => {
    await using registry = await startUnruly();
    await using setup = createTestClient({ target: registry });
    registry.on(API, status(404));
    registry.on(from, index(Array.from({ length: 60_000 }, () => ({}))));
    assert.equal(reasonOf(await list(setup)), "REGISTRY_ERROR");
  });
}

test("T-12 entries of other kinds cost no look at their members", async () => {
  await using registry = await startUnruly();
  await using setup = createTestClient({ target: registry });
  const other = { artifactType: "application/spdx+json", digest: 1 };
  registry.on(API, index([...Array.from({ length: 9_000 }, () => other), signature(1)]));
  assert.deepEqual(await list(setup), [signature(1)]);
});
