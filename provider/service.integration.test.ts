// The whole service as a process of its own: real registry, real Notation, real mutual TLS.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test, type TestContext } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { descendantsOf } from "../testing/census.ts";
import * as fc from "fast-check";
import { createCaller } from "../testing/gatekeeper/caller.ts";
import { createGatekeeperAuthority } from "../testing/gatekeeper/certificates.ts";
import {
  ROOT,
  startProvider,
  type ProviderOptions,
  type RunningProvider,
} from "../testing/provider/start.ts";
import { startOlareg, ACCOUNT, type Olareg } from "../testing/registry/olareg.ts";
import { attachSignature, pushImage, tag } from "../testing/registry/push.ts";
import {
  createAuthority,
  type Authority,
  type SigningIdentity,
} from "../testing/signing/authority.ts";
import { COSE, cose, JWS, jws } from "../testing/signing/envelope.ts";
import { statement, writeTrust } from "../testing/signing/trust.ts";
import { isRunning, until } from "../testing/notation/processes.ts";
import { RUNTIME_DIRECTORY } from "./config/schema.ts";

interface Facts {
  readonly outcome: string;
  readonly digest: string;
  readonly level: string;
  readonly policy: string;
  readonly signer: { readonly subject: string };
  readonly metadata?: Readonly<Record<string, string>>;
}

const ask = async (provider: RunningProvider, keys: readonly string[], path = "/validate") => {
  const { response } = await provider.caller().ask(keys, { path });
  return response.response;
};

/** Rounds of the test that ends a provider at points of a batch, and what the points are made of; drain.integration.test.ts has more. */
const POINTS = 10;
const SEED = 33;

/** Runs the command line to its end. */
const run = async (...args: string[]) => await runWith({}, ...args);

/** The same with more in its environment. */
const runWith = async (environment: NodeJS.ProcessEnv, ...args: string[]) =>
  await new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    execFile(
      process.execPath,
      [join(ROOT, "provider/main.ts"), ...args],
      { env: { ...process.env, ...environment } },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : error.code, stdout, stderr });
      },
    );
  });

const codes = async (
  provider: RunningProvider,
  keys: readonly string[],
): Promise<readonly string[]> => {
  const { items, systemError = "" } = await ask(provider, keys);
  return keys.map((key) => {
    const item = items.find((each) => each.key === key);
    if (item?.error !== undefined) return item.error.split(":", 1)[0] ?? "";
    if (item !== undefined) return (item.value as Facts).outcome;
    const line = systemError.split("\n").find((each) => each.startsWith(`${key}: `));
    return line?.slice(key.length + 2).split(":", 1)[0] ?? "no answer";
  });
};

suite("the service", () => {
  let registry: Olareg;
  let authority: Authority;
  let signer: SigningIdentity;
  let stranger: SigningIdentity;
  let directory: string;

  before(async () => {
    registry = await startOlareg({ auth: "basic" });
    authority = await createAuthority({ name: "trusted" });
    signer = await authority.issue({ commonName: "team" });
    stranger = await (
      await createAuthority({ name: "stranger" })
    ).issue({ commonName: "stranger" });
    directory = await mkdtemp(join(tmpdir(), "service-"));
    await writeFile(join(directory, "username"), ACCOUNT.username);
    await writeFile(join(directory, "password"), ACCOUNT.password);
  });
  after(async () => {
    await registry[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  /** A trust directory of one test. */
  const trustFor = async (level = "strict"): Promise<string> => {
    const trust = await mkdtemp(join(directory, "trust-"));
    writeTrust(trust, {
      statements: [statement({ signatureVerification: { level } })],
      stores: { "ca:example": [authority.root] },
    });
    return trust;
  };
  const start = async (
    t: TestContext,
    options: Partial<ProviderOptions> = {},
  ): Promise<RunningProvider> => {
    const credentials = {
      usernameFile: join(directory, "username"),
      passwordFile: join(directory, "password"),
    };
    const provider = await startProvider({
      trust: options.trust ?? (await trustFor()),
      registries: [
        { host: registry.host, plainHttp: true, allowedAddresses: ["127.0.0.0/8"], credentials },
      ],
      overrides: { server: { drainDelay: "0ms" }, ...options.overrides },
      ...(options.notation !== undefined && { notation: options.notation }),
    });
    t.after(async () => await provider[Symbol.asyncDispose]());
    return provider;
  };
  /** Pushes an image and what is asked for beside it. @returns `host/repository` and the subject */
  const push = async (repository: string, sign?: "good" | "cose" | "stranger") => {
    const place = { registry: await registry.authorize(), repository };
    const subject = await pushImage({ ...place, tag: "v1" });
    const by = {
      signer: sign === "stranger" ? stranger : signer,
      subject,
      metadata: { commit: "1a2b3c" },
    };
    if (sign === "cose")
      await attachSignature({ ...place, subject, mediaType: COSE, envelope: cose(by) });
    else if (sign !== undefined)
      await attachSignature({ ...place, subject, mediaType: JWS, envelope: jws(by) });
    return { name: `${registry.host}/${repository}`, subject, place };
  };

  test("one request gets a verdict for every key: facts, reasons, and nothing else", async (t) => {
    const [good, bare, foreign, second] = await Promise.all([
      push("e2e/good", "good"),
      push("e2e/unsigned"),
      push("e2e/stranger", "stranger"),
      push("e2e/cose", "cose"),
    ]);
    const provider = await start(t);
    const keys = [
      `${good.name}:v1`,
      `${bare.name}:v1`,
      `${foreign.name}@${foreign.subject.digest}`,
      `${second.name}@${second.subject.digest}?level=audit`,
      `${good.name}:gone`,
      "elsewhere.example/app:v1",
      "no image",
    ];
    assert.deepEqual(await codes(provider, keys), [
      "verified",
      "UNSIGNED",
      "UNTRUSTED_SIGNER",
      "verified",
      "IMAGE_NOT_FOUND",
      "REGISTRY_NOT_ALLOWED",
      "INVALID_REFERENCE",
    ]);
    const { items } = await ask(provider, keys.slice(0, 1));
    const facts = items[0]?.value as Facts;
    assert.deepEqual(
      [facts.digest, facts.level, facts.policy, facts.signer.subject, facts.metadata],
      [
        good.subject.digest,
        "strict",
        "default",
        "CN=team,O=Example,ST=WA,C=US",
        { commit: "1a2b3c" },
      ],
    );
  });

  test("T-19 a digest signed in one repository is unsigned in another, whichever is asked first", async (t) => {
    const good = await push("one/app", "good");
    const place = { ...good.place, repository: "two/app" };
    const other = await pushImage({ ...place, tag: "v1", content: "one/app:v1" });
    assert.equal(other.digest, good.subject.digest);
    const provider = await start(t);
    const [first, second] = [good.name, `${registry.host}/two/app`].map(
      (name) => `${name}@${other.digest}`,
    );
    assert.deepEqual(await codes(provider, [first ?? ""]), ["verified"]);
    assert.deepEqual(await codes(provider, [second ?? ""]), ["UNSIGNED"]);
  });

  test("T-01 a tag moved to an unsigned image is never answered with the old verdict's digest as the new one", async (t) => {
    const signed = await push("moving/app", "good");
    const provider = await start(t, { overrides: { cache: { tags: "100ms" } } });
    const key = `${signed.name}:v1`;
    assert.deepEqual(await codes(provider, [key]), ["verified"]);
    const unsigned = await pushImage({ ...signed.place, tag: "v2", content: "another" });
    await tag(signed.place, unsigned, "v1");
    // Until the tag map's life is over the facts still name what was verified.
    for (;;) {
      const { items } = await ask(provider, [key]);
      const [item] = items;
      if (item?.error !== undefined) {
        assert.match(item.error, /^UNSIGNED/);
        break;
      }
      if (item !== undefined) assert.equal((item.value as Facts).digest, signed.subject.digest);
      await wait(10);
    }
  });

  test("/mutate pins a tag, and leaves what has a digest or another registry as it is", async (t) => {
    const { name, subject } = await push("pinned/app");
    const provider = await start(t);
    const { items, idempotent } = await ask(
      provider,
      [`${name}:v1`, `${name}@${subject.digest}`, "nginx"],
      "/mutate",
    );
    assert.equal(idempotent, true);
    assert.deepEqual(
      items.map(({ value }) => value),
      [`${name}:v1@${subject.digest}`, `${name}@${subject.digest}`, "nginx"],
    );
  });

  test("a cached positive dies with its store, and lives through a change of another policy", async (t) => {
    const { name, subject } = await push("epoch/app", "good");
    const trust = await trustFor();
    const provider = await start(t, { trust, overrides: { trust: { rereadEvery: "100ms" } } });
    const key = `${name}@${subject.digest}`;
    assert.deepEqual(await codes(provider, [key]), ["verified"]);
    const runs = async (): Promise<number> => {
      const text = await (await fetch(`${provider.admin}/metrics`)).text();
      return Number(
        /^notation_provider_notation_judgements_total\{outcome="passed"\} (\d+)$/m.exec(text)?.[1],
      );
    };
    writeTrust(trust, {
      statements: [statement()],
      stores: { "ca:example": [authority.root] },
      policies: { other: [statement({ name: "other" })] },
    });
    while ((await codes(provider, [`${key}?policy=other`]))[0] !== "verified") await wait(20);
    const passed = await runs();
    assert.deepEqual(await codes(provider, [key]), ["verified"]);
    assert.equal(await runs(), passed);
    const replacement = await createAuthority({ name: "replacement" });
    writeTrust(trust, {
      statements: [statement()],
      stores: { "ca:example": [replacement.root] },
      policies: { other: [statement({ name: "other" })] },
    });
    while ((await codes(provider, [key]))[0] !== "UNTRUSTED_SIGNER") await wait(20);
  });

  test("F-20 without Notation it is not ready and undecided, and recovers when it is there", async (t) => {
    const { name, subject } = await push("recover/app", "good");
    const binary = join(directory, "notation");
    await copyFile(join(ROOT, "tools/bin/notation"), binary);
    const provider = await start(t, { notation: binary });
    await rename(binary, `${binary}.away`);
    const key = `${name}@${subject.digest}`;
    assert.deepEqual(await codes(provider, [key]), ["NOTATION_FAILED"]);
    const { status } = await fetch(`${provider.admin}/readyz`);
    assert.equal(status, 503);
    await rename(`${binary}.away`, binary);
    await chmod(binary, 0o755);
    while ((await codes(provider, [key]))[0] !== "verified") await wait(50);
    assert.equal((await fetch(`${provider.admin}/readyz`)).status, 200);
  });

  test("T-04 a Notation that is too old is not ready with its reason, judges nothing, and is said in the log", async (t) => {
    const { name, subject } = await push("old/app", "good");
    const binary = join(directory, "old-notation");
    await copyFile(join(ROOT, "tools/bin/notation"), binary);
    const provider = await start(t, { notation: binary });
    // In one step, as an image or a volume is replaced.
    const old = `${binary}.old`;
    await writeFile(old, "#!/bin/sh\necho 'Version:     1.2.0'\n", { mode: 0o755 });
    await rename(old, binary);
    const key = `${name}@${subject.digest}`;
    assert.deepEqual(await codes(provider, [key]), ["NOTATION_FAILED"]);
    const answer = await fetch(`${provider.admin}/readyz?verbose`);
    assert.equal(answer.status, 503);
    assert.match(await answer.text(), /^\[-\]notation failed: version 1\.2\.0 is too old/m);
    await until(() => provider.log.some((line) => /"not ready"/.test(line)));
  });

  test("F-44 a policy that breaks while the provider runs keeps its last good form, and is said in log and readiness", async (t) => {
    const { name, subject } = await push("stale/app", "good");
    const trust = await trustFor();
    const provider = await start(t, { trust, overrides: { trust: { rereadEvery: "100ms" } } });
    await writeFile(join(trust, "trustpolicy.json"), "{");
    await until(() => provider.log.some((line) => /"a trust policy was refused"/.test(line)));
    const line = provider.log.find((each) => /"a trust policy was refused"/.test(each)) ?? "";
    const { policy, state, problems } = JSON.parse(line) as Record<string, unknown>;
    assert.deepEqual(
      { policy, state, problems },
      { policy: "default", state: "stale", problems: ["error: trustpolicy.json: not JSON"] },
    );
    assert.deepEqual(await codes(provider, [`${name}@${subject.digest}`]), ["verified"]);
    const answer = await fetch(`${provider.admin}/readyz?verbose`);
    assert.equal(answer.status, 200);
    assert.match(await answer.text(), /^\[\+\]trust\/default ok: stale: trustpolicy\.json/m);
  });

  test("T-60 T-61 a caller of another authority gets nothing; another certificate of Gatekeeper's own authority gets a 403 that Gatekeeper can read", async (t) => {
    const provider = await start(t);
    const other = await createGatekeeperAuthority();
    const ca = await readFile(join(provider.directory, "provider/ca.crt"), "utf8");
    const foreign = createCaller({
      url: provider.url,
      ca,
      ...(await other.issue({ name: "somebody" })),
    });
    t.after(async () => await foreign.close());
    // Of another authority: a TLS alert, and nothing is read.
    await assert.rejects(foreign.ask(["a"]));
    const named = createCaller({
      url: provider.url,
      ca,
      ...(await provider.issueClient("somebody.else.svc")),
    });
    t.after(async () => await named.close());
    const { status, response } = await named.ask(["a"]);
    assert.equal(status, 403);
    assert.match(response.response.systemError ?? "", /^BAD_REQUEST: /);
  });

  test("T-34 T-37 a registry's password is in no log line, no metric, no answer and no child", async (t) => {
    const { name, subject } = await push("secret/app", "good");
    const provider = await start(t);
    const answer = await ask(provider, [`${name}@${subject.digest}`, `${name}:gone`]);
    const metrics = await (await fetch(`${provider.admin}/metrics`)).text();
    const basic = Buffer.from(`${ACCOUNT.username}:${ACCOUNT.password}`).toString("base64");
    const all = [JSON.stringify(answer), metrics, ...provider.log].join("\n");
    for (const secret of [ACCOUNT.password, basic]) assert.equal(all.includes(secret), false);
  });

  test("F-33 SIGTERM under load: every request is answered, nothing is left, and the exit code is 0", async (t) => {
    const { name, subject } = await push("drain/app", "good");
    const provider = await start(t, { overrides: { server: { drainDelay: "200ms" } } });
    const key = `${name}@${subject.digest}`;
    await codes(provider, [key]);
    const children = descendantsOf(provider.pid);
    assert.ok(children.length > 0);
    const caller = provider.caller("perCall");
    let answered = 0;
    const load = async (): Promise<void> => {
      for (;;) {
        const { status } = await caller.ask([key]);
        assert.equal(status, 200);
        answered += 1;
      }
    };
    // A new connection that comes after the listener closed is refused: the endpoint is gone by then.
    const loads = Array.from(
      { length: 4 },
      async () => await load().catch((error: unknown) => error),
    );
    await until(() => answered > 20);
    process.kill(provider.pid, "SIGTERM");
    const ends = await Promise.all(loads);
    for (const end of ends) assert.match(String(end), /ECONNREFUSED|ECONNRESET|socket hang up/);
    await until(() => !isRunning(provider.pid) && !children.some(isRunning));
    assert.match(provider.log.at(-1) ?? "", /"msg":"ended"/);
  });

  test("F-33 SIGTERM at any point of a cold batch: it is answered whole or never taken, and nothing is left", async (t) => {
    const images = await Promise.all(
      Array.from({ length: 12 }, async (_, index) => await push(`point${index}/app`, "good")),
    );
    const keys = images.map(({ name, subject }) => `${name}@${subject.digest}`);
    const within = fc.sample(fc.double({ min: 0, max: 1, noNaN: true }), {
      numRuns: POINTS,
      seed: SEED,
    });
    for (const [round, share] of within.entries()) {
      const provider = await start(t, {
        overrides: { server: { drainDelay: "50ms" }, log: { level: "debug" } },
      });
      const asking = codes(provider, keys).catch((error: unknown) => String(error));
      // A batch takes some 200 ms here; the first points lie before its request is read.
      const point = ((round + share) / POINTS) * 250;
      await wait(point);
      const children = descendantsOf(provider.pid);
      process.kill(provider.pid, "SIGTERM");
      const answer = await asking;
      const what = `${point.toFixed(1)} ms: ${JSON.stringify(answer)}`;
      if (typeof answer === "string") assert.match(answer, /ECONNREFUSED|ECONNRESET/, what);
      else
        for (const code of answer)
          assert.ok(["verified", "TIMEOUT", "SHUTTING_DOWN"].includes(code), what);
      await until(() => !isRunning(provider.pid) && !children.some(isRunning));
      assert.match(provider.log.at(-1) ?? "", /"msg":"ended"/, what);
    }
  });

  test("F-05 a registry that stops in the middle of its work costs its deadline, and is asked again when it goes on", async (t) => {
    const stopped = await startOlareg();
    t.after(async () => await stopped[Symbol.asyncDispose]());
    const place = { registry: stopped, repository: "app" };
    const keys: string[] = [];
    for (const name of ["one", "two"]) {
      const subject = await pushImage({ ...place, tag: name, content: name });
      await attachSignature({
        ...place,
        subject,
        mediaType: JWS,
        envelope: jws({ signer, subject }),
      });
      keys.push(`${stopped.host}/app@${subject.digest}`);
    }
    const provider = await startProvider({
      trust: await trustFor(),
      registries: [{ host: stopped.host, plainHttp: true, allowedAddresses: ["127.0.0.0/8"] }],
      overrides: { server: { drainDelay: "0ms" } },
    });
    t.after(async () => await provider[Symbol.asyncDispose]());
    const [warm = "", cold = ""] = keys;
    assert.deepEqual(await codes(provider, [warm]), ["verified"]);
    process.kill(stopped.pid, "SIGSTOP");
    try {
      const [kept, undecidedCode = ""] = await codes(provider, [warm, cold]);
      assert.equal(kept, "verified", "what is known needs no registry");
      assert.match(undecidedCode, /^(?:TIMEOUT|REGISTRY_UNREACHABLE)$/);
    } finally {
      process.kill(stopped.pid, "SIGCONT");
    }
    // The registry's circuit may be open for a moment.
    while ((await codes(provider, [cold]))[0] !== "verified") await wait(20);
  });

  test("verify on the command line says what the service says, and exits with 0 only if all are verified", async (t) => {
    const good = await push("cli/good", "good");
    const bare = await push("cli/bare");
    const { directory: files } = await start(t);
    const config = ["--config", join(files, "provider.yaml")];
    const all = await run("verify", `${good.name}:v1`, ...config, "--output", "json");
    assert.equal(all.code, 0, all.stderr);
    const [decision] = JSON.parse(all.stdout) as [{ outcome: string; facts: Facts }];
    assert.deepEqual([decision.outcome, decision.facts.digest], ["verified", good.subject.digest]);
    const some = await run(
      "verify",
      `${good.name}:v1`,
      `${bare.name}:v1`,
      ...config,
      "--level",
      "audit",
    );
    assert.equal(some.code, 1);
    assert.match(some.stdout, /bare:v1\S*\s+rejected\s.*UNSIGNED/);
    assert.equal((await run("verify", "x", ...config, "--level", "none")).code, 2);
  });

  test("verify takes a temporary directory where the configuration names none for the runtime", async (t) => {
    const { name } = await push("cli/laptop", "good");
    const { directory: files } = await start(t);
    const config = join(files, "laptop.yaml");
    const text = await readFile(join(files, "provider.yaml"), "utf8");
    await writeFile(config, text.replace(/^runtimeDirectory: .*\n/m, ""));
    const wasThere = existsSync(RUNTIME_DIRECTORY);
    const { code, stderr } = await run("verify", `${name}:v1`, "--config", config);
    assert.equal(code, 0, stderr);
    assert.equal(existsSync(RUNTIME_DIRECTORY), wasThere);
  });

  test("config check prints every problem of the configuration and of the trust directory", async (t) => {
    const { directory: files } = await start(t);
    const config = join(files, "provider.yaml");
    assert.equal((await run("config", "check", config)).code, 0);
    const trust = await trustFor("strictest");
    const text = await readFile(config, "utf8");
    const broken = join(directory, "broken.yaml");
    await writeFile(broken, text.replace(/directory: .*/, `directory: ${trust}`));
    const linted = await run("config", "check", broken);
    assert.equal(linted.code, 1);
    assert.match(
      linted.stderr,
      /error: trustpolicy\.json: trustPolicies\[0\]\.signatureVerification\.level/,
    );
    await writeFile(broken, `${text}\nunknown: 1\nlog: {level: loud}\n`);
    const { code, stderr } = await run("config", "check", broken);
    assert.equal(code, 1);
    assert.match(stderr, /error: unknown: /);
    assert.match(stderr, /error: log\.level: /);
  });

  test("version names the provider, Node and Notation", async (t) => {
    const { directory: files } = await start(t);
    const { stdout } = await run("version", "--config", join(files, "provider.yaml"));
    assert.match(
      stdout,
      /^notation-provider \d+\.\d+\.\d+\nnode \d+\.\d+\.\d+\nnotation 1\.3\.2\n$/,
    );
  });

  test("config check warns of files that are not here, and that alone is no error", async (t) => {
    const { directory: files } = await start(t);
    const config = join(files, "provider.yaml");
    await rm(join(files, "provider/tls.key"));
    const { code, stderr } = await run("config", "check", config);
    assert.equal(code, 0);
    assert.match(
      stderr,
      /^warning: server\.tls\.key: cannot be used here \(ENOENT\): \S+tls\.key\n$/,
    );
  });

  test("an environment that voids what the configuration promises refuses every command that judges", async (t) => {
    const { directory: files } = await start(t);
    const config = join(files, "provider.yaml");
    const environment = { NODE_TLS_REJECT_UNAUTHORIZED: "0" };
    for (const args of [
      ["serve", "--config", config],
      ["verify", "a", "--config", config],
      ["config", "check", config],
    ]) {
      const { code, stderr } = await runWith(environment, ...args);
      assert.equal(code, 1, args.join(" "));
      assert.match(stderr, /^error: environment NODE_TLS_REJECT_UNAUTHORIZED: /m);
    }
  });

  test("verify without a runtime directory that it may write says so in a sentence, and where from only when asked", async (t) => {
    const { directory: files } = await start(t);
    const config = join(files, "other.yaml");
    const text = await readFile(join(files, "provider.yaml"), "utf8");
    await writeFile(config, text.replace(/^runtimeDirectory: .*/m, "runtimeDirectory: other.yaml"));
    const plain = await run("verify", "a", "--config", config);
    assert.equal(plain.code, 1);
    assert.match(plain.stderr, /^error: runtimeDirectory cannot be written: [^\n]+ \(EEXIST\)\n$/);
    const debug = await run("--debug", "verify", "a", "--config", config);
    assert.match(debug.stderr, /own-directory\.ts:\d+/);
  });

  test("a start that cannot succeed says why in a line and ends with 1", async () => {
    const file = join(directory, "wrong.yaml");
    await writeFile(file, "server: {deadline: 1}\n");
    const { code, stderr } = await run("serve", "--config", file);
    assert.equal(code, 1);
    assert.match(stderr, /error: server\.deadline: /);
    assert.doesNotMatch(stderr, /at .*\.ts:/);
  });
});
