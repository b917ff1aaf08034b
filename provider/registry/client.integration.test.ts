import assert from "node:assert/strict";
import test from "node:test";
import { createTestClient } from "../../testing/registry/client.ts";
import { ACCOUNT, startOlareg, type OlaregOptions } from "../../testing/registry/olareg.ts";
import {
  attachSignature,
  DOCKER_MANIFEST,
  OCI_INDEX,
  pushImage,
  pushIndex,
  SIGNATURE_TYPE,
  tag,
} from "../../testing/registry/push.ts";
import { digestOf } from "../image/digest.ts";
import { isRefusal } from "../verdict/verdict.ts";

const JWS = "application/jose+json";
const never = new AbortController().signal;

const REGISTRIES: readonly { readonly name: string; readonly options: OlaregOptions }[] = [
  { name: "plain HTTP", options: {} },
  { name: "TLS with an authority of its own", options: { tls: true } },
  { name: "the tag schema in place of the API", options: { referrersApi: false } },
  { name: "a name and a password", options: { auth: "basic" } },
  { name: "tokens", options: { auth: "token" } },
];

for (const { name, options } of REGISTRIES) {
  test(`a real registry with ${name} gives subject, signatures, manifests and envelopes`, async () => {
    await using registry = await startOlareg(options);
    await using setup = createTestClient({ target: registry, credentials: async () => ACCOUNT });
    const { client, host } = setup;
    const place = { registry, repository: "team/app" };
    const from = { registry: host, repository: "team/app" };
    const subject = await pushImage({ ...place, tag: "v1" });
    const signatures = [
      await attachSignature({ ...place, subject, mediaType: JWS, envelope: "first" }),
      await attachSignature({ ...place, subject, mediaType: JWS, envelope: "second" }),
    ];

    assert.deepEqual(await client.subject(from, "v1", never), subject);
    assert.deepEqual(await client.subject(from, subject.digest, never), subject);
    const listed = await client.signatures(from, subject.digest, never);
    assert.ok(!isRefusal(listed));
    // The registry's order is its own matter.
    assert.deepEqual(
      new Set(listed.map(({ digest, size, mediaType }) => ({ digest, size, mediaType }))),
      new Set(signatures),
    );
    for (const { artifactType, annotations } of listed) {
      assert.equal(artifactType, SIGNATURE_TYPE);
      assert.ok(annotations?.["io.cncf.notary.x509chain.thumbprint#S256"]);
    }
    const [signature] = signatures;
    assert.ok(signature);
    const manifest = await client.manifest(from, signature, never);
    assert.ok(manifest instanceof Uint8Array);
    assert.equal(digestOf(manifest), signature.digest);
    const envelope = { mediaType: JWS, digest: digestOf("first"), size: 5 };
    assert.deepEqual(await client.blob(from, envelope, 100, never), Buffer.from("first"));
    assert.deepEqual(
      setup.events.filter(({ outcome }) => outcome !== "ok"),
      [],
    );
  });

  test(`a real registry with ${name} has no signatures of an image that nobody signed`, async () => {
    await using registry = await startOlareg(options);
    await using setup = createTestClient({ target: registry, credentials: async () => ACCOUNT });
    const place = { registry, repository: "app" };
    const from = { registry: setup.host, repository: "app" };
    const signed = await pushImage({ ...place, tag: "signed" });
    await attachSignature({ ...place, subject: signed, mediaType: JWS, envelope: "x" });
    const subject = await pushImage({ ...place, tag: "v1" });
    // The second listing finds the first one's memory of how this registry lists.
    assert.deepEqual(await setup.client.signatures(from, subject.digest, never), []);
    assert.deepEqual(await setup.client.signatures(from, subject.digest, never), []);
  });
}

test("images of Docker's type and indexes are subjects", async () => {
  await using registry = await startOlareg();
  await using setup = createTestClient({ target: registry });
  const place = { registry, repository: "app" };
  const from = { registry: setup.host, repository: "app" };
  const docker = await pushImage({ ...place, tag: "docker", mediaType: DOCKER_MANIFEST });
  const index = await pushIndex(place, "index", [await pushImage({ ...place, tag: "part" })]);
  assert.equal(index.mediaType, OCI_INDEX);
  assert.deepEqual(await setup.client.subject(from, "docker", never), docker);
  assert.deepEqual(await setup.client.subject(from, "index", never), index);
});

test("F-11 a manifest that is gone is IMAGE_NOT_FOUND", async () => {
  await using registry = await startOlareg();
  await using setup = createTestClient({ target: registry });
  await pushImage({ registry, repository: "app", tag: "v1" });
  const absent = digestOf("nothing");
  for (const [repository, name] of [
    ["app", "v2"],
    ["app", absent],
    ["nothing", "v1"],
  ] as const) {
    const verdict = await setup.client.subject({ registry: setup.host, repository }, name, never);
    assert.ok(isRefusal(verdict));
    assert.equal(verdict.reason, "IMAGE_NOT_FOUND");
  }
});

test("T-02 each resolution of a tag is the registry's answer at that moment", async () => {
  await using registry = await startOlareg();
  await using setup = createTestClient({ target: registry });
  const place = { registry, repository: "app" };
  const from = { registry: setup.host, repository: "app" };
  const first = await pushImage({ ...place, tag: "v1", content: "first" });
  const second = await pushImage({ ...place, tag: "v2", content: "second" });
  assert.deepEqual(await setup.client.subject(from, "v1", never), first);
  await tag(place, second, "v1");
  assert.deepEqual(await setup.client.subject(from, "v1", never), second);
});

test("a registry that the configuration does not name is not asked", async () => {
  await using registry = await startOlareg();
  await using setup = createTestClient({ target: registry, host: "registry.example" });
  const from = { registry: registry.host, repository: "app" };
  assert.equal(setup.client.allows(registry.host), false);
  assert.equal(setup.client.allows("registry.example"), true);
  const verdict = await setup.client.subject(from, "v1", never);
  assert.ok(isRefusal(verdict));
  assert.equal(verdict.reason, "REGISTRY_NOT_ALLOWED");
  assert.deepEqual(setup.events, []);
});

test("a registry that is opened by its host alone is made at its first question, once, and named by its label", async () => {
  await using registry = await startOlareg();
  const subject = await pushImage({ registry, repository: "app", tag: "v1" });
  const made: string[] = [];
  await using setup = createTestClient({
    target: registry,
    open: (host) => {
      made.push(host);
      return host.endsWith(".ecr.test") ? { label: "ecr" } : undefined;
    },
  });
  const { client, events } = setup;
  const ask = (host: string) => client.subject({ registry: host, repository: "app" }, "v1", never);
  assert.deepEqual([client.allows("a.ecr.test"), client.allows("elsewhere.test")], [true, false]);
  made.length = 0;
  for (const host of ["a.ecr.test", "b.ecr.test", "a.ecr.test"]) {
    assert.deepEqual(await ask(host), subject);
  }
  assert.deepEqual(made, ["a.ecr.test", "b.ecr.test"]);
  const refused = await ask("elsewhere.test");
  assert.ok(isRefusal(refused));
  assert.equal(refused.reason, "REGISTRY_NOT_ALLOWED");
  assert.deepEqual(new Set(events.map(({ registry: label }) => label)), new Set(["ecr"]));
});

test("of a thousand registries that are opened those that were asked longest ago are closed, and opened again", async () => {
  await using registry = await startOlareg();
  const subject = await pushImage({ registry, repository: "app", tag: "v1" });
  let made = 0;
  await using setup = createTestClient({
    target: registry,
    open: () => {
      made += 1;
      return {};
    },
  });
  const ask = (index: number) =>
    setup.client.subject({ registry: `${index}.ecr.test`, repository: "app" }, "v1", never);
  for (let index = 0; index < 1000; index += 1) assert.deepEqual(await ask(index), subject);
  assert.equal(made, 1000);
  assert.deepEqual(await ask(999), subject);
  assert.equal(made, 1000);
  assert.deepEqual(await ask(0), subject);
  assert.equal(made, 1001);
});
