// Real files, laid out as an administrator and as the kubelet do it, and the real Notation.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, test, type TestContext } from "node:test";
import { createAuthority } from "../../testing/signing/authority.ts";
import { NOTATION } from "../../testing/signing/notation.ts";
import { pem, statement, writeTrust, type TrustStatement } from "../../testing/signing/trust.ts";
import { LEVELS, type AskedLevel } from "../verdict/verdict.ts";
import { createTrust } from "./create-trust.ts";
import { lint } from "./lint.ts";
import type { Form, PolicyState, Trust, TrustSnapshot } from "./trust.ts";
import { machineFiles } from "./view.ts";
import type { CreateWatcher } from "./watch.ts";

let first: Buffer;
let second: Buffer;
before(async () => {
  first = (await createAuthority({ name: "first" })).root;
  second = (await createAuthority({ name: "second" })).root;
});

/** A watch whose events are the test's to give; it has none of its own. */
const silent: CreateWatcher = () => ({ follow: () => undefined, close: () => undefined });

interface Content {
  readonly statements?: readonly TrustStatement[];
  readonly policies?: Readonly<Record<string, readonly TrustStatement[]>>;
  readonly stores?: Readonly<Record<string, readonly Uint8Array[]>>;
}

async function setUp(
  t: TestContext,
  content: Content = {},
  { watch = silent, now = (): number => 0 } = {},
) {
  const base = await mkdtemp(join(tmpdir(), "trust-"));
  const directory = join(base, "trust");
  const runtimeDirectory = join(base, "runtime");
  const write = (next: Content): void =>
    writeTrust(directory, {
      statements: [statement()],
      stores: { "ca:example": [first] },
      ...next,
    });
  write(content);
  const told: (readonly PolicyState[])[] = [];
  const options = { directory, runtimeDirectory, rereadEveryMs: 3_600_000, allowWeak: [] };
  const trust = await createTrust({
    ...options,
    watch,
    now,
    onChange: (states) => told.push(states),
  });
  t.after(async () => {
    await trust.close();
    await rm(base, { recursive: true, force: true });
  });
  return { base, directory, runtimeDirectory, trust, write, told };
}

function inForce(trust: Trust, name = "default"): TrustSnapshot {
  const snapshot = trust.policy(name);
  assert.ok(typeof snapshot === "object", `${name} is not in force`);
  return snapshot;
}
const stateOf = (trust: Trust, name = "default"): string | undefined =>
  trust.states().find((state) => state.name === name)?.state;

test("policies are in force by name, and a name that no file has is unknown", async (t) => {
  const { trust } = await setUp(t, { policies: { prod: [statement({ name: "prod" })] } });
  assert.equal(inForce(trust).statement("any.example/app")?.name, "example");
  assert.equal(inForce(trust, "prod").statement("any.example/app")?.name, "prod");
  assert.equal(trust.policy("none"), undefined);
  assert.equal(trust.policy("__proto__"), undefined);
});

test("T-15 a wildcard identity with AWS Signer's certificate is refused, whatever its store is called", async (t) => {
  const { root } = await createAuthority({ name: "AWS Signer Code Signing Root CA G1" });
  const stores = { "ca:example": [first, root] };
  const { trust } = await setUp(t, {
    statements: [statement({ trustedIdentities: ["*"] })],
    policies: { named: [statement({ trustedIdentities: ["x509.subject: C=US, ST=WA, O=A"] })] },
    stores,
  });
  assert.equal(trust.policy("default"), "never");
  const refused = trust.states().find(({ name }) => name === "default");
  assert.deepEqual(
    refused?.problems.map(({ severity, path }) => [severity, path]),
    [["error", "trustpolicy.json: trustPolicies[0].trustedIdentities[0]"]],
  );
  inForce(trust, "named");
});

test("an exact scope decides before *, and no scope is a pattern", async (t) => {
  const exact = statement({ name: "exact", registryScopes: ["r.io/app"] });
  const { trust } = await setUp(t, { statements: [exact, statement()] });
  const snapshot = inForce(trust);
  assert.deepEqual(
    ["r.io/app", "r.io/app/more", "r.io/ap", "*"].map((scope) => snapshot.statement(scope)?.name),
    ["exact", "example", "example", "example"],
  );
});

const CHANGES: readonly {
  readonly name: string;
  readonly next: () => Content;
  readonly dies: boolean;
}[] = [
  {
    name: "the level",
    next: () => ({ statements: [statement({ signatureVerification: { level: "audit" } })] }),
    dies: true,
  },
  {
    name: "an identity",
    next: () => ({
      statements: [statement({ trustedIdentities: ["x509.subject: C=US, ST=WA, O=A"] })],
    }),
    dies: true,
  },
  {
    name: "a certificate of a store that it names",
    next: () => ({ stores: { "ca:example": [second] } }),
    dies: true,
  },
  { name: "nothing", next: () => ({}), dies: false },
  { name: "another policy", next: () => ({ policies: { other: [statement()] } }), dies: false },
  {
    name: "a store that it does not name",
    next: () => ({ stores: { "ca:example": [first], "ca:other": [second] } }),
    dies: false,
  },
];
for (const { name, next, dies } of CHANGES) {
  test(`a change of ${name} ${dies ? "makes another epoch" : "leaves epoch and snapshot as they are"}`, async (t) => {
    const { trust, write } = await setUp(t);
    const before = inForce(trust);
    write(next());
    await trust.reload();
    assert.equal(inForce(trust) === before, !dies);
    assert.equal(inForce(trust).epoch === before.epoch, !dies);
  });
}

test("spaces and the order of members do not count", async (t) => {
  const { trust, directory } = await setUp(t);
  const before = inForce(trust);
  const file = join(directory, "trustpolicy.json");
  const { version, trustPolicies } = JSON.parse(readFileSync(file, "utf8")) as Record<
    string,
    unknown
  >;
  await writeFile(file, JSON.stringify({ trustPolicies, version }, null, "\t"));
  await trust.reload();
  assert.equal(inForce(trust), before);
});

const FAULTS: readonly {
  readonly name: string;
  readonly inject: (directory: string) => Promise<unknown>;
}[] = [
  {
    name: "a half-written policy",
    inject: async (d) => await writeFile(join(d, "trustpolicy.json"), '{"version":"1.0","trustPol'),
  },
  {
    name: "an empty policy",
    inject: async (d) => await writeFile(join(d, "trustpolicy.json"), ""),
  },
  {
    name: "an empty store",
    inject: async (d) => await rm(join(d, "truststore/x509/ca/example/0.pem")),
  },
  {
    name: "an invalid certificate",
    inject: async (d) =>
      await writeFile(
        join(d, "truststore/x509/ca/example/0.pem"),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
      ),
  },
  {
    name: "a private key in a store",
    inject: async (d) =>
      await writeFile(
        join(d, "truststore/x509/ca/example/key.pem"),
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
      ),
  },
  {
    name: "a directory in a store",
    inject: async (d) => await mkdir(join(d, "truststore/x509/ca/example/more")),
  },
  {
    name: "a store that is gone",
    inject: async (d) => await rm(join(d, "truststore"), { recursive: true }),
  },
  { name: "a trust directory that is gone", inject: async (d) => await rm(d, { recursive: true }) },
  {
    name: "a trust directory that is empty",
    inject: async (d) => {
      await rm(d, { recursive: true });
      await mkdir(d);
    },
  },
];
for (const { name, inject } of FAULTS) {
  test(`F-44 ${name} keeps the last good policy, says so, and harms no other`, async (t) => {
    const other = {
      statements: [statement()],
      policies: { other: [statement({ trustStores: ["ca:second"] })] },
      stores: { "ca:example": [first], "ca:second": [second] },
    };
    const { trust, directory, write, told } = await setUp(t, other);
    const before = [inForce(trust), inForce(trust, "other")];
    await inject(directory);
    // Twice: a directory that is gone never counts as a policy that was taken away.
    await trust.reload();
    await trust.reload();
    await trust.reload();
    assert.deepEqual([inForce(trust), inForce(trust, "other")], before);
    assert.equal(stateOf(trust), "stale");
    assert.ok(
      told.at(-1)?.some(({ problems }) => problems.some(({ severity }) => severity === "error")),
    );
    await rm(directory, { recursive: true, force: true });
    write(other);
    await trust.reload();
    assert.deepEqual([stateOf(trust), inForce(trust)], ["current", before[0]]);
  });
}

test("F-44 a policy that was never good has no snapshot, and gets one when it is mended", async (t) => {
  const { trust, write } = await setUp(t, { statements: [] });
  assert.equal(trust.policy("default"), "never");
  write({});
  await trust.reload();
  assert.equal(stateOf(trust), "current");
});

test("F-42 the age of a policy begins anew with each reading that finds it good, and grows while none does", async (t) => {
  let time = 0;
  const { trust, directory, write } = await setUp(t, {}, { now: () => time });
  const age = () => trust.ages().get("default");
  time = 40_000;
  assert.equal(age(), 40_000);
  await trust.reload();
  assert.equal(age(), 0);
  await writeFile(join(directory, "trustpolicy.json"), "{");
  time = 100_000;
  await trust.reload();
  assert.equal(age(), 60_000);
  write({});
  await trust.reload();
  assert.equal(age(), 0);
});

test("a policy that was never good has no age", async (t) => {
  const { trust } = await setUp(t, { statements: [] });
  assert.deepEqual([...trust.ages()], []);
});

test("a policy whose file was taken away goes with the second reading that misses it", async (t) => {
  const { trust, directory } = await setUp(t, { policies: { prod: [statement()] } });
  await rm(join(directory, "trustpolicies/prod.json"));
  await trust.reload();
  assert.equal(stateOf(trust, "prod"), "stale");
  await trust.reload();
  assert.equal(trust.policy("prod"), undefined);
});

/** Files as the kubelet lays out a volume: links to `..data`, which is a link to a directory of one moment. */
async function writeVolume(
  volume: string,
  moment: string,
  files: Readonly<Record<string, string>>,
) {
  await mkdir(join(volume, moment), { recursive: true });
  for (const [name, text] of Object.entries(files))
    await writeFile(join(volume, moment, name), text);
  await symlink(moment, join(volume, "..data_tmp"));
  await rename(join(volume, "..data_tmp"), join(volume, "..data"));
  for (const name of Object.keys(files)) {
    if (!existsSync(join(volume, name))) await symlink(join("..data", name), join(volume, name));
  }
}

const document = (level: string): string =>
  JSON.stringify({
    version: "1.0",
    trustPolicies: [statement({ signatureVerification: { level } })],
  });

test("F-44 a Kubernetes volume is read through its links, followed through its swaps, and laid out as real files", async (t) => {
  const base = await mkdtemp(join(tmpdir(), "volume-"));
  t.after(async () => await rm(base, { recursive: true, force: true }));
  const store = join(base, "truststore/x509/ca/example");
  await writeVolume(base, "..2026_11_21_01", { "trustpolicy.json": document("strict") });
  await writeVolume(store, "..2026_11_21_01", { "root.pem": pem(first) });
  const trust = await createTrust({
    directory: base,
    runtimeDirectory: join(base, "..runtime"),
    rereadEveryMs: 3_600_000,
    allowWeak: ["default"],
  });
  t.after(async () => await trust.close());
  const before = inForce(trust);
  using opened = before.open(undefined, "whole");
  assert.equal(lstatSync(join(opened.path, "trustpolicy.json")).isFile(), true);
  const stores = join(opened.path, "truststore/x509/ca/example");
  assert.equal(lstatSync(stores).isDirectory(), true);
  for (const name of readdirSync(stores))
    assert.equal(lstatSync(join(stores, name)).isFile(), true);
  // No reload is asked for: the watch sees the swap.
  const changed = Promise.withResolvers<void>();
  const poll = setInterval(() => {
    if (inForce(trust).epoch !== before.epoch) changed.resolve();
  }, 5);
  await writeVolume(base, "..2026_11_21_02", { "trustpolicy.json": document("permissive") });
  await changed.promise;
  clearInterval(poll);
  assert.equal(inForce(trust).statement("r.io/app")?.level, "permissive");
});

test("F-43 a directory in use outlives its snapshot, and goes when the last run lets go of it", async (t) => {
  const { trust, write } = await setUp(t);
  const opened = inForce(trust).open("strict", "whole");
  const again = inForce(trust).open("strict", "whole");
  assert.equal(opened.path, again.path);
  write({ stores: { "ca:example": [second] } });
  await trust.reload();
  opened[Symbol.dispose]();
  opened[Symbol.dispose]();
  assert.equal(existsSync(join(again.path, "trustpolicy.json")), true);
  again[Symbol.dispose]();
  assert.equal(existsSync(again.path), false);
});

test("close removes everything that was written", async (t) => {
  const { trust, runtimeDirectory } = await setUp(t);
  inForce(trust).open("audit", "unrevoked")[Symbol.dispose]();
  await trust.close();
  assert.deepEqual(readdirSync(runtimeDirectory), []);
});

const FORMS: readonly Form[] = ["whole", "authentic", "unrevoked"];
const ASKED: readonly (AskedLevel | undefined)[] = [undefined, "strict", "permissive", "audit"];
for (const own of LEVELS.filter((level) => level !== "skip")) {
  for (const level of ASKED) {
    for (const form of FORMS) {
      test(`Notation accepts a ${own} policy as ${level ?? "it is"}, ${form}`, async (t) => {
        const verification = { level: own, override: { expiry: "log" } };
        const { trust } = await setUp(t, {
          statements: [statement({ signatureVerification: verification })],
        });
        using opened = inForce(trust).open(level, form);
        const { stdout, code } = await show(opened.path);
        assert.equal(code, 0, stdout);
        const written = JSON.parse(readFileSync(join(opened.path, "trustpolicy.json"), "utf8")) as {
          trustPolicies: readonly [TrustStatement];
        };
        const { signatureVerification } = written.trustPolicies[0];
        assert.equal(signatureVerification.level, level ?? own);
        const { authenticity, revocation, expiry } = signatureVerification.override ?? {};
        assert.equal(expiry, "log");
        if (form === "authentic") assert.equal(authenticity, "enforce");
        if (form === "unrevoked") assert.equal(revocation, "skip");
      });
    }
  }
}

/** What `notation policy show` says of a configuration directory: it validates before it prints. */
const show = async (config: string): Promise<{ stdout: string; code: unknown }> =>
  await new Promise((resolve) => {
    const env = { NOTATION_CONFIG: config, NOTATION_CACHE: config, HOME: config };
    execFile(NOTATION, ["policy", "show"], { env }, (error, stdout, stderr) => {
      resolve({
        stdout: `${stdout}${stderr}`,
        code: error === null && !stderr.includes("Existing trust policy") ? 0 : 1,
      });
    });
  });

test("F-44 of a directory that changes during every reading nothing is believed, and the last good stays", async (t) => {
  const base = await mkdtemp(join(tmpdir(), "torn-"));
  t.after(async () => await rm(base, { recursive: true, force: true }));
  const directory = join(base, "trust");
  const stores = { "ca:example": [first] };
  writeTrust(directory, { statements: [statement()], stores });
  let isRestless = false;
  let moment = 0;
  const files = {
    ...machineFiles,
    stamp: async (path: string) => {
      moment += 1;
      return isRestless ? String(moment) : await machineFiles.stamp(path);
    },
  };
  const options = {
    directory,
    runtimeDirectory: join(base, "run"),
    rereadEveryMs: 3_600_000,
    allowWeak: [],
  };
  const trust = await createTrust({ ...options, files, watch: silent });
  t.after(async () => await trust.close());
  const before = inForce(trust);
  isRestless = true;
  writeTrust(directory, { statements: [statement({ name: "torn" })], stores });
  await trust.reload();
  assert.deepEqual([inForce(trust), stateOf(trust)], [before, "stale"]);
  isRestless = false;
  await trust.reload();
  assert.equal(inForce(trust).statement("r.io/app")?.name, "torn");
});

test("F-42 the timer reads again when no event ever comes", async (t) => {
  const base = await mkdtemp(join(tmpdir(), "timer-"));
  t.after(async () => await rm(base, { recursive: true, force: true }));
  const directory = join(base, "trust");
  const stores = { "ca:example": [first] };
  writeTrust(directory, { statements: [statement()], stores });
  const changed = Promise.withResolvers<void>();
  let told = 0;
  const trust = await createTrust({
    directory,
    runtimeDirectory: join(base, "run"),
    rereadEveryMs: 10,
    allowWeak: [],
    watch: silent,
    onChange: () => {
      if (told > 0) changed.resolve();
      told += 1;
    },
  });
  t.after(async () => await trust.close());
  // The interval keeps no process alive by itself.
  const alive = setInterval(() => undefined, 1000);
  writeTrust(directory, { statements: [statement({ name: "changed" })], stores });
  await changed.promise;
  clearInterval(alive);
  assert.equal(inForce(trust).statement("r.io/app")?.name, "changed");
});
test("T-45 lint names what nobody reads: misspelt files and folders, and stores that no policy names", async (t) => {
  const { directory } = await setUp(t, { stores: { "ca:example": [first], "ca:idle": [second] } });
  await writeFile(join(directory, "trustpolicies.json"), "{}");
  await mkdir(join(directory, "truststore/x509/CA"));
  const problems = await lint(directory, []);
  assert.deepEqual(
    problems.map(({ severity, path }) => `${severity} ${path}`),
    ["warning trustpolicies.json", "warning truststore/x509/CA", "warning truststore/x509/ca/idle"],
  );
});

test("lint names a policy that no key could ask for, and a hidden file that is not read", async (t) => {
  const policies = { prod: [statement()], "-prod": [statement()], ".prod": [statement()] };
  const { directory, trust } = await setUp(t, { policies });
  const problems = await lint(directory, []);
  assert.deepEqual(
    problems.map(({ severity, path }) => `${severity} ${path}`),
    ["error trustpolicies/-prod.json", "warning trustpolicies/.prod.json"],
  );
  assert.equal(trust.policy("-prod"), "never");
});

test("T-46 lint names every problem of every policy, with its path", async (t) => {
  const { directory } = await setUp(t, {
    statements: [statement({ registryScopes: ["r.io/*"] })],
    policies: { prod: [statement({ trustStores: ["ca:none"] })] },
  });
  const problems = await lint(directory, []);
  const paths = problems.filter(({ severity }) => severity === "error").map(({ path }) => path);
  assert.ok(
    paths.some((path) => path === "trustpolicy.json: trustPolicies[0].registryScopes[0]"),
    paths.join(),
  );
  assert.ok(
    paths.some((path) => path.includes("truststore/x509/ca/none")),
    paths.join(),
  );
});
