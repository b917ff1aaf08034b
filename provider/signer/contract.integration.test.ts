// What AWS Signer's plugin is to Notation, whoever made it: the built-in one behind its launcher, the same as a program of its own,
// one that stands for AWS's, and AWS's itself where NOTATION_SIGNER_PLUGIN is its path. Notation is the real one.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { installAmazonPlugin } from "../../testing/aws/amazon-plugin.ts";
import {
  createSigningAuthority,
  profileArn,
  profileVersionArn,
  type SignedEnvelope,
} from "../../testing/aws/envelopes.ts";
import { startProxy } from "../../testing/aws/proxy.ts";
import { createSigner, type Signer } from "../../testing/aws/signer.ts";
import { body, denied, error, internal, throttled } from "../../testing/aws/answers.ts";
import { variablesOf } from "../../testing/aws/keys.ts";
import { startAws, type Aws } from "../../testing/aws/wire.ts";
import { createSnapshot } from "../../testing/notation/trust-snapshot.ts";
import { reset, silent } from "../../testing/registry/answers.ts";
import { JWS } from "../../testing/signing/envelope.ts";
import { NOTATION } from "../../testing/signing/notation.ts";
import { readEnvelope } from "../evidence/envelope.ts";
import type { Envelope } from "../evidence/evidence.ts";
import type { Descriptor } from "../image/descriptor.ts";
import { digestOf } from "../image/digest.ts";
import { now } from "../lib/clock.ts";
import { realTime } from "../lib/deadline.ts";
import { createNotation, type NotationOptions } from "../notation/judge.ts";
import type { Judgement } from "../notation/judgement.ts";
import type { Override } from "../trust/trust.ts";
import { isRefusal, type AskedLevel } from "../verdict/verdict.ts";
import { createAsk } from "./ask.ts";
import { createSignerClients } from "./client.ts";
import { layOutPlugin } from "./install.ts";
import { SIGNER_PLUGIN } from "./plugin.ts";
import { createSignerPlugin, type SignerPlugin, type Trusting } from "./inquiry.ts";

const LAUNCHER = new URL("../../tools/bin/signer-launcher", import.meta.url).pathname;
const STANDALONE = new URL("standalone.ts", import.meta.url).href;
const LEVELS = ["strict", "permissive", "audit"] as const;
const never = new AbortController().signal;

/** One way to have the plugin, made for one test. */
interface Installed {
  readonly program: string;
  readonly config?: NotationOptions["pluginConfig"];
  /** The built-in one. */
  readonly signer?: SignerPlugin;
  /** Environment of the next run about this envelope, of one that is a program of its own. */
  readonly environment?: (
    envelope: Envelope,
    trusting: Trusting,
  ) => Promise<Readonly<Record<string, string>>>;
}

interface Implementation {
  readonly name: string;
  readonly levels: readonly AskedLevel[];
  readonly install: (t: TestContext, aws: Aws, directory: string) => Promise<Installed>;
}

/** Variables by which a plugin that asks by itself gets its credentials. Nothing of the machine's own is asked. */
const credentialsOf = ({ credentials }: Aws): Record<string, string> => ({
  ...variablesOf(credentials),
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_MAX_ATTEMPTS: "1",
});

/** @param timeoutMs that Signer may take */
const builtIn = (timeoutMs = 1000): Implementation => ({
  name: "the built-in plugin",
  levels: LEVELS,
  async install(t, aws, directory) {
    const clients = createSignerClients({
      endpoint: () => aws.url,
      connectMs: 1000,
      credentials: () => Promise.resolve(aws.credentials),
    });
    t.after(() => clients[Symbol.dispose]());
    const plugin = await createSignerPlugin({
      directory,
      ask: createAsk({
        call: clients.call,
        timeoutMs,
        deadlineMs: 2 * timeoutMs,
        freshMs: 0,
        concurrency: 8,
        maxWaiting: 8,
        now,
        schedule: realTime,
        random: () => 0,
      }),
      maxWaitingRuns: 1,
      readMs: 5000,
      schedule: realTime,
    });
    t.after(() => plugin[Symbol.asyncDispose]());
    return { program: LAUNCHER, signer: plugin };
  },
});

const standalone: Implementation = {
  name: "the plugin as a program of its own",
  // Each run starts Node twice.
  levels: ["strict"],
  install(_t, aws, directory) {
    const program = join(directory, "plugin");
    const source = `const { runPlugin } = await import("${STANDALONE}");
const { code, text } = await runPlugin(process.argv[1], process.stdin);
(code === 0 ? process.stdout : process.stderr).write(text);
process.exitCode = code;`;
    writeFileSync(join(directory, "plugin.mjs"), source);
    const line = `exec '${process.execPath}' --input-type=module -e "$(cat '${join(directory, "plugin.mjs")}')" "$1"`;
    writeFileSync(program, `#!/bin/sh\n${line}\n`, { mode: 0o755 });
    return Promise.resolve({
      program,
      config: [["aws-signer-endpoint-url", aws.url]],
      environment: () =>
        Promise.resolve({ ...credentialsOf(aws), PATH: process.env["PATH"] ?? "" }),
    });
  },
};

/** Puts `verification.` before any host, which has no address then; so it gets to the double through a proxy. */
const amazon = (
  name: string,
  levels: readonly AskedLevel[],
  programIn: (directory: string) => string,
): Implementation => ({
  name,
  levels,
  async install(t, aws, directory) {
    const proxy = await startProxy(aws.url);
    t.after(() => proxy[Symbol.asyncDispose]());
    return {
      program: programIn(directory),
      config: [
        ["aws-region", "us-east-1"],
        ["aws-signer-endpoint-url", "http://signer.test"],
      ],
      environment: () => Promise.resolve({ ...credentialsOf(aws), HTTP_PROXY: proxy.url }),
    };
  },
});

const given = process.env["NOTATION_SIGNER_PLUGIN"];
const IMPLEMENTATIONS = [
  builtIn(),
  standalone,
  // Each run starts Node twice.
  amazon("a program with the manners of AWS's plugin", ["strict"], installAmazonPlugin),
  ...(given === undefined ? [] : [amazon("AWS's plugin", LEVELS, () => given)]),
];

const subject: Descriptor = {
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  digest: digestOf("a manifest"),
  size: 10,
};
const authority = await createSigningAuthority();
const stranger = await createSigningAuthority();

interface Asking {
  readonly signed?: SignedEnvelope;
  readonly level: AskedLevel;
  readonly identities?: readonly string[];
  readonly override?: Override;
  readonly signal?: AbortSignal;
}

async function fixture(t: TestContext, { install }: Implementation) {
  const directory = mkdtempSync(join(tmpdir(), "contract-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const signer = createSigner();
  const aws = await startAws({ services: [signer.service] });
  t.after(() => aws[Symbol.asyncDispose]());
  const { program, config = [], environment, signer: builtin } = await install(t, aws, directory);
  const pluginDirectory = join(directory, "libexec");
  layOutPlugin(pluginDirectory, program);
  let next: (() => Promise<Readonly<Record<string, string>>>) | undefined;
  const notation = await createNotation({
    binary: NOTATION,
    plugins: [SIGNER_PLUGIN],
    pluginDirectory,
    pluginConfig: config,
    ...(builtin && { signer: builtin }),
    pluginEnvironment: async () => (await next?.()) ?? {},
    runtimeDirectory: directory,
    cacheDirectory: directory,
    concurrency: 1,
    maxWaiting: 10,
    graceMs: 50,
    outputBytes: 65_536,
    now,
  });
  t.after(() => notation.close());

  async function ask({ level, override = {}, signal = never, ...asking }: Asking): Promise<string> {
    const { signed = authority.sign({ subject }), identities = [profileArn()] } = asking;
    using trust = createSnapshot({
      level,
      override,
      trustStores: ["signingAuthority:aws-signer-ts"],
      trustedIdentities: identities,
      stores: { "signingAuthority:aws-signer-ts": [authority.root] },
    });
    const claims = readEnvelope(JWS, signed.bytes);
    assert.ok(!isRefusal(claims));
    const envelope: Envelope = {
      kind: "envelope",
      signature: digestOf("signature"),
      mediaType: JWS,
      bytes: signed.bytes,
      claims,
    };
    const isRevocationChecked = trust.only.actions(undefined).revocation !== "skip";
    next =
      environment &&
      (() => environment(envelope, { trustedIdentities: identities, isRevocationChecked }));
    const repository = { registry: "registry.test", repository: "team/app" };
    const question = { repository, subject, envelope, trust, statement: trust.only };
    return codeOf(await notation.judge({ ...question, level: undefined }, signal));
  }
  return { aws, signer, ask };
}

/** `passed`, with the codes of its warnings, or the reason. */
function codeOf(judgement: Judgement): string {
  if (judgement.kind !== "passed") return judgement.reason;
  return [
    "passed",
    ...judgement.warnings.map(({ check, message }) => `${check} ${message.split(":")[0]}`),
  ].join(" ");
}

type Wanted = Readonly<Record<AskedLevel, string>>;

/** A check of revocation that fails so. */
const logged = (reason: string): Wanted => ({
  strict: reason,
  permissive: `passed revocation ${reason}`,
  audit: `passed revocation ${reason}`,
});
const PASSED: Wanted = { strict: "passed", permissive: "passed", audit: "passed" };
const WRONG: Wanted = {
  strict: "WRONG_IDENTITY",
  permissive: "WRONG_IDENTITY",
  audit: "passed authenticity WRONG_IDENTITY",
};
const OPERATION = "GetRevocationStatus";
const HOUR_MS = 3_600_000;
const signedAt = new Date(Math.floor(Date.now() / 1000) * 1000 - HOUR_MS);

const cases: readonly {
  name: string;
  prepare?: (parts: { aws: Aws; signer: Signer; signed: SignedEnvelope }) => void | Promise<void>;
  signed?: SignedEnvelope;
  identities?: readonly string[];
  override?: Override;
  want: Wanted;
}[] = [
  { name: "a signature of a trusted profile", want: PASSED },
  {
    name: "a signature of a trusted profile version",
    identities: [profileVersionArn()],
    want: PASSED,
  },
  {
    name: "a signature of another profile",
    identities: [profileArn({ name: "other" })],
    want: WRONG,
  },
  {
    name: "a signature of another version",
    identities: [profileVersionArn({}, "Ver1on0002")],
    want: WRONG,
  },
  {
    name: "a stranger's signature that names a trusted profile",
    signed: stranger.sign({ subject }),
    want: {
      strict: "UNTRUSTED_SIGNER",
      permissive: "UNTRUSTED_SIGNER",
      audit: "passed authenticity UNTRUSTED_SIGNER",
    },
  },
  {
    name: "a signature that has expired",
    signed: authority.sign({
      subject,
      signedAt: new Date(Date.now() - HOUR_MS / 2),
      expiry: new Date(Date.now() - HOUR_MS / 4),
    }),
    want: {
      strict: "SIGNATURE_EXPIRED",
      permissive: "passed expiry SIGNATURE_EXPIRED",
      audit: "passed expiry SIGNATURE_EXPIRED",
    },
  },
  {
    name: "a revoked job",
    prepare: ({ signer, signed }) => signer.revokeJob(signed.job),
    want: logged("REVOKED"),
  },
  {
    name: "a profile version revoked from the time of the signature on",
    prepare: ({ signer, signed }) => signer.revokeProfileVersion(signed.profileVersion, signedAt),
    want: logged("REVOKED"),
  },
  {
    name: "a profile version revoked from later on",
    prepare: ({ signer, signed }) =>
      signer.revokeProfileVersion(signed.profileVersion, new Date(signedAt.getTime() + 1000)),
    want: PASSED,
  },
  {
    name: "a revoked certificate",
    prepare: ({ signer, signed }) => signer.revokeCertificate(signed.chain, 0),
    want: logged("REVOKED"),
  },
  {
    name: "a revoked certificate of the issuer",
    prepare: ({ signer, signed }) => signer.revokeCertificate(signed.chain, 1),
    want: logged("REVOKED"),
  },
  {
    name: "a revoked job where the policy skips revocation",
    prepare: ({ signer, signed }) => signer.revokeJob(signed.job),
    override: { revocation: "skip" },
    want: PASSED,
  },
  {
    name: "F-13 AccessDenied of Signer",
    prepare: ({ aws }) => aws.on(OPERATION, denied()),
    want: logged("SIGNER_DENIED"),
  },
  {
    name: "F-13 a throttled Signer",
    prepare: ({ aws }) => aws.on(OPERATION, throttled()),
    want: logged("REVOCATION_UNKNOWN"),
  },
  {
    name: "F-13 an error of Signer",
    prepare: ({ aws }) => aws.on(OPERATION, internal()),
    want: logged("REVOCATION_UNKNOWN"),
  },
  {
    name: "F-13 a Signer of another partition",
    prepare: ({ aws }) =>
      aws.on(OPERATION, error(400, "ValidationException", "The ARN is not valid.")),
    want: logged("REVOCATION_UNKNOWN"),
  },
  {
    name: "T-67 a Signer that hangs up",
    prepare: ({ aws }) => aws.on(OPERATION, reset()),
    want: logged("REVOCATION_UNKNOWN"),
  },
  {
    name: "T-67 a Signer that answers in garbage",
    prepare: ({ aws }) => aws.on(OPERATION, body("<html>")),
    want: logged("REVOCATION_UNKNOWN"),
  },
  {
    name: "T-67 a Signer that is down",
    prepare: ({ aws }) => aws[Symbol.asyncDispose](),
    want: logged("REVOCATION_UNKNOWN"),
  },
];

for (const implementation of IMPLEMENTATIONS) {
  for (const { name, prepare, want, ...asking } of cases) {
    for (const level of implementation.levels) {
      test(`${implementation.name}: ${name} under ${level}: ${want[level]}`, async (t) => {
        const parts = await fixture(t, implementation);
        const signed = asking.signed ?? authority.sign({ subject, signedAt });
        await prepare?.({ ...parts, signed });
        assert.equal(await parts.ask({ level, signed, ...asking }), want[level]);
        if (asking.override?.revocation === "skip") assert.equal(parts.aws.count(OPERATION), 0);
      });
    }
  }

  test(`${implementation.name}: whoever trusts everyone trusts nobody`, async (t) => {
    const { ask, aws } = await fixture(t, implementation);
    assert.equal(await ask({ level: "strict", identities: ["*"] }), "WRONG_IDENTITY");
    assert.equal(aws.count(OPERATION), 0);
  });

  test(`${implementation.name}: a critical attribute of somebody else is left open, and fails the signature`, async (t) => {
    const { ask } = await fixture(t, implementation);
    const signed = authority.sign({ subject, critical: { "com.example.other": "1" } });
    assert.equal(await ask({ level: "strict", signed }), "NOTATION_FAILED");
  });

  test(`${implementation.name}: F-14 a Signer that is silent is ended at the deadline`, async (t) => {
    const { ask, aws } = await fixture(t, implementation);
    aws.on(OPERATION, silent());
    const deadline = new AbortController();
    const asked = ask({ level: "strict", signal: deadline.signal });
    await aws.seen(OPERATION);
    deadline.abort();
    assert.equal(await asked, "TIMEOUT");
  });
}

test("T-67 the built-in plugin: a Signer that is silent is REVOCATION_UNKNOWN before the deadline", async (t) => {
  const { ask, aws } = await fixture(t, builtIn(50));
  aws.on(OPERATION, silent());
  assert.equal(await ask({ level: "strict" }), "REVOCATION_UNKNOWN");
});

test("the built-in plugin: Signer is asked once for one judgement, and in the region of the profile", async (t) => {
  const { ask, aws } = await fixture(t, builtIn());
  const options = { region: "eu-west-1" };
  const signed = authority.sign({ subject, profileVersion: profileVersionArn(options) });
  assert.equal(await ask({ level: "audit", signed, identities: [profileArn(options)] }), "passed");
  assert.deepEqual(
    aws.requests.map(({ region }) => region),
    ["eu-west-1"],
  );
});

test("the built-in plugin: Signer is not asked on behalf of who is not trusted", async (t) => {
  const { ask, aws } = await fixture(t, builtIn());
  const options = { region: "eu-west-1" };
  const signed = stranger.sign({ subject, profileVersion: profileVersionArn(options) });
  for (const level of LEVELS) await ask({ level, signed });
  assert.equal(aws.count(OPERATION), 0);
});
