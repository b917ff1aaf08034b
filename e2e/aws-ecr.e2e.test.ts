// Images of Amazon ECR on a real control plane: tokens by region, tokens that end early, throttling, look-alikes.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { startEcrRegistry, WEST, type EcrRegistry } from "../testing/aws/ecr-registry.ts";
import { LOOK_ALIKES } from "../testing/aws/look-alikes.ts";
import { pass, throttled } from "../testing/aws/answers.ts";
import { createWallClock, type WallClock } from "../testing/provider/wall-clock.ts";
import { json } from "../testing/registry/answers.ts";
import { startCanary } from "../testing/registry/canary.ts";
import { attachSignature, pushImage } from "../testing/registry/push.ts";
import { startUnruly, type Unruly } from "../testing/registry/unruly.ts";
import { JWS } from "../testing/signing/envelope.ts";
import { pod } from "./objects.ts";
import { startAwsCluster, type AwsCluster } from "./aws-setting.ts";
import { assertAdmitted, assertRefused, guard, messageOf } from "./setting.ts";

const NORTH = "111122223333.dkr.ecr.eu-north-1.amazonaws.com";
/** A host of somebody else's that the configuration names, and gives nothing of AWS. */
const LOOK_ALIKE = `${WEST}.evil.example`;
const TOKEN = "GetAuthorizationToken";

suite("Amazon ECR", () => {
  const servers = new AsyncDisposableStack();
  let world: AwsCluster;
  let west: EcrRegistry;
  let north: EcrRegistry;
  let stranger: Unruly;
  let clock: WallClock;
  let namespace: string;

  before(async () => {
    world = await startAwsCluster({
      responseCacheTtl: "0s",
      settings: async ({ cluster, ecr }) => {
        const upstream = cluster.registry;
        west = servers.use(
          await startEcrRegistry({ ecr, upstream, region: "eu-west-1", host: WEST }),
        );
        north = servers.use(
          await startEcrRegistry({ ecr, upstream, region: "eu-north-1", host: NORTH }),
        );
        stranger = servers.use(await startUnruly());
        stranger.on(/./, json({}, { status: 401, headers: { "www-authenticate": "Basic" } }));
        clock = createWallClock(join(cluster.directory, "wall-clock"));
        const lookAlike = {
          host: LOOK_ALIKE,
          endpoint: stranger.url,
          plainHttp: true,
          allowedAddresses: ["127.0.0.0/8"],
        };
        return {
          registries: [west.entry, north.entry, lookAlike],
          overrides: { aws: { accounts: ["111122223333"], regions: ["eu-west-1", "eu-north-1"] } },
          preload: clock.preload,
          environment: clock.environment,
        };
      },
    });
    servers.use(world);
    namespace = await guard(world.cluster);
  });
  after(async () => await servers.disposeAsync());

  const tryPod = async (image: string) =>
    await world.cluster.api.create(pod({ namespace, image }), { dryRun: true });
  /** How many tokens were asked for in a region. */
  const tokens = (region: string): number =>
    world.aws.requests.filter((call) => call.operation === TOKEN && call.region === region).length;
  const admitted = async (image: string): Promise<void> => {
    await world.cluster.wait(`${image} to be admitted`, async () => {
      const { status } = await tryPod(image);
      return status === 201 ? true : undefined;
    });
  };

  test("images of two regions are admitted, each registry with its own region's token", async () => {
    for (const { ecrHost: host, bucket } of [west, north]) {
      assertAdmitted(await tryPod((await world.push({ host })).image));
      const credentials = bucket.requests.map(({ headers }) => headers.authorization);
      assert.deepEqual(new Set(credentials), new Set([undefined]));
    }
    assert.deepEqual([tokens("eu-west-1"), tokens("eu-north-1")], [1, 1]);
  });

  test("F-11 a token that ECR ends early, by a 403 without a challenge, costs one more token and no Pod", async () => {
    const before = tokens("eu-west-1");
    // A token that is hardly a minute old would be refused for another reason than its age.
    clock.set(120_000);
    world.ecr.revokeTokens();
    assertAdmitted(await tryPod((await world.push({ host: WEST })).image));
    assert.equal(tokens("eu-west-1"), before + 1);
  });

  test("F-15 while ECR gives no tokens the old one serves; once that has ended, Pods are refused, and admitted when it gives them again", async () => {
    const { aws, ecr } = world;
    aws.on(TOKEN, throttled());
    assertAdmitted(await tryPod((await world.push({ host: WEST })).image));
    clock.set(2 * 3_600_000);
    ecr.revokeTokens();
    const { image } = await world.push({ host: WEST });
    const why = messageOf(await tryPod(image));
    assert.match(why, /: REGISTRY_(?:THROTTLED|UNAUTHORIZED): /);
    aws.on(TOKEN, pass());
    await admitted(image);
  });

  test("T-13 a registry that asks for fewer requests refuses its own Pods and no other region's, until it has recovered", async (t) => {
    const { image } = await world.push({ host: WEST });
    west.throttle();
    t.after(() => west.release());
    assertRefused(await tryPod(image), image, "REGISTRY_THROTTLED");
    assertAdmitted(await tryPod((await world.push({ host: NORTH })).image));
    west.release();
    await admitted(image);
  });

  test("F-11 a repository that the role may not read is refused with the reason, and admitted once it may", async () => {
    const { image, repository } = await world.push({ host: WEST });
    west.deny(repository);
    assertRefused(await tryPod(image), image, "REGISTRY_UNAUTHORIZED");
    west.allow(repository);
    await admitted(image);
  });

  test("an image that ECR is still signing is undecided, and admitted once it has been signed", async () => {
    const { cluster, ecr, authority } = world;
    const place = { registry: cluster.registry, repository: "aws/being-signed" };
    const subject = await pushImage({ ...place, tag: "v1" });
    const image = `${WEST}/${place.repository}@${subject.digest}`;
    ecr.signing(place.repository, subject.digest, { status: "IN_PROGRESS" });
    assertRefused(await tryPod(image), image, "SIGNING_IN_PROGRESS");
    const { bytes } = authority.sign({ subject });
    await attachSignature({ ...place, subject, mediaType: JWS, envelope: bytes });
    await admitted(image);
  });

  test("T-31 a host that looks like ECR's is refused, without a connection and without a token", async () => {
    const { aws } = world;
    await using canary = await startCanary(["127.0.0.2"]);
    const hosts = [
      ...LOOK_ALIKES.map(([, host]) => host),
      ...["127.0.0.2", "2130706434", "0x7f000002", "[::ffff:127.0.0.2]"].map(
        (address) => `${address}:${canary.port}`,
      ),
    ];
    const seen = [aws.requests.length, west.requests.length, north.requests.length];
    const digest = `sha256:${"a".repeat(64)}`;
    for (const host of hosts) {
      const { status, body } = await tryPod(`${host}/app@${digest}`);
      // What is no name at all the API server refuses itself.
      assert.ok([403, 422, 400].includes(status), `${host}: ${status}`);
      if (status !== 403) continue;
      assert.match(body.message ?? "", /: (?:REGISTRY_NOT_ALLOWED|INVALID_\w+): /, host);
    }
    assert.deepEqual(canary.connections, []);
    assert.deepEqual([aws.requests.length, west.requests.length, north.requests.length], seen);
  });

  test("T-31 a host of somebody else's whom the configuration names gets no token, though it asks for one", async () => {
    const before = world.aws.requests.length;
    const { image } = await world.push({ host: LOOK_ALIKE });
    assertRefused(await tryPod(image), image, "REGISTRY_UNAUTHORIZED");
    const sent = stranger.requests.map(({ headers }) => headers.authorization);
    assert.ok(sent.length > 0);
    assert.deepEqual(new Set(sent), new Set([undefined]));
    assert.equal(world.aws.requests.length, before);
  });
});
