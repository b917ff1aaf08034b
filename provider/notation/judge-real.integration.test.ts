import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import {
  answers,
  createFakePlugins,
  metadataOf,
  says,
  type FakePlugin,
} from "../../testing/notation/fake-plugin.ts";
import { isRunning, until } from "../../testing/notation/processes.ts";
import {
  codeOf,
  createRealJudge,
  SUBJECT,
  type Asked,
  type RealJudge,
} from "../../testing/notation/real-judge.ts";
import type { SnapshotOptions } from "../../testing/notation/trust-snapshot.ts";
import { createAuthority } from "../../testing/signing/authority.ts";
import { awsSigner, COSE, cose, jws } from "../../testing/signing/envelope.ts";
import { digestOf } from "../image/digest.ts";
import type { AskedLevel } from "../verdict/verdict.ts";
import type { NotationOptions } from "./judge.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const ago = (ms: number) => new Date(Date.now() - ms);

const subject = SUBJECT;
const authority = await createAuthority({ name: "Trusted", intermediate: true });
const elsewhere = await createAuthority({ name: "Elsewhere" });
const signer = await authority.issue({ commonName: "app" });
const stranger = await elsewhere.issue({ commonName: "app" });
const POLICY = {
  trustStores: ["ca:example", "signingAuthority:example"],
  trustedIdentities: ["x509.subject: C=US, ST=WA, O=Example"],
  stores: { "ca:example": [authority.root], "signingAuthority:example": [authority.root] },
} satisfies Partial<SnapshotOptions>;

const fixture = async (t: TestContext, options?: Partial<NotationOptions>): Promise<RealJudge> =>
  await createRealJudge(t, POLICY, options);

test("the pinned Notation is one that we judge with", async (t) => {
  const { notation } = await fixture(t);
  assert.deepEqual(notation.state(), { version: "1.3.2", problem: undefined });
});

/** The envelope with its payload changed after it was signed. */
function tampered(envelope: Buffer): Buffer {
  const parts: unknown = JSON.parse(envelope.toString());
  const payload = { targetArtifact: { ...subject, annotations: { changed: "yes" } } };
  const changed = Buffer.from(JSON.stringify(payload)).toString("base64url");
  return Buffer.from(JSON.stringify({ ...(parts as object), payload: changed }));
}

const good = jws({ signer, subject });
const matrix: readonly {
  name: string;
  asked: Asked;
  want: Readonly<Record<AskedLevel, string>>;
}[] = [
  {
    name: "a good signature",
    asked: { envelope: good },
    want: { strict: "passed", permissive: "passed", audit: "passed" },
  },
  {
    name: "a good signature in COSE",
    asked: { envelope: cose({ signer, subject }), mediaType: COSE },
    want: { strict: "passed", permissive: "passed", audit: "passed" },
  },
  {
    name: "a good signature with metadata",
    asked: { envelope: jws({ signer, subject, metadata: { "a\nb": "c\nd" } }) },
    want: { strict: "passed", permissive: "passed", audit: "passed" },
  },
  {
    name: "a good signature of a signing authority",
    asked: { envelope: jws({ signer, subject, scheme: "notary.x509.signingAuthority" }) },
    want: { strict: "passed", permissive: "passed", audit: "passed" },
  },
  {
    name: "a signature of a stranger",
    asked: { envelope: jws({ signer: stranger, subject }) },
    want: {
      strict: "UNTRUSTED_SIGNER",
      permissive: "UNTRUSTED_SIGNER",
      audit: "passed authenticity UNTRUSTED_SIGNER",
    },
  },
  {
    name: "a signature for which there is no kind of trust store",
    asked: { envelope: good, policy: { trustStores: ["signingAuthority:example"] } },
    want: {
      strict: "UNTRUSTED_SIGNER",
      permissive: "UNTRUSTED_SIGNER",
      audit: "passed authenticity UNTRUSTED_SIGNER",
    },
  },
  {
    name: "a signature of another identity",
    asked: {
      envelope: jws({
        signer: await authority.issue({ commonName: "app", organization: "Somebody" }),
        subject,
      }),
    },
    want: {
      strict: "WRONG_IDENTITY",
      permissive: "WRONG_IDENTITY",
      audit: "passed authenticity WRONG_IDENTITY",
    },
  },
  {
    name: "a signature that has expired",
    asked: {
      envelope: jws({
        signer,
        subject,
        signedAt: ago(10 * MINUTE),
        expiry: ago(5 * MINUTE),
      }),
    },
    want: {
      strict: "SIGNATURE_EXPIRED",
      permissive: "passed expiry SIGNATURE_EXPIRED",
      audit: "passed expiry SIGNATURE_EXPIRED",
    },
  },
  {
    name: "a signature of a certificate that has expired",
    asked: {
      envelope: jws({
        signer: await authority.issue({
          commonName: "app",
          notBefore: ago(3 * DAY),
          notAfter: ago(DAY),
        }),
        subject,
        signedAt: ago(2 * DAY),
      }),
    },
    want: {
      strict: "CERTIFICATE_EXPIRED",
      permissive: "passed authenticTimestamp CERTIFICATE_EXPIRED",
      audit: "passed authenticTimestamp CERTIFICATE_EXPIRED",
    },
  },
  {
    name: "a signature of a certificate that is not valid yet",
    asked: {
      envelope: jws({
        signer: await authority.issue({ commonName: "app", notBefore: ago(-DAY) }),
        subject,
      }),
    },
    want: {
      strict: "CERTIFICATE_EXPIRED",
      permissive: "passed authenticTimestamp CERTIFICATE_EXPIRED",
      audit: "passed authenticTimestamp CERTIFICATE_EXPIRED",
    },
  },
  {
    name: "a signature of a signing authority from before the certificate's time",
    asked: {
      envelope: jws({
        signer,
        subject,
        scheme: "notary.x509.signingAuthority",
        signedAt: ago(2 * DAY),
      }),
    },
    want: {
      strict: "CERTIFICATE_EXPIRED",
      permissive: "passed authenticTimestamp CERTIFICATE_EXPIRED",
      audit: "passed authenticTimestamp CERTIFICATE_EXPIRED",
    },
  },
  {
    name: "a signature that was changed",
    asked: { envelope: tampered(good) },
    want: { strict: "TAMPERED", permissive: "TAMPERED", audit: "TAMPERED" },
  },
  {
    name: "T-26 a signature of another digest",
    asked: { envelope: jws({ signer, subject: { ...subject, digest: digestOf("other") } }) },
    want: { strict: "TAMPERED", permissive: "TAMPERED", audit: "TAMPERED" },
  },
  {
    name: "T-26 a signature of another size",
    asked: { envelope: jws({ signer, subject: { ...subject, size: 11 } }) },
    want: { strict: "TAMPERED", permissive: "TAMPERED", audit: "TAMPERED" },
  },
  {
    name: "T-26 a signature of another media type",
    asked: { envelope: jws({ signer, subject: { ...subject, mediaType: "text/plain" } }) },
    want: { strict: "TAMPERED", permissive: "TAMPERED", audit: "TAMPERED" },
  },
  {
    name: "T-26 a stranger's signature of another digest",
    asked: {
      envelope: jws({ signer: stranger, subject: { ...subject, digest: digestOf("other") } }),
    },
    want: { strict: "UNTRUSTED_SIGNER", permissive: "UNTRUSTED_SIGNER", audit: "TAMPERED" },
  },
  {
    name: "what is no envelope",
    asked: { envelope: Buffer.from("nothing") },
    want: {
      strict: "MALFORMED_SIGNATURE",
      permissive: "MALFORMED_SIGNATURE",
      audit: "MALFORMED_SIGNATURE",
    },
  },
  {
    name: "an empty object",
    asked: { envelope: Buffer.from("{}") },
    want: {
      strict: "MALFORMED_SIGNATURE",
      permissive: "MALFORMED_SIGNATURE",
      audit: "MALFORMED_SIGNATURE",
    },
  },
  {
    name: "one kind of envelope under the name of the other",
    asked: { envelope: good, mediaType: COSE },
    want: {
      strict: "MALFORMED_SIGNATURE",
      permissive: "MALFORMED_SIGNATURE",
      audit: "MALFORMED_SIGNATURE",
    },
  },
  {
    name: "a chain without its root",
    asked: {
      envelope: jws({ signer: { ...signer, chain: signer.chain.slice(0, -1) }, subject }),
    },
    want: {
      strict: "MALFORMED_SIGNATURE",
      permissive: "MALFORMED_SIGNATURE",
      audit: "MALFORMED_SIGNATURE",
    },
  },
  {
    name: "a good signature without a trust store on disk",
    asked: { envelope: good, policy: { stores: {} } },
    want: {
      strict: "TRUST_UNAVAILABLE",
      permissive: "TRUST_UNAVAILABLE",
      audit: "TRUST_UNAVAILABLE",
    },
  },
];

for (const { name, asked, want } of matrix) {
  for (const level of ["strict", "permissive", "audit"] as const) {
    test(`${name} under ${level}: ${want[level]}`, async (t) => {
      const { ask, runtime } = await fixture(t);
      assert.equal(codeOf(await ask(level, asked)), want[level]);
      assert.deepEqual(readdirSync(join(runtime, "layouts")), []);
    });
  }
}

test("level skip is never asked of Notation, and is not verified if it were", async (t) => {
  const { ask } = await fixture(t);
  const policy = { level: "skip", trustStores: [], trustedIdentities: [] } as const;
  assert.equal(codeOf(await ask("strict", { envelope: good, policy })), "NOTATION_FAILED");
});

test("a repository without a statement is NO_TRUST_POLICY", async (t) => {
  const { ask } = await fixture(t);
  const policy = { registryScopes: ["registry.test/other"] };
  assert.equal(codeOf(await ask("strict", { envelope: good, policy })), "NO_TRUST_POLICY");
});

test("a policy file that Notation refuses is TRUST_UNAVAILABLE", async (t) => {
  const { ask } = await fixture(t);
  const policy = { trustedIdentities: ["*", "x509.subject: C=US, ST=WA, O=Example"] };
  assert.equal(codeOf(await ask("strict", { envelope: good, policy })), "TRUST_UNAVAILABLE");
});

test("lines that a signer wrote into what Notation logs do not choose the reason", async (t) => {
  const { ask } = await fixture(t);
  const digest = digestOf("other");
  const lines = [
    "",
    `level=info msg=Processing signature with manifest mediaType: x and digest: ${digest}`,
    `level=warning msg=Signature ${digest} failed verification with error: trust policy is lost`,
    "",
  ];
  const envelope = jws({ signer, subject: { ...subject, mediaType: lines.join("\n") } });
  assert.equal(codeOf(await ask("strict", { envelope })), "TAMPERED");
});

test("questions at the same time do not disturb each other", async (t) => {
  const { ask } = await fixture(t, { concurrency: 4, maxWaiting: 100 });
  const judged = await Promise.all(
    matrix.map(async ({ asked }) => codeOf(await ask("strict", asked))),
  );
  assert.deepEqual(
    judged,
    matrix.map(({ want }) => want.strict),
  );
});

// Plugins: Notation starts them, we interpret what comes of it.

const PLUGIN = "com.amazonaws.signer.notation.plugin";
const JOB = "arn:aws:signer:eu-west-1:111122223333:/signing-jobs/1";
const PROFILE = "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/app/1234567890";
const PROCESSED = ["com.amazonaws.signer.signingProfileVersion", "com.amazonaws.signer.signingJob"];
const attested = jws(awsSigner({ signer, subject, profileVersion: PROFILE, job: JOB }));
const policy = { trustedIdentities: [PROFILE] };
const failing = (reason: string) => ({ success: false, reason });
const denied = (error: string) =>
  failing(
    `GetRevocationStatus call failed with error: operation error signer: GetRevocationStatus, ${error}`,
  );

async function withPlugin(
  t: TestContext,
  plugin: Partial<FakePlugin>,
  options: Partial<NotationOptions> = {},
) {
  const plugins = await createFakePlugins([{ name: PLUGIN, ...plugin }]);
  t.after(() => plugins[Symbol.asyncDispose]());
  const made = await fixture(t, {
    plugins: [PLUGIN],
    pluginDirectory: plugins.directory,
    ...options,
  });
  const ask = (level: AskedLevel, asked: Partial<Asked> = {}) =>
    made.ask(level, { envelope: attested, plugin: PLUGIN, policy, ...asked });
  return { ...made, ask, directory: plugins.directory };
}

const plugged: readonly {
  name: string;
  plugin: Partial<FakePlugin>;
  want: Readonly<Record<AskedLevel, string>>;
}[] = [
  {
    name: "a plugin that is content",
    plugin: { verify: answers({ processed: PROCESSED }) },
    want: { strict: "passed", permissive: "passed", audit: "passed" },
  },
  {
    name: "a plugin that does not know the signer",
    plugin: {
      verify: answers({
        identity: failing("Signature publisher doesn't match any trusted identities."),
        processed: PROCESSED,
      }),
    },
    want: {
      strict: "WRONG_IDENTITY",
      permissive: "WRONG_IDENTITY",
      audit: "passed authenticity WRONG_IDENTITY",
    },
  },
  {
    name: "a plugin that knows of a revoked job",
    plugin: {
      verify: answers({
        revocation: failing(`Resource(s) [${JOB}] have been revoked.`),
        processed: PROCESSED,
      }),
    },
    want: {
      strict: "REVOKED",
      permissive: "passed revocation REVOKED",
      audit: "passed revocation REVOKED",
    },
  },
  {
    name: "a plugin that knows of a revoked certificate",
    plugin: {
      verify: answers({
        revocation: failing("Certificate(s) have been revoked."),
        processed: PROCESSED,
      }),
    },
    want: {
      strict: "REVOKED",
      permissive: "passed revocation REVOKED",
      audit: "passed revocation REVOKED",
    },
  },
  {
    name: "a plugin that AWS Signer denies",
    plugin: {
      verify: answers({
        revocation: denied("https response error StatusCode: 403, AccessDeniedException: no"),
        processed: PROCESSED,
      }),
    },
    want: {
      strict: "SIGNER_DENIED",
      permissive: "passed revocation SIGNER_DENIED",
      audit: "passed revocation SIGNER_DENIED",
    },
  },
  {
    name: "a plugin that AWS Signer throttles",
    plugin: {
      verify: answers({
        revocation: denied("StatusCode: 429, TooManyRequestsException: Rate exceeded"),
        processed: PROCESSED,
      }),
    },
    want: {
      strict: "REVOCATION_UNKNOWN",
      permissive: "passed revocation REVOCATION_UNKNOWN",
      audit: "passed revocation REVOCATION_UNKNOWN",
    },
  },
  {
    name: "a plugin that does not reach AWS Signer",
    plugin: {
      verify: answers({
        revocation: denied('request send failed, Get "https://inside.test/revocations?a=b": EOF'),
        processed: PROCESSED,
      }),
    },
    want: {
      strict: "REVOCATION_UNKNOWN",
      permissive: "passed revocation REVOCATION_UNKNOWN",
      audit: "passed revocation REVOCATION_UNKNOWN",
    },
  },
];
for (const { name, plugin, want } of plugged) {
  for (const level of ["strict", "permissive", "audit"] as const) {
    test(`${name} under ${level}: ${want[level]}`, async (t) => {
      const { ask } = await withPlugin(t, plugin);
      const judgement = await ask(level);
      assert.equal(codeOf(judgement), want[level]);
      assert.doesNotMatch(JSON.stringify(judgement), /https|inside|arn:/);
    });
  }
}

const broken: readonly { name: string; plugin: Partial<FakePlugin> }[] = [
  { name: "that is not there", plugin: { name: "com.example.other" } },
  { name: "that crashes", plugin: { verify: "kill -SEGV $$" } },
  { name: "that ends in silence", plugin: { verify: "exit 3" } },
  { name: "that complains in words", plugin: { verify: "echo bad >&2; exit 1" } },
  {
    name: "that complains as plugins should",
    plugin: {
      verify: `echo '{"errorCode":"THROTTLED","errorMessage":"the signature is revoked"}' >&2; exit 1`,
    },
  },
  { name: "that prints garbage", plugin: { verify: "echo garbage" } },
  {
    name: "that prints more after its answer",
    plugin: { verify: `${answers({ processed: PROCESSED }).replace("exit 0", "")}\necho more` },
  },
  { name: "that prints 64 MiB", plugin: { verify: "head -c 67108864 /dev/zero" } },
  {
    name: "that prints 64 MiB of complaint",
    plugin: { verify: "head -c 67108864 /dev/zero >&2; exit 1" },
  },
  { name: "that asks for more input", plugin: { verify: "cat > /dev/null; read more; exit 1" } },
  { name: "that leaves an attribute open", plugin: { verify: answers({ processed: [] }) } },
  {
    name: "that does not answer what was asked",
    plugin: { verify: says({ verificationResults: {}, processedAttributes: PROCESSED }) },
  },
  { name: "that does not say who it is", plugin: { metadata: "exit 9" } },
  { name: "that says garbage of itself", plugin: { metadata: "echo garbage; exit 0" } },
  { name: "that is another", plugin: { metadata: metadataOf({ name: "other" }) } },
  { name: "that is too old", plugin: { metadata: metadataOf({ version: "0.0.1" }) } },
  {
    name: "of another contract",
    plugin: { metadata: metadataOf({ supportedContractVersions: ["2.0"] }) },
  },
  {
    name: "that can do nothing",
    plugin: { metadata: metadataOf({ capabilities: ["SIGNATURE_GENERATOR.RAW"] }) },
  },
];
for (const { name, plugin } of broken) {
  for (const level of ["strict", "audit"] as const) {
    test(`F-24 a plugin ${name} is NOTATION_FAILED under ${level}`, async (t) => {
      const { ask } = await withPlugin(t, plugin);
      assert.equal(codeOf(await ask(level)), "NOTATION_FAILED");
    });
  }
}

test("F-21 a plugin that hangs and ignores signals is TIMEOUT at the deadline, and gone with its child", async (t) => {
  const verify = `trap '' INT TERM HUP
sleep 1000 &
echo "$$ $!" > "$here/pids.new"; mv "$here/pids.new" "$here/pids"
wait; wait`;
  const { ask, directory } = await withPlugin(t, { verify });
  const deadline = new AbortController();
  const asked = ask("strict", { signal: deadline.signal });
  await until(() => existsSync(join(directory, "pids")));
  const pids = readFileSync(join(directory, "pids"), "utf8").trim().split(" ").map(Number);
  deadline.abort();
  assert.equal(codeOf(await asked), "TIMEOUT");
  await until(() => !pids.some(isRunning));
});

test("T-34 the plugin's environment holds what was given for plugins and nothing of ours; its configuration is the static one", async (t) => {
  process.env["CANARY"] = "canary-secret";
  t.after(() => delete process.env["CANARY"]);
  const verify = `cat > "$here/request"
cat /proc/$$/environ > "$here/environ"
cat /proc/$PPID/cmdline > "$here/cmdline"
${answers({ processed: PROCESSED })}`;
  const { ask, directory } = await withPlugin(
    t,
    { verify },
    {
      pluginConfig: [["aws-region", "eu-west-1"]],
      pluginEnvironment: () => Promise.resolve({ AWS_SECRET_ACCESS_KEY: "theirs" }),
    },
  );
  assert.equal(codeOf(await ask("strict")), "passed");
  const environ = readFileSync(join(directory, "environ"), "utf8");
  assert.match(environ, /AWS_SECRET_ACCESS_KEY=theirs/);
  assert.doesNotMatch(environ, /canary|HOME=|NODE/);
  assert.doesNotMatch(readFileSync(join(directory, "cmdline"), "utf8"), /theirs|canary/);
  const request: unknown = JSON.parse(readFileSync(join(directory, "request"), "utf8"));
  assert.ok(typeof request === "object" && request !== null && "pluginConfig" in request);
  assert.deepEqual(request.pluginConfig, { "aws-region": "eu-west-1" });
});

test("T-25 an envelope whose plugin the claims do not show starts none", async (t) => {
  const { ask, directory } = await withPlugin(t, {
    metadata: 'touch "$here/started"; exit 1',
    verify: 'touch "$here/started"; exit 1',
  });
  const hidden = { envelope: attested, policy, plugin: undefined };
  for (const level of ["strict", "permissive", "audit"] as const) {
    assert.equal(codeOf(await ask(level, hidden)), "NOTATION_FAILED");
  }
  assert.equal(existsSync(join(directory, "started")), false);
});
