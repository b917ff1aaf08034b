import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { startEcrRegistry, type EcrRegistry, WEST } from "../../testing/aws/ecr-registry.ts";
import { denied } from "../../testing/aws/answers.ts";
import { createWorld, never, type World } from "../../testing/aws/world.ts";
import { createTestClient, type TestClient } from "../../testing/registry/client.ts";
import { startOlareg } from "../../testing/registry/olareg.ts";
import { pushImage, attachSignature } from "../../testing/registry/push.ts";
import type { Descriptor } from "../image/descriptor.ts";
import { isRefusal } from "../verdict/verdict.ts";

interface Setting {
  readonly world: World;
  readonly registry: EcrRegistry;
  readonly test: TestClient;
  readonly image: Descriptor;
}

/** A signed image in a registry with ECR's manners, and a client that is who the provider is to ECR. */
async function setUp(t: TestContext): Promise<Setting> {
  await using parts = new AsyncDisposableStack();
  const olareg = parts.use(await startOlareg());
  const place = { registry: olareg, repository: "app" };
  const image = await pushImage({ ...place, tag: "v1" });
  await attachSignature({
    ...place,
    subject: image,
    mediaType: "application/jose+json",
    envelope: "{}",
  });
  const world = await createWorld(t);
  const registry = parts.use(await startEcrRegistry({ ecr: world.double, upstream: olareg }));
  const credentials = world.ecr.sourceFor(WEST);
  assert.ok(credentials !== undefined);
  const client = parts.use(
    createTestClient({
      target: registry,
      host: WEST,
      credentials,
      blobHosts: [registry.blobHost],
    }),
  );
  const owned = parts.move();
  t.after(() => owned.disposeAsync());
  return { world, registry, test: client, image };
}

const from = { registry: WEST, repository: "app" };

test("an image of ECR is read with its token, its signature by the API, the envelope from the bucket without credentials", async (t) => {
  const { world, registry, test, image } = await setUp(t);
  const subject = await test.client.subject(from, "v1", never);
  assert.deepEqual(subject, image);
  const signatures = await test.client.signatures(from, image.digest, never);
  assert.ok(!isRefusal(signatures) && signatures[0] !== undefined);
  const manifest = await test.client.manifest(from, signatures[0], never);
  assert.ok(!isRefusal(manifest));
  const [layer] = JSON.parse(Buffer.from(manifest).toString()).layers as [Descriptor];
  const envelope = await test.client.blob(from, layer, 1000, never);
  assert.equal(Buffer.from(envelope as Uint8Array).toString(), "{}");
  assert.deepEqual(
    registry.bucket.requests.map(({ headers }) => headers.authorization),
    [undefined],
  );
  assert.equal(world.aws.count("GetAuthorizationToken"), 1);
});

test("F-11 a token that ECR ends before its time costs one more token and one more request", async (t) => {
  const { world, registry, test, image } = await setUp(t);
  await test.client.subject(from, "v1", never);
  world.pass(120_000);
  world.double.revokeTokens();
  const before = registry.requests.length;
  assert.deepEqual(await test.client.subject(from, "v1", never), image);
  assert.equal(registry.requests.length, before + 2);
  assert.equal(world.aws.count("GetAuthorizationToken"), 2);
});

test("F-11 a repository that may not be read is REGISTRY_UNAUTHORIZED, and costs no token for each question", async (t) => {
  const { world, registry, test } = await setUp(t);
  registry.deny("app");
  world.pass(120_000);
  for (let count = 0; count < 10; count += 1) {
    const answer = await test.client.subject(from, "v1", never);
    assert.ok(isRefusal(answer));
    assert.equal(answer.reason, "REGISTRY_UNAUTHORIZED");
  }
  // Two at most: the first, and one in the place of a token that was old enough.
  assert.ok(world.aws.count("GetAuthorizationToken") <= 2);
});

test("F-15 a token that may not be had says which permission is missing", async (t) => {
  const { world, test } = await setUp(t);
  world.aws.on("GetAuthorizationToken", denied());
  const answer = await test.client.subject(from, "v1", never);
  assert.ok(isRefusal(answer));
  assert.equal(answer.reason, "REGISTRY_UNAUTHORIZED");
  assert.match(answer.sentence, /ecr:GetAuthorizationToken/);
});

test("T-13 a registry that waits for a token does not hold up the registry of another region", async (t) => {
  const { world, test, image } = await setUp(t);
  const north = WEST.replace("eu-west-1", "eu-north-1");
  world.aws.on("GetAuthorizationToken", async (exchange) => {
    if (exchange.call.region === "eu-west-1") await exchange.pass();
  });
  const stuck = world.ecr.sourceFor(north)?.();
  await world.aws.seen("GetAuthorizationToken");
  assert.deepEqual(await test.client.subject(from, "v1", never), image);
  world.pass(10_000);
  assert.equal(isRefusal(await stuck), true);
});
