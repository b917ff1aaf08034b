// The doctor against doubles of everything that a configuration names, with one fault at a time.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { createEcrDouble, type EcrDouble } from "../../testing/aws/ecr.ts";
import { startEcrRegistry, type EcrRegistry, WEST } from "../../testing/aws/ecr-registry.ts";
import { profileArn, profileVersionArn, signerTrust } from "../../testing/aws/envelopes.ts";
import { createSigner, type Signer } from "../../testing/aws/signer.ts";
import { createSts, type Sts } from "../../testing/aws/sts.ts";
import { body, error, internal, throttled } from "../../testing/aws/answers.ts";
import { variablesOf } from "../../testing/aws/keys.ts";
import { startAws, type Aws } from "../../testing/aws/wire.ts";
import { createAuthorities, type Authorities } from "../../testing/gatekeeper/certificates.ts";
import { createFakeNotation } from "../../testing/notation/fake-notation.ts";
import { json, status } from "../../testing/registry/answers.ts";
import { startUnruly, type Unruly } from "../../testing/registry/unruly.ts";
import { createAuthority } from "../../testing/signing/authority.ts";
import { writeTrust } from "../../testing/signing/trust.ts";
import { loadConfig } from "../config/load.ts";
import { realTime } from "../lib/deadline.ts";
import { trialsOf } from "./doctor.ts";
import type { Finding } from "./finding.ts";
import { tryAll } from "./trial.ts";

const ROLE = "arn:aws:iam::444455556666:role/reader";
const DAY_MS = 24 * 3_600_000;
const { root } = await createAuthority({ name: "trusted" });
const ending = await createAuthority({
  name: "ending",
  notAfter: new Date(Date.now() + 10 * DAY_MS),
});
const authorities = await createAuthorities();
const serving = await authorities.provider.issue({
  name: "provider",
  dns: ["notation-provider.gatekeeper-system.svc"],
  notAfter: new Date(Date.now() + 90 * DAY_MS),
});
const NEVER = new AbortController().signal;

/** A configuration as its file has it, of which a fault changes members. */
interface Members {
  readonly sections: Record<string, Record<string, unknown>>;
  registries: readonly Record<string, unknown>[];
  runtimeDirectory: string;
}

interface World {
  readonly directory: string;
  readonly aws: Aws;
  readonly ecr: EcrDouble;
  readonly sts: Sts;
  readonly signer: Signer;
  readonly registry: EcrRegistry;
  readonly plain: Unruly;
  readonly authorities: Authorities;
  readonly members: Members;
  /** Variables of the process that begin with `AWS_`. */
  readonly variables: Record<string, string>;
}

/** Everything is well. */
async function createWorld(t: TestContext): Promise<World> {
  await using parts = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "doctor-"));
  parts.defer(async () => await rm(directory, { recursive: true, force: true }));
  const [ecr, sts, signer] = [createEcrDouble(), createSts(), createSigner()];
  const aws = parts.use(await startAws({ services: [ecr.service, sts.service, signer.service] }));
  const upstream = parts.use(await startUnruly({}));
  upstream.on(/./, json({}));
  const registry = parts.use(await startEcrRegistry({ ecr, upstream }));
  const plain = parts.use(await startUnruly({}));
  plain.on(/./, json({}));
  const notation = parts.use(await createFakeNotation());
  sts.trust(ROLE);
  signer.addProfile({ versionArn: profileVersionArn() });
  writeTrust(join(directory, "trust"), signerTrust({ root }));
  for (const [name, content] of [
    ["tls.crt", serving.cert],
    ["tls.key", serving.key],
    ["ca.crt", authorities.gatekeeper.ca],
    ["launcher", "#!/bin/sh\n"],
  ] as const) {
    await writeFile(join(directory, name), content);
  }
  await chmod(join(directory, "launcher"), 0o700);
  const sections = {
    server: { tls: { certificate: "tls.crt", key: "tls.key", clientCA: "ca.crt" } },
    trust: { directory: "trust" },
    notation: { binary: notation.path },
    signer: { launcher: "launcher" },
    aws: {
      accounts: ["111122223333"],
      regions: ["eu-west-1"],
      roles: { "444455556666": ROLE },
      endpoints: aws.endpoints,
    },
  };
  const members: Members = {
    sections,
    runtimeDirectory: join(directory, "run"),
    registries: [
      registry.entry,
      { host: plain.host, plainHttp: true, allowedAddresses: ["127.0.0.0/8"] },
    ],
  };
  const variables = {
    ...variablesOf(aws.credentials),
    AWS_REGION: "eu-west-1",
    AWS_SHARED_CREDENTIALS_FILE: "/nowhere",
    AWS_CONFIG_FILE: "/nowhere",
  };
  const owned = parts.move();
  t.after(async () => await owned.disposeAsync());
  return { directory, aws, ecr, sts, signer, registry, plain, authorities, members, variables };
}

/** Writes the configuration. @returns its path */
async function write({ directory, members }: World): Promise<string> {
  const file = join(directory, "provider.yaml");
  const { sections, ...rest } = members;
  await writeFile(file, JSON.stringify({ ...sections, ...rest }));
  return file;
}

async function examine(t: TestContext, world: World): Promise<readonly Finding[]> {
  const { variables } = world;
  const file = await write(world);
  const loaded = loadConfig(file);
  assert.ok("config" in loaded, JSON.stringify(loaded));
  const before = { ...process.env };
  t.after(() => {
    process.env = before;
  });
  for (const name of Object.keys(process.env))
    if (name.startsWith("AWS_")) delete process.env[name];
  Object.assign(process.env, variables);
  await using parts = new AsyncDisposableStack();
  const trials = await trialsOf(loaded.config, parts);
  return await tryAll(trials, { timeoutMs: 20_000, schedule: realTime, signal: NEVER });
}

/** Findings of what is as it should be on a machine with a disk. */
const isWell = ({ level, subject }: Finding): boolean =>
  level === "ok" || subject === "runtimeDirectory";

test("where all is well each thing has its line, and none is more than ok", async (t) => {
  const world = await createWorld(t);
  const found = await examine(t, world);
  assert.deepEqual(
    found.filter((finding) => !isWell(finding)),
    [],
  );
  assert.deepEqual(
    found.map(({ subject }) => subject),
    [
      "trust.directory",
      "notation.binary",
      "signer.launcher",
      "server.tls",
      "runtimeDirectory",
      "aws credentials",
      `aws.roles ${ROLE}`,
      "aws ecr eu-west-1",
      "aws signer us-east-1",
      profileArn(),
      `registries[0] ${WEST}`,
      `registries[1] ${world.plain.host}`,
    ],
  );
  const sentenceOf = (subject: string) => found.find((each) => each.subject === subject)?.sentence;
  assert.equal(
    sentenceOf("aws credentials"),
    "environment: the provider is arn:aws:iam::111122223333:user/provider",
  );
  assert.match(
    sentenceOf("server.tls") ?? "",
    /^certificate and key fit, for notation-provider\.gatekeeper-system\.svc; the certificate ends /,
  );
});

/** Changes members of one section of the configuration. */
const change = ({ members }: World, section: string, more: Record<string, unknown>): void => {
  members.sections[section] = { ...members.sections[section], ...more };
};

const faults: readonly {
  readonly name: string;
  readonly fault: (world: World) => unknown;
  readonly level: Finding["level"];
  readonly subject: string | RegExp;
  readonly says: RegExp;
  /** Of the remedy. */
  readonly fix?: RegExp;
}[] = [
  {
    name: "no credentials at all",
    fault: ({ variables }) => {
      delete variables["AWS_ACCESS_KEY_ID"];
    },
    level: "error",
    subject: "aws credentials",
    says: /there are no AWS credentials: give the ServiceAccount a role/,
  },
  {
    name: "keys that AWS does not know",
    fault: ({ variables }) => {
      variables["AWS_ACCESS_KEY_ID"] = "AKIA0000000000000000";
    },
    level: "error",
    subject: "aws credentials",
    says: /^environment: STS no longer takes the provider's AWS credentials \(AWS said InvalidClientTokenId/,
  },
  {
    name: "an STS that throttles",
    fault: ({ aws }) => aws.on("GetCallerIdentity", throttled()),
    level: "error",
    subject: "aws credentials",
    says: /STS asked for fewer requests/,
  },
  {
    name: "a web identity that is refused",
    fault: async ({ directory, variables, sts }) => {
      sts.state.webIdentity = "another";
      await writeFile(join(directory, "token"), "a-token-that-nobody-should-see");
      delete variables["AWS_ACCESS_KEY_ID"];
      variables["AWS_ROLE_ARN"] = "arn:aws:iam::111122223333:role/provider";
      variables["AWS_WEB_IDENTITY_TOKEN_FILE"] = join(directory, "token");
    },
    level: "error",
    subject: "aws credentials",
    says: /^webIdentity: AWS refused sts:AssumeRoleWithWebIdentity: allow it to the provider's ServiceAccount/,
  },
  {
    name: "a role that may not be assumed",
    fault: ({ aws }) => aws.deny("sts:AssumeRole"),
    level: "error",
    subject: `aws.roles ${ROLE}`,
    says: /^AWS refused sts:AssumeRole: allow it .* \(AWS said AccessDenied: /,
  },
  {
    name: "a token that is denied",
    fault: ({ aws }) => aws.deny("ecr:GetAuthorizationToken"),
    level: "error",
    subject: "aws ecr eu-west-1",
    says: /^AWS refused ecr:GetAuthorizationToken: allow it on \* .* \(AWS said AccessDeniedException: User: arn:aws:iam/,
  },
  {
    name: "an ECR that fails",
    fault: ({ aws }) => aws.on("GetAuthorizationToken", internal()),
    level: "error",
    subject: "aws ecr eu-west-1",
    says: /^ECR answered ecr:GetAuthorizationToken with status 500/,
  },
  {
    name: "an AWS Signer that may not be asked",
    fault: ({ aws }) => aws.deny("signer:GetRevocationStatus"),
    level: "error",
    subject: "aws signer us-east-1",
    says: /AccessDeniedException: User: arn:aws:iam/,
    fix: /^allow signer:GetRevocationStatus on \*/,
  },
  {
    name: "an AWS Signer that gives no answer that can be read",
    fault: ({ aws }) => aws.on("GetRevocationStatus", body("<html>")),
    level: "error",
    subject: "aws signer us-east-1",
    says: /gave an answer that cannot be read/,
  },
  {
    name: "a profile that does not exist",
    fault: ({ aws }) =>
      aws.on("GetSigningProfile", error(404, "ResourceNotFoundException", "none")),
    level: "error",
    subject: profileArn(),
    says: /^does not exist$/,
    fix: /trustedIdentities/,
  },
  {
    name: "a profile that is cancelled",
    fault: ({ signer }) =>
      signer.addProfile({ versionArn: profileVersionArn(), status: "Canceled" }),
    level: "warning",
    subject: profileArn(),
    says: /^is cancelled/,
  },
  {
    name: "a profile that is revoked",
    fault: ({ signer }) =>
      signer.addProfile({ versionArn: profileVersionArn(), status: "Revoked" }),
    level: "error",
    subject: profileArn(),
    says: /^is revoked/,
  },
  {
    name: "a profile that may not be looked at",
    fault: ({ aws }) => aws.deny("signer:GetSigningProfile"),
    level: "ok",
    subject: profileArn(),
    says: /without signer:GetSigningProfile, which is not needed otherwise$/,
  },
  {
    name: "an endpoint for a region that nothing is in",
    fault: (world) =>
      change(world, "aws", {
        endpoints: [
          { service: "ecr", url: world.aws.url },
          { service: "ecr", region: "eu-wset-1", url: world.aws.url },
          { service: "sts", url: world.aws.url },
          { service: "signer", url: world.aws.url },
        ],
      }),
    level: "warning",
    subject: "aws.endpoints[1]",
    says: /^of ecr in eu-wset-1: nothing has a registry there$/,
  },
  {
    name: "roots for AWS that are not there",
    fault: (world) => change(world, "aws", { ca: "nothing.crt" }),
    level: "error",
    subject: "aws",
    says: /^the ca under aws cannot be read: .* \(ENOENT\)$/,
  },
  {
    name: "a registry of ECR that does not take the token",
    fault: ({ registry }) => registry.on(/./, status(403)),
    level: "error",
    subject: `registries[0] ${WEST}`,
    says: /^REGISTRY_UNAUTHORIZED: /,
  },
  {
    name: "a registry that is not there",
    fault: ({ plain }) => plain[Symbol.asyncDispose](),
    level: "error",
    subject: /^registries\[1\] /,
    says: /^REGISTRY_UNREACHABLE: /,
    fix: /firewall/,
  },
  {
    name: "a registry whose address is not opened",
    fault: ({ members, plain }) => {
      members.registries = [{ host: plain.host, plainHttp: true }];
    },
    level: "error",
    subject: /^registries\[0\] /,
    says: /in a range that the configuration does not open/,
    fix: /allowedAddresses/,
  },
  {
    name: "a registry with roots that are not there",
    fault: ({ members }) => {
      members.registries = [{ host: "registry.example.com", ca: "nothing.crt" }];
    },
    level: "error",
    subject: "registries[0] registry.example.com",
    says: /^the ca of registry registry\.example\.com cannot be read: .* \(ENOENT\)$/,
  },
  {
    name: "something else where a registry should be",
    fault: ({ plain }) => plain.on(/./, status(404)),
    level: "warning",
    subject: /^registries\[1\] /,
    says: /with status 404: is it a registry\?$/,
  },
  {
    name: "a registry that wants credentials and gets none",
    fault: ({ plain }) => plain.on(/./, status(401, { "www-authenticate": 'Basic realm="r"' })),
    level: "warning",
    subject: /^registries\[1\] /,
    says: /wants credentials/,
  },
  {
    name: "a key of another certificate",
    fault: async ({ directory }) => {
      await writeFile(join(directory, "tls.key"), authorities.gatekeeper.key);
    },
    level: "error",
    subject: "server.tls",
    says: /^the serving certificate does not belong to the key$/,
  },
  {
    name: "a certificate that ends soon",
    fault: async (world) => await serveWith(world, 5 * DAY_MS),
    level: "warning",
    subject: "server.tls",
    says: /ends \d{4}-\d\d-\d\d, in [45] days$/,
    fix: /renew/,
  },
  {
    name: "a certificate that has ended",
    fault: async (world) => await serveWith(world, -2 * DAY_MS),
    level: "error",
    subject: "server.tls",
    says: /ended \d{4}-\d\d-\d\d, \d days ago$/,
  },
  {
    name: "no Notation",
    fault: (world) => change(world, "notation", { binary: "nothing" }),
    level: "error",
    subject: "notation.binary",
    says: /./,
  },
  {
    name: "a launcher that cannot be started",
    fault: async ({ directory }) => await chmod(join(directory, "launcher"), 0o600),
    level: "error",
    subject: "signer.launcher",
    says: /^cannot be started \(EACCES\)/,
  },
  {
    name: "a runtime directory that cannot be written",
    fault: (world) => {
      world.members.runtimeDirectory = join(world.directory, "tls.crt/run");
    },
    level: "error",
    subject: "runtimeDirectory",
    says: /cannot be written/,
  },
  {
    name: "a trust policy that is no JSON",
    fault: async ({ directory }) => {
      await writeFile(join(directory, "trust/trustpolicy.json"), "{");
    },
    level: "error",
    subject: /^trust trustpolicy\.json/,
    says: /./,
  },
  {
    name: "a root that ends soon",
    fault: ({ directory }) => writeTrust(join(directory, "trust"), signerTrust(ending)),
    level: "warning",
    subject: "trust store signingAuthority:aws",
    says: /^the certificate of .*CN=ending.* ends /,
  },
];

/** A serving certificate that ends so many milliseconds from now. */
async function serveWith({ directory }: World, leftMs: number): Promise<void> {
  const notAfter = new Date(Date.now() + leftMs);
  const notBefore = new Date(notAfter.getTime() - 30 * DAY_MS);
  const dns = ["provider.test"];
  const pair = await authorities.provider.issue({ name: "provider", dns, notBefore, notAfter });
  await writeFile(join(directory, "tls.crt"), pair.cert);
  await writeFile(join(directory, "tls.key"), pair.key);
}

for (const { name, fault, level, subject, says, fix } of faults) {
  test(`${name}: the doctor says so, and no secret`, async (t) => {
    const world = await createWorld(t);
    await fault(world);
    const found = await examine(t, world);
    const about = found.filter((finding) =>
      typeof subject === "string" ? finding.subject === subject : subject.test(finding.subject),
    );
    assert.equal(about.length, 1, JSON.stringify(found, null, 2));
    const [first] = about;
    assert.ok(first);
    assert.equal(first.level, level, first.sentence);
    assert.match(first.sentence, says);
    if (fix !== undefined) assert.match(first.remedy ?? "", fix);
    const all = JSON.stringify(found);
    const tokens = world.ecr.tokens.map(({ authorization }) => authorization.slice(6));
    for (const secret of [world.aws.credentials.secretAccessKey, "nobody-should-see", ...tokens]) {
      assert.ok(!all.includes(secret));
    }
  });
}

const MAIN = new URL("../main.ts", import.meta.url).pathname;

async function command(
  world: World,
  ...flags: readonly string[]
): Promise<{ readonly code: number | null; readonly text: string }> {
  const file = await write(world);
  const child = spawn(process.execPath, [MAIN, "doctor", "--config", file, ...flags], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { PATH: process.env["PATH"], ...world.variables },
  });
  const exited = once(child, "exit");
  const output = await text(child.stdout);
  await exited;
  return { code: child.exitCode, text: output };
}

test("the command ends with 0 where there is no error, and prints a line for each thing", async (t) => {
  const world = await createWorld(t);
  const { code, text: table } = await command(world);
  assert.equal(code, 0, table);
  assert.match(table, /^ok {7}aws signer us-east-1 +may be asked what is revoked$/m);
});

test("the command ends with 1 where there is an error, and JSON says the same", async (t) => {
  const world = await createWorld(t);
  world.aws.deny("signer:GetRevocationStatus");
  const { code, text: output } = await command(world, "--output", "json");
  assert.equal(code, 1);
  const found = JSON.parse(output) as readonly Finding[];
  const [first, ...more] = found.filter(({ level }) => level === "error");
  assert.deepEqual([first?.subject, more], ["aws signer us-east-1", []]);
});
