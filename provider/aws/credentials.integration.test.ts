import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { startCanary } from "../../testing/registry/canary.ts";
import { createGate, silent } from "../../testing/registry/answers.ts";
import { body, internal, pass, throttled, unavailable } from "../../testing/aws/answers.ts";
import { WEST } from "../../testing/aws/ecr-registry.ts";
import { createWorld, never, type World } from "../../testing/aws/world.ts";
import { isFailure } from "./failure.ts";

const HOUR_MS = 3_600_000;
const ROLE = "arn:aws:iam::111122223333:role/provider";

async function tokenFile(t: TestContext, text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "aws-"));
  t.after(async () => await rm(directory, { recursive: true }));
  const path = join(directory, "token");
  await writeFile(path, text);
  return path;
}

/** As IAM roles for service accounts set a Pod up. */
async function irsa(t: TestContext, random?: number): Promise<{ world: World; path: string }> {
  const path = await tokenFile(t, "web-identity-token\n");
  const world = await createWorld(t, {
    ...(random !== undefined && { random }),
    environment: () => ({ region: "eu-west-1", roleArn: ROLE, webIdentityTokenFile: path }),
  });
  return { world, path };
}

/** As EKS Pod Identity does. */
async function pod(t: TestContext): Promise<{ world: World; path: string }> {
  const path = await tokenFile(t, "pod-identity-token");
  const world = await createWorld(t, {
    environment: ({ url }) => ({
      region: "eu-west-1",
      containerCredentialsUri: `${url}/v1/credentials`,
      containerTokenFile: path,
    }),
  });
  return { world, path };
}

const keyOf = async (world: World, role?: string): Promise<string> => {
  const keys = await world.passing(world.credentials.current(role, never));
  return isFailure(keys) ? keys.failure : keys.accessKeyId;
};

const kinds = [
  { name: "a web identity", setUp: irsa, operation: "AssumeRoleWithWebIdentity", lifeMs: HOUR_MS },
  { name: "Pod Identity", setUp: pod, operation: "GetCredentials", lifeMs: 6 * HOUR_MS },
] as const;

for (const { name, setUp, operation, lifeMs } of kinds) {
  test(`F-16 ${name}: a hundred who wait cost one question, and sign what they ask of ECR`, async (t) => {
    const { world } = await setUp(t);
    const keys = await Promise.all(Array.from({ length: 100 }, () => keyOf(world)));
    assert.equal(new Set(keys).size, 1);
    assert.equal(world.aws.count(operation), 1);
    const answer = await world.ecr.sourceFor(WEST)?.();
    assert.ok(answer !== undefined && "password" in answer);
    assert.match(world.aws.requests.at(-1)?.principal ?? "", /:assumed-role\/provider\//);
  });

  test(`F-16 ${name}: fetched anew ahead of its end, by the token that the file has then`, async (t) => {
    const { world, path } = await setUp(t);
    const first = await keyOf(world);
    await writeFile(path, "rotated");
    world.sts.state.webIdentity = "rotated";
    world.agent.state.token = "rotated";
    world.pass(0.81 * lifeMs);
    await world.until(async () => (await keyOf(world)) !== first);
    assert.equal(world.aws.count(operation), 2);
  });

  for (const text of ["", undefined]) {
    test(`F-16 ${name}: the last good credentials serve while the token file is ${text === "" ? "empty" : "missing"}`, async (t) => {
      const { world, path } = await setUp(t);
      const first = await keyOf(world);
      await (text === undefined ? rm(path) : writeFile(path, text));
      world.pass(0.9 * lifeMs);
      assert.equal(await keyOf(world), first);
      await world.until(() => world.credentials.states()[0]?.why !== undefined);
      assert.equal(world.credentials.states()[0]?.why?.failure, "missing");
      assert.equal(await keyOf(world), first);
      await writeFile(path, name === "Pod Identity" ? "pod-identity-token" : "web-identity-token");
      world.pass(0.11 * lifeMs);
      assert.match(await keyOf(world), /^ASIA/);
      assert.notEqual(await keyOf(world), first);
    });
  }

  test(`F-16 ${name}: a token that is refused is said to be, with what to do, and no part of it`, async (t) => {
    const { world, path } = await setUp(t);
    await writeFile(path, "a-token-that-nobody-should-see");
    assert.equal(await keyOf(world), "denied");
    const [state] = world.credentials.states();
    assert.match(state?.why?.sentence ?? "", /trust policy|association/);
    assert.ok(!JSON.stringify(state).includes("nobody-should-see"));
    await assert.rejects(world.credentials.provide(), { name: "CredentialsProviderError" });
  });

  test(`F-16 ${name}: throttled, failing and unreadable answers are not taken for a denial`, async (t) => {
    const { world } = await setUp(t);
    world.aws.on(operation, throttled(), internal(), unavailable(), body("nonsense"), pass());
    const seen: string[] = [];
    for (let count = 0; count < 4; count += 1) {
      seen.push(await keyOf(world));
      world.pass(1000);
    }
    assert.deepEqual(seen, ["throttled", "unreachable", "unreachable", "unreachable"]);
    assert.match(await keyOf(world), /^ASIA/);
  });

  test(`F-16 ${name}: one that says nothing is given up at the deadline`, async (t) => {
    const { world } = await setUp(t);
    world.aws.on(operation, silent());
    const waiting = keyOf(world);
    await world.aws.seen(operation);
    world.pass(5000);
    assert.equal(await waiting, "unreachable");
  });
}

test("F-16 Pod Identity: a silent agent holds no connection after the deadline", async (t) => {
  const { world } = await pod(t);
  world.aws.on("GetCredentials", silent());
  const waiting = keyOf(world);
  await world.aws.seen("GetCredentials");
  assert.equal(world.aws.openConnections(), 1);
  world.pass(5000);
  await waiting;
  await world.until(() => world.aws.openConnections() === 0);
});

test("F-16 the token of a Pod goes to no other host than the agent's", async (t) => {
  const path = await tokenFile(t, "pod-identity-token");
  for (const uri of [
    "http://127.0.0.1.evil.example/",
    "http://10.0.0.1/",
    "https://127.0.0.1/",
    "nonsense",
  ]) {
    await t.test(uri, async (t) => {
      const world = await createWorld(t, {
        environment: () => ({ containerCredentialsUri: uri, containerTokenFile: path }),
      });
      assert.equal(await keyOf(world), "missing");
    });
  }
});

test("F-11 credentials that AWS ends before their time are replaced once, and the token is had all the same", async (t) => {
  const { world } = await irsa(t);
  world.aws.expire(await keyOf(world));
  world.pass(61_000);
  const answer = await world.ecr.sourceFor(WEST)?.();
  assert.ok(answer !== undefined && "password" in answer);
  assert.equal(world.aws.count("AssumeRoleWithWebIdentity"), 2);
  assert.equal(world.aws.count("GetAuthorizationToken"), 2);
});

test("a role that may not be assumed names the permission, and leaves our own credentials alone", async (t) => {
  const { world } = await irsa(t);
  const role = "arn:aws:iam::444455556666:role/reader";
  assert.equal(await keyOf(world, role), "denied");
  assert.match(await keyOf(world), /^ASIA/);
  const state = world.credentials.states().find((one) => one.role === role);
  assert.match(state?.why?.sentence ?? "", /^AWS refused sts:AssumeRole: /);
  world.sts.trust(role);
  world.pass(1000);
  assert.match(await keyOf(world, role), /^ASIA/);
});

test("a role that is assumed is fetched anew ahead of its end", async (t) => {
  const { world } = await irsa(t);
  const role = "arn:aws:iam::444455556666:role/reader";
  world.sts.trust(role);
  const first = await keyOf(world, role);
  world.pass(0.81 * HOUR_MS);
  await world.until(async () => (await keyOf(world, role)) !== first);
});

test("F-46 keys of the environment are used as they are, without a word to anybody", async (t) => {
  const world = await createWorld(t);
  assert.equal(await keyOf(world), world.aws.credentials.accessKeyId);
  world.pass(100 * HOUR_MS);
  assert.equal(await keyOf(world), world.aws.credentials.accessKeyId);
  assert.equal(world.aws.connections(), 0);
});

test("F-46 proxies and endpoints of the environment are passed over, with a proxy that would see each request", async (t) => {
  await using proxy = await startCanary(["127.0.0.9"]);
  const before = { ...process.env };
  t.after(() => {
    process.env = before;
  });
  const url = `http://127.0.0.9:${proxy.port}`;
  for (const name of [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ENDPOINT_URL_ECR",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
  ]) {
    process.env[name] = url;
  }
  const { world } = await irsa(t);
  const answer = await world.ecr.sourceFor(WEST)?.();
  assert.ok(answer !== undefined && "password" in answer);
  assert.deepEqual(proxy.connections, []);
});

test("without any credentials nobody is asked, the instance's metadata least of all", async (t) => {
  await using metadata = await startCanary(["127.0.0.9"]);
  const before = { ...process.env };
  t.after(() => {
    process.env = before;
  });
  process.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = `http://127.0.0.9:${metadata.port}`;
  process.env["AWS_SHARED_CREDENTIALS_FILE"] = "/nowhere";
  process.env["AWS_CONFIG_FILE"] = "/nowhere";
  const world = await createWorld(t, { environment: () => ({}) });
  assert.equal(await keyOf(world), "missing");
  assert.match(world.credentials.states()[0]?.why?.sentence ?? "", /^there are no AWS credentials/);
  assert.deepEqual(metadata.connections, []);
});

test("a caller who gives up leaves the credentials to the others", async (t) => {
  const { world } = await irsa(t);
  const gate = createGate();
  world.aws.on("AssumeRoleWithWebIdentity", async (exchange) => {
    await gate.opened;
    await exchange.pass();
  });
  const caller = new AbortController();
  const leaving = world.credentials.current(undefined, caller.signal);
  const staying = keyOf(world);
  await world.aws.seen("AssumeRoleWithWebIdentity");
  caller.abort(new Error("gone"));
  await assert.rejects(leaving, { message: "gone" });
  gate.open();
  assert.match(await staying, /^ASIA/);
});
