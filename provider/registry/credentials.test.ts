import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { isRefusal } from "../verdict/verdict.ts";
import { anonymous, basicHeader, fromFile, type CredentialSource } from "./credentials.ts";
import { fromDockerConfig } from "./docker-config.ts";

async function directoryOf(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "credentials-"));
  context.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** The answer of a source, or the reason of its refusal; no path or content of a file in its sentence. */
async function answerOf(source: CredentialSource): Promise<unknown> {
  const answer = await source();
  if (!isRefusal(answer)) return answer;
  assert.doesNotMatch(answer.sentence, /\/|secret|alice/);
  return answer.reason;
}

test("anonymous is nobody", async () => assert.equal(await anonymous()(), undefined));

test("Basic has name and password in base64 of UTF-8", () =>
  assert.equal(basicHeader({ username: "aladdin", password: "ä:b" }), "Basic YWxhZGRpbjrDpDpi"));

const FILES: readonly {
  readonly name: string;
  readonly username?: string;
  readonly password?: string;
  readonly want: unknown;
}[] = [
  {
    name: "as they are",
    username: "alice",
    password: "a secret",
    want: { username: "alice", password: "a secret" },
  },
  {
    name: "with a line break at the end",
    username: "alice\n",
    password: "secret\r\n",
    want: { username: "alice", password: "secret" },
  },
  {
    name: "with a colon in the password",
    username: "alice",
    password: "a:b",
    want: { username: "alice", password: "a:b" },
  },
  { name: "without a password", username: "alice", want: "REGISTRY_UNAUTHORIZED" },
  {
    name: "with an empty password",
    username: "alice",
    password: "\n",
    want: "REGISTRY_UNAUTHORIZED",
  },
  {
    name: "with a colon in the name",
    username: "alice:x",
    password: "secret",
    want: "REGISTRY_UNAUTHORIZED",
  },
  {
    name: "with two lines",
    username: "alice",
    password: "secret\nX: y",
    want: "REGISTRY_UNAUTHORIZED",
  },
  {
    name: "too large",
    username: "alice",
    password: "x".repeat(70_000),
    want: "REGISTRY_UNAUTHORIZED",
  },
];

for (const { name, username, password, want } of FILES) {
  test(`credentials in files ${name}`, async (context) => {
    const directory = await directoryOf(context);
    const paths = [join(directory, "username"), join(directory, "password")] as const;
    if (username !== undefined) await writeFile(paths[0], username);
    if (password !== undefined) await writeFile(paths[1], password);
    assert.deepEqual(await answerOf(fromFile(...paths)), want);
  });
}

test("credentials in files that change are the new ones at once", async (context) => {
  const directory = await directoryOf(context);
  const paths = [join(directory, "username"), join(directory, "password")] as const;
  const source = fromFile(...paths);
  await writeFile(paths[0], "alice");
  await writeFile(paths[1], "old");
  assert.deepEqual(await source(), { username: "alice", password: "old" });
  await writeFile(paths[1], "new");
  assert.deepEqual(await source(), { username: "alice", password: "new" });
});

const AUTH = Buffer.from("alice:a:secret").toString("base64");
const ALICE = { username: "alice", password: "a:secret" };

const CONFIGS: readonly {
  readonly name: string;
  readonly host?: string;
  readonly config: unknown;
  readonly want: unknown;
}[] = [
  { name: "auth", config: { auths: { "r.example": { auth: AUTH } } }, want: ALICE },
  { name: "name and password", config: { auths: { "r.example": ALICE } }, want: ALICE },
  {
    name: "the host as a URL",
    config: { auths: { "https://r.example": { auth: AUTH } } },
    want: ALICE,
  },
  {
    name: "Docker Hub's old address",
    host: "docker.io",
    config: { auths: { "https://index.docker.io/v1/": { auth: AUTH } } },
    want: ALICE,
  },
  { name: "another port", config: { auths: { "r.example:443": { auth: AUTH } } }, want: undefined },
  {
    name: "another host",
    config: { auths: { "evil-r.example": { auth: AUTH } } },
    want: undefined,
  },
  { name: "no logins", config: {}, want: undefined },
  { name: "an empty login", config: { auths: { "r.example": {} } }, want: undefined },
  {
    name: "members that are not known",
    config: { auths: { "r.example": { auth: AUTH, email: "x" } }, proxies: {} },
    want: ALICE,
  },
  {
    name: "a store",
    config: { auths: { "r.example": {} }, credsStore: "desktop" },
    want: "REGISTRY_UNAUTHORIZED",
  },
  {
    name: "a helper",
    config: { credHelpers: { "r.example": "ecr-login" } },
    want: "REGISTRY_UNAUTHORIZED",
  },
  {
    name: "a helper of another host",
    config: { auths: { "r.example": { auth: AUTH } }, credHelpers: { "x.example": "ecr-login" } },
    want: ALICE,
  },
  {
    name: "an identity token",
    config: { auths: { "r.example": { auth: AUTH, identitytoken: "secret" } } },
    want: "REGISTRY_UNAUTHORIZED",
  },
  {
    name: "auth without a colon",
    config: { auths: { "r.example": { auth: "YWxpY2U=" } } },
    want: "REGISTRY_UNAUTHORIZED",
  },
  {
    name: "a login that is a text",
    config: { auths: { "r.example": AUTH } },
    want: "REGISTRY_UNAUTHORIZED",
  },
  { name: "an array", config: [], want: "REGISTRY_UNAUTHORIZED" },
  { name: "a host called __proto__", host: "__proto__", config: { auths: {} }, want: undefined },
];

for (const { name, host = "r.example", config, want } of CONFIGS) {
  test(`Docker's configuration with ${name}`, async (context) => {
    const path = join(await directoryOf(context), "config.json");
    await writeFile(path, JSON.stringify(config));
    assert.deepEqual(await answerOf(fromDockerConfig(path, host)), want);
  });
}

test("Docker's configuration that is not there or not JSON is REGISTRY_UNAUTHORIZED", async (context) => {
  const path = join(await directoryOf(context), "config.json");
  assert.equal(await answerOf(fromDockerConfig(path, "r.example")), "REGISTRY_UNAUTHORIZED");
  await writeFile(path, "alice:secret");
  assert.equal(await answerOf(fromDockerConfig(path, "r.example")), "REGISTRY_UNAUTHORIZED");
});
