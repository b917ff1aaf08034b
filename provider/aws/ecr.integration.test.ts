import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { createGate, reset, silent } from "../../testing/registry/answers.ts";
import { LOOK_ALIKES } from "../../testing/aws/look-alikes.ts";
import {
  body,
  denied,
  error,
  expired,
  internal,
  output,
  pass,
  throttled,
  unavailable,
  type AwsAnswer,
} from "../../testing/aws/answers.ts";
import { WEST } from "../../testing/aws/ecr-registry.ts";
import { createWorld, never, type World } from "../../testing/aws/world.ts";
import { isDigest } from "../image/digest.ts";
import { isCredentials } from "../registry/credentials.ts";

const HOUR_MS = 3_600_000;
const NORTH = "444455556666.dkr.ecr.eu-north-1.amazonaws.com";

/** ECR and STS with keys in the environment, and a clock that stands until it is told to go. */
const setUp = (t: TestContext, options?: Parameters<typeof createWorld>[1]): Promise<World> =>
  createWorld(t, options);

async function login(world: World, host = WEST): Promise<string> {
  const answer = await world.ecr.sourceFor(host)?.();
  return isCredentials(answer) ? answer.password : (answer?.reason ?? "nobody");
}

test("T-31 a look-alike gets no token, and nobody is asked for one", async (t) => {
  const world = await setUp(t, { accounts: ["*"] });
  for (const [, host] of LOOK_ALIKES) assert.equal(world.ecr.sourceFor(host), undefined, host);
  assert.equal(world.aws.connections(), 0);
  assert.notEqual(await login(world), "nobody");
  assert.equal(world.aws.count("GetAuthorizationToken"), 1);
});

test("T-31 a registry of an account or a region that the configuration does not name gets no token", async (t) => {
  const world = await setUp(t, { accounts: ["111122223333"], regions: ["eu-west-1"] });
  assert.equal(world.ecr.sourceFor(NORTH), undefined);
  assert.equal(world.ecr.sourceFor("111122223333.dkr.ecr.eu-north-1.amazonaws.com"), undefined);
  assert.equal(world.ecr.sourceFor(WEST.replace("111122223333", "444455556666")), undefined);
  assert.equal(await world.ecr.signingStatus(NORTH, "app", DIGEST, never), undefined);
  assert.notEqual(world.ecr.sourceFor(WEST), undefined);
  assert.equal(world.aws.connections(), 0);
});

test("a token is asked for in the region of the host, and is the password of the user AWS", async (t) => {
  const world = await setUp(t, { accounts: ["*"] });
  const answers = await Promise.all(
    [WEST, NORTH].map(async (host) => await world.ecr.sourceFor(host)?.()),
  );
  const expected = world.double.tokens.map(({ authorization }) => authorization).toSorted();
  const sent = answers.map((answer) => {
    assert.ok(isCredentials(answer));
    return `Basic ${Buffer.from(`${answer.username}:${answer.password}`).toString("base64")}`;
  });
  assert.deepEqual(sent.toSorted(), expected);
  const regions = world.aws.requests.map(({ region }) => region).toSorted();
  assert.deepEqual(regions, ["eu-north-1", "eu-west-1"]);
});

test("the public registry is read by nobody in particular, without AWS", async (t) => {
  const world = await setUp(t);
  assert.equal(await world.ecr.sourceFor("public.ecr.aws")?.(), undefined);
  assert.equal(world.aws.connections(), 0);
});

test("F-15 a hundred who wait cost one token", async (t) => {
  const world = await setUp(t);
  const gate = createGate();
  world.aws.on("GetAuthorizationToken", async (exchange) => {
    await gate.opened;
    await exchange.pass();
  });
  const waiting = Array.from({ length: 100 }, () => login(world));
  await world.aws.seen("GetAuthorizationToken");
  gate.open();
  assert.equal(new Set(await Promise.all(waiting)).size, 1);
  assert.equal(world.aws.count("GetAuthorizationToken"), 1);
});

test("F-15 a token is fetched anew after four fifths of its life and not before, while the old one is in use", async (t) => {
  const world = await setUp(t, { random: 0 });
  const first = await login(world);
  world.pass(0.79 * 12 * HOUR_MS);
  assert.equal(await login(world), first);
  assert.equal(world.aws.count("GetAuthorizationToken"), 1);
  const gate = createGate();
  world.aws.on("GetAuthorizationToken", async (exchange) => {
    await gate.opened;
    await exchange.pass();
  });
  world.pass(0.02 * 12 * HOUR_MS);
  assert.equal(await login(world), first);
  await world.aws.seen("GetAuthorizationToken", 2);
  gate.open();
  await world.until(async () => (await login(world)) !== first);
  assert.equal(world.aws.count("GetAuthorizationToken"), 2);
});

test("F-15 a token that is old when a machine wakes serves, and is fetched anew by who asks for it", async (t) => {
  const world = await setUp(t);
  const first = await login(world);
  // Timers stood still.
  world.setWall(10 * HOUR_MS);
  assert.equal(await login(world), first);
  await world.until(async () => (await login(world)) !== first);
  assert.equal(world.aws.count("GetAuthorizationToken"), 2);
});

for (const [random, hours] of [
  [0, 9.6],
  [0.5, 9.36],
  [0.999, 9.12],
] as const) {
  test(`F-15 replicas come back for their token at different times, none within nine hours: ${hours} h`, async (t) => {
    const world = await setUp(t, { random });
    await login(world);
    const [first = 0] = world.timers();
    assert.equal(Math.round((first / HOUR_MS) * 100) / 100, hours);
  });
}

test("F-15 the old token serves until it expires when no new one can be had", async (t) => {
  const world = await setUp(t, { random: 0 });
  const first = await login(world);
  world.aws.on("GetAuthorizationToken", throttled());
  world.pass(10 * HOUR_MS);
  assert.equal(await login(world), first);
  await world.until(() => world.events.length === 2);
  world.pass(1.9 * HOUR_MS);
  assert.equal(await login(world), first);
  await world.until(() => world.events.length === 3);
  world.pass(0.2 * HOUR_MS);
  assert.equal(await world.passing(login(world)), "REGISTRY_THROTTLED");
  world.aws.on("GetAuthorizationToken", pass());
  world.pass(60_000);
  assert.notEqual(await login(world), "REGISTRY_THROTTLED");
});

test("F-15 the regions that are listed have their token before anybody asks, also when the first attempt fails", async (t) => {
  const world = await setUp(t, { accounts: ["*"], regions: ["eu-west-1", "eu-north-1"] });
  world.aws.on("GetAuthorizationToken", denied(), denied(), pass());
  world.ecr.prefetch();
  await world.aws.seen("GetAuthorizationToken", 2);
  await world.until(() => world.ecr.states().every(({ why }) => why !== undefined));
  world.pass(60_000);
  await world.until(() => world.ecr.states().every(({ leftMs }) => leftMs !== undefined));
  const asked = world.aws.count("GetAuthorizationToken");
  await login(world);
  assert.equal(world.aws.count("GetAuthorizationToken"), asked);
});

test("F-15 a role is not tried in another partition's regions", async (t) => {
  const role = "arn:aws-cn:iam::444455556666:role/reader";
  const world = await setUp(t, {
    accounts: ["*"],
    regions: ["eu-west-1", "cn-north-1"],
    roles: new Map([["444455556666", role]]),
  });
  world.ecr.prefetch();
  assert.deepEqual(
    world.ecr.states().map((state) => [state.region, state.role]),
    [
      ["eu-west-1", undefined],
      ["cn-north-1", undefined],
      ["cn-north-1", role],
    ],
  );
});

test("a region of no partition that is known is refused at the start", async (t) => {
  await assert.rejects(
    setUp(t, { regions: ["us-isox-east-1"] }),
    /no partition .* us-isox-east-1$/,
  );
});

test("F-11 a token that is refused is replaced once, and one that is new is not", async (t) => {
  const world = await setUp(t);
  const source = world.ecr.sourceFor(WEST);
  const first = await source?.();
  assert.ok(source !== undefined && isCredentials(first));
  assert.equal(await source(first), first);
  world.pass(120_000);
  const replaced = await Promise.all(Array.from({ length: 20 }, () => source(first)));
  assert.equal(new Set(replaced).size, 1);
  assert.notEqual(replaced[0], first);
  assert.equal(world.aws.count("GetAuthorizationToken"), 2);
  assert.equal(await source(first), replaced[0]);
  assert.equal(world.aws.count("GetAuthorizationToken"), 2);
});

test("F-11 what is refused again and again is replaced ever more rarely", async (t) => {
  const world = await setUp(t, { random: 0 });
  const source = world.ecr.sourceFor(WEST);
  assert.ok(source !== undefined);
  let answer = await source();
  for (let minute = 0; minute < 120; minute += 1) {
    world.pass(60_000);
    assert.ok(isCredentials(answer));
    answer = await source(answer);
  }
  // After 1, 4 and 15 minutes, and then every 15.
  assert.equal(world.aws.count("GetAuthorizationToken"), 10);
});

test("F-15 an account that has a role gets its token by that role, the others by our own", async (t) => {
  const role = "arn:aws:iam::444455556666:role/reader";
  const world = await setUp(t, { accounts: ["*"], roles: new Map([["444455556666", role]]) });
  world.sts.trust(role);
  await Promise.all([login(world), login(world, "444455556666.dkr.ecr.eu-west-1.amazonaws.com")]);
  const principals = world.aws.requests
    .filter(({ operation }) => operation === "GetAuthorizationToken")
    .map(({ principal = "nobody" }) => principal)
    .toSorted((a, b) => a.localeCompare(b));
  assert.deepEqual(principals, [
    "arn:aws:iam::111122223333:user/provider",
    "arn:aws:sts::444455556666:assumed-role/reader/notation-gatekeeper-provider",
  ]);
});

const failures: readonly {
  readonly name: string;
  readonly answer: AwsAnswer;
  readonly reason: string;
  readonly says: RegExp;
  readonly requests: number;
}[] = [
  {
    name: "a denial",
    answer: denied(),
    reason: "REGISTRY_UNAUTHORIZED",
    says: /^AWS refused ecr:GetAuthorizationToken: allow it on \* in the IAM policy/,
    requests: 1,
  },
  {
    name: "throttling",
    answer: throttled(),
    reason: "REGISTRY_THROTTLED",
    says: /^ECR asked for fewer requests/,
    requests: 2,
  },
  {
    name: "throttling by status",
    answer: error(429, "Slow", "down"),
    reason: "REGISTRY_THROTTLED",
    says: /^ECR asked for fewer requests/,
    requests: 2,
  },
  {
    name: "credentials that are no longer good",
    answer: expired(),
    reason: "REGISTRY_UNAUTHORIZED",
    says: /no longer takes the provider's AWS credentials/,
    requests: 1,
  },
  {
    name: "a failure of the service",
    answer: internal(),
    reason: "REGISTRY_UNREACHABLE",
    says: /status 500/,
    requests: 2,
  },
  {
    name: "a service that is away",
    answer: unavailable(),
    reason: "REGISTRY_UNREACHABLE",
    says: /status 503/,
    requests: 2,
  },
  {
    name: "a connection that is reset",
    answer: reset(),
    reason: "REGISTRY_UNREACHABLE",
    says: /cannot be reached \(ECONNRESET\)/,
    requests: 2,
  },
  {
    name: "an answer that is no JSON",
    answer: body("<html>"),
    reason: "REGISTRY_UNREACHABLE",
    says: /cannot be read/,
    requests: 2,
  },
  {
    name: "an answer without a token",
    answer: output({ authorizationData: [] }),
    reason: "REGISTRY_UNREACHABLE",
    says: /without a token/,
    requests: 1,
  },
  {
    name: "a token that would be two headers",
    answer: output({
      authorizationData: [
        { authorizationToken: Buffer.from("AWS:a\r\nb: c").toString("base64"), expiresAt: 2e9 },
      ],
    }),
    reason: "REGISTRY_UNREACHABLE",
    says: /without a token/,
    requests: 1,
  },
];
for (const { name, answer, reason, says, requests } of failures) {
  test(`F-15 ${name} is ${reason}, bounded, with what to do and no secret`, async (t) => {
    const world = await setUp(t);
    world.aws.on("GetAuthorizationToken", answer);
    const source = world.ecr.sourceFor(WEST);
    assert.ok(source !== undefined);
    const verdict = await world.passing(source());
    assert.ok(verdict !== undefined && !isCredentials(verdict));
    assert.equal(verdict.reason, reason);
    assert.match(verdict.sentence, says);
    for (const secret of [
      world.aws.credentials.accessKeyId,
      world.aws.credentials.secretAccessKey,
      "127.0.0.1",
    ]) {
      assert.ok(!JSON.stringify([verdict, world.events, world.ecr.states()]).includes(secret));
    }
    assert.equal(world.aws.count("GetAuthorizationToken"), requests);
    // Who comes right behind gets the same answer, and AWS no further question.
    assert.deepEqual(await source(), verdict);
    assert.equal(world.aws.count("GetAuthorizationToken"), requests);
  });
}

test("F-15 a service that says nothing is given up at the deadline, and its connection closed", async (t) => {
  const world = await setUp(t);
  world.aws.on("GetAuthorizationToken", silent());
  const waiting = login(world);
  for (const attempt of [1, 2]) {
    await world.until(() => world.aws.count("GetAuthorizationToken") === attempt);
    world.pass(900);
  }
  assert.equal(await waiting, "REGISTRY_UNREACHABLE");
  await world.until(() => world.aws.openConnections() === 0);
});

test("T-65 an endpoint whose certificate nobody vouches for is REGISTRY_UNREACHABLE", async (t) => {
  const world = await setUp(t, { tls: "unknown" });
  assert.equal(await world.passing(login(world)), "REGISTRY_UNREACHABLE");
  assert.match(world.ecr.states()[0]?.why?.sentence ?? "", /TLS certificate/);
  assert.equal(world.aws.requests.length, 0);
});

test("T-65 an endpoint of one's own is trusted by the authority that the configuration names", async (t) => {
  const world = await setUp(t, { tls: "trusted" });
  assert.equal((await login(world)).length, 1600);
});

test("F-32 a clock that is set back by more than five minutes ends a token, by less it does not", async (t) => {
  const world = await setUp(t);
  const first = await login(world);
  world.setWall(-240_000);
  assert.equal(await login(world), first);
  world.setWall(-HOUR_MS);
  assert.notEqual(await login(world), first);
});

test("F-32 a machine that slept past the end of a token does not use it", async (t) => {
  const world = await setUp(t);
  const first = await login(world);
  world.setWall(13 * HOUR_MS);
  assert.notEqual(await login(world), first);
});

for (const hours of [-24 * 365, -1, 1, 24 * 365]) {
  test(`F-32 a clock that is wrong by ${hours} hours gets a token, and keeps it for a while`, async (t) => {
    const world = await setUp(t);
    world.setWall(hours * HOUR_MS, "ours alone");
    const first = await world.passing(login(world));
    assert.equal(first.length, 1600);
    world.pass(60_000);
    assert.equal(await login(world), first);
  });
}

const digest = `sha256:${"a".repeat(64)}`;
assert.ok(isDigest(digest));
const DIGEST = digest;
const PROFILE = "arn:aws:signer:us-east-1:111122223333:/signing-profiles/app";

const signings: readonly {
  readonly name: string;
  readonly prepare: (world: World) => void;
  readonly want: object;
}[] = [
  {
    name: "is being signed",
    prepare: ({ double }) => double.signing("app", DIGEST, { status: "IN_PROGRESS" }),
    want: { kind: "inProgress", profile: PROFILE },
  },
  {
    name: "is signed by one profile and being signed by another",
    prepare: ({ double }) =>
      double.signing(
        "app",
        DIGEST,
        { status: "COMPLETE" },
        { status: "IN_PROGRESS", profile: "p2" },
      ),
    want: { kind: "inProgress", profile: "p2" },
  },
  {
    name: "could not be signed",
    prepare: ({ double }) =>
      double.signing("app", DIGEST, {
        status: "FAILED",
        failureCode: "AccessDenied",
        failureReason: "signer:SignPayload\nis missing",
      }),
    want: {
      kind: "failed",
      profile: PROFILE,
      sentence: "AccessDenied: signer:SignPayload is missing",
    },
  },
  {
    name: "has signatures in the archive",
    prepare: ({ double }) => double.archived("app", DIGEST, 2),
    want: { kind: "archived", count: 2 },
  },
  {
    name: "is signed by now",
    prepare: ({ double }) => double.signing("app", DIGEST, { status: "COMPLETE" }),
    want: { kind: "none" },
  },
  {
    name: "is signed by nobody",
    prepare: ({ double }) => double.signing("app", DIGEST),
    want: { kind: "none" },
  },
];
for (const { name, prepare, want } of signings) {
  test(`ECR says of an image that it ${name}`, async (t) => {
    const world = await setUp(t);
    prepare(world);
    assert.deepEqual(await world.ecr.signingStatus(WEST, "app", DIGEST, never), want);
  });
}

test("the signing status of an image is asked once for all, and again when it has aged", async (t) => {
  const world = await setUp(t);
  world.double.signing("app", DIGEST, { status: "IN_PROGRESS" });
  const ask = () => world.ecr.signingStatus(WEST, "app", DIGEST, never);
  await Promise.all(Array.from({ length: 50 }, ask));
  await ask();
  assert.equal(world.aws.count("DescribeImageSigningStatus"), 1);
  world.double.signing("app", DIGEST, { status: "COMPLETE" });
  world.pass(2500);
  assert.deepEqual(await ask(), { kind: "none" });
});

test("F-13 a signing status that may not be asked for names the permission", async (t) => {
  const world = await setUp(t);
  world.aws.deny("ecr:DescribeImageSigningStatus");
  const status = await world.ecr.signingStatus(WEST, "app", DIGEST, never);
  assert.ok(status?.kind === "unknown");
  assert.equal(status.why.failure, "denied");
  assert.match(status.why.sentence, /ecr:DescribeImageSigningStatus/);
});

test("F-13 signatures in the archive are found without the permission to ask for the signing status", async (t) => {
  const world = await setUp(t);
  world.aws.deny("ecr:DescribeImageSigningStatus");
  world.double.archived("app", DIGEST, 1);
  const status = await world.ecr.signingStatus(WEST, "app", DIGEST, never);
  assert.deepEqual(status, { kind: "archived", count: 1 });
});

test("a caller who gives up leaves the question to the others", async (t) => {
  const world = await setUp(t);
  world.double.signing("app", DIGEST, { status: "IN_PROGRESS" });
  const gate = createGate();
  world.aws.on("DescribeImageSigningStatus", async (exchange) => {
    await gate.opened;
    await exchange.pass();
  });
  const caller = new AbortController();
  const [first, second] = [caller.signal, never].map((signal) =>
    world.ecr.signingStatus(WEST, "app", DIGEST, signal),
  );
  await world.aws.seen("DescribeImageSigningStatus");
  caller.abort(new Error("gone"));
  await assert.rejects(Promise.resolve(first), { message: "gone" });
  gate.open();
  assert.equal((await second)?.kind, "inProgress");
});
