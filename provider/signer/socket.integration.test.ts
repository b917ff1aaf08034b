import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { createSigningAuthority, profileArn } from "../../testing/aws/envelopes.ts";
import { until } from "../../testing/notation/processes.ts";
import { JWS } from "../../testing/signing/envelope.ts";
import { realTime } from "../lib/deadline.ts";
import type { Answered, SignerAnswer } from "./answer.ts";
import type { Ask } from "./ask.ts";
import { MAX_REQUEST_BYTES, METADATA, REVOCATION_CHECK, TRUSTED_IDENTITY } from "./plugin.ts";
import { questionOfEnvelope, type SignerQuestion } from "./question.ts";
import { createSignerPlugin, type SignerPluginOptions, type Trusting } from "./inquiry.ts";

const LAUNCHER = new URL("../../tools/bin/signer-launcher", import.meta.url).pathname;
const SOCKET = "NOTATION_PROVIDER_PLUGIN_SOCKET";
const RUN = "NOTATION_PROVIDER_PLUGIN_RUN";
const authority = await createSigningAuthority();
const subject = {
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  digest: `sha256:${"a".repeat(64)}`,
  size: 7,
};
const signedAt = new Date("2026-01-02T03:04:05Z");
const signed = authority.sign({ subject, signedAt });
const envelope = { mediaType: JWS, bytes: signed.bytes } as const;
const TRUSTING: Trusting = { trustedIdentities: [profileArn()], isRevocationChecked: true };

/** Notation's request for a signature. */
function requestOf({ profileVersion, job, chain } = signed): Buffer {
  const certificateChain = chain.map((der) => der.toString("base64"));
  const extendedAttributes = {
    "com.amazonaws.signer.signingProfileVersion": profileVersion,
    "com.amazonaws.signer.signingJob": job,
  };
  const criticalAttributes = {
    signingScheme: "notary.x509.signingAuthority",
    authenticSigningTime: signedAt.toISOString(),
    extendedAttributes,
  };
  return Buffer.from(
    JSON.stringify({
      contractVersion: "1.0",
      signature: { criticalAttributes, certificateChain },
      trustPolicy: {
        trustedIdentities: TRUSTING.trustedIdentities,
        signatureVerification: [TRUSTED_IDENTITY, REVOCATION_CHECK],
      },
    }),
  );
}

async function fixture(
  t: TestContext,
  answer: SignerAnswer | Promise<SignerAnswer> = { kind: "notRevoked" },
  changes: Partial<SignerPluginOptions> = {},
) {
  const directory = mkdtempSync(join(tmpdir(), "socket-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const asked: SignerQuestion[] = [];
  const slow = { region: "" };
  const say = async (question: SignerQuestion, caller: AbortSignal): Promise<Answered> => {
    asked.push(question);
    const gone = once(caller, "abort").then(() => {
      throw caller.reason;
    });
    return { answer: await Promise.race([answer, gone]), askedAt: 7 };
  };
  const ask: Ask = { ask: say, askAgain: say, isSlow: (region) => region === slow.region };
  const plugin = await createSignerPlugin({
    directory,
    ask,
    maxWaitingRuns: 2,
    readMs: 60_000,
    schedule: realTime,
    ...changes,
  });
  t.after(() => plugin[Symbol.asyncDispose]());
  const inquiry = plugin.begin(envelope, TRUSTING);
  t.after(() => inquiry[Symbol.dispose]());
  return { directory, plugin, inquiry, asked, slow };
}

type Environment = Readonly<Record<string, string>>;

const header = (run = "", command = "verify-signature"): string => `${run} ${command}\n`;

/** What the socket says to a message; empty when it hangs up. */
async function exchange(environment: Environment, message: Uint8Array | string): Promise<string> {
  const socket = connect(environment[SOCKET] ?? "");
  socket.on("error", () => undefined);
  socket.end(message);
  return await text(socket).catch(() => "");
}

const ask = (environment: Environment, request: Uint8Array = requestOf()): Promise<string> =>
  exchange(environment, Buffer.concat([Buffer.from(header(environment[RUN])), request]));

/** The plugin as Notation starts it. */
async function launch(
  environment: Environment,
  command: string,
  input: Uint8Array | string = "{}",
) {
  const child = spawn(LAUNCHER, command === "" ? [] : [command], { env: { ...environment } });
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const [stdout, stderr, exited] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  const code: unknown = exited[0];
  const said: unknown = JSON.parse(`${stdout}${stderr}`);
  assert.equal(code === 0 ? stderr : stdout, "");
  return { code, said };
}

const GOOD = {
  verificationResults: {
    [TRUSTED_IDENTITY]: {
      success: true,
      reason: `Signature publisher matched "${profileArn()}" trusted identity.`,
    },
    [REVOCATION_CHECK]: { success: true, reason: "Signature is not revoked." },
  },
  processedAttributes: [
    "com.amazonaws.signer.signingProfileVersion",
    "com.amazonaws.signer.signingJob",
  ],
};

test("the launcher hands a run's request to the provider, and the answer back", async (t) => {
  const { inquiry } = await fixture(t);
  using run = inquiry.open();
  assert.deepEqual(await launch(run.environment, "verify-signature", requestOf()), {
    code: 0,
    said: GOOD,
  });
  assert.deepEqual(inquiry.answered, { answer: { kind: "notRevoked" }, askedAt: 7 });
});

test("the launcher says who it is without asking anybody, as the plugin does itself", async () => {
  assert.deepEqual(await launch({}, "get-plugin-metadata"), { code: 0, said: METADATA });
});

const NOBODY = "the provider did not answer";
test("a run that is over, unknown or answered already is told nothing", async (t) => {
  const { inquiry } = await fixture(t);
  const over = inquiry.open();
  over[Symbol.dispose]();
  assert.equal(await ask(over.environment), "");
  using run = inquiry.open();
  const [name = "", secret = ""] = (run.environment[RUN] ?? "").split(":");
  for (const other of [
    `${name}:${"0".repeat(64)}`,
    `${"0".repeat(16)}:${secret}`,
    `${name}:${secret.slice(1)}`,
    name,
    "",
  ]) {
    assert.equal(await ask({ ...run.environment, [RUN]: other }), "", other);
  }
  assert.match(await ask(run.environment), /^0 \d+\n/);
  assert.equal(await ask(run.environment), "");
  const said = { errorCode: "ERROR", errorMessage: NOBODY };
  assert.deepEqual(await launch(run.environment, "verify-signature", requestOf()), {
    code: 1,
    said,
  });
});

test("each run has a name and a secret of its own", async (t) => {
  const { inquiry } = await fixture(t);
  using one = inquiry.open();
  using other = inquiry.open();
  assert.notEqual(one.environment[RUN], other.environment[RUN]);
  assert.match(one.environment[RUN] ?? "", /^[0-9a-f]{16}:[0-9a-f]{64}$/);
  assert.deepEqual(Object.keys(one.environment), [SOCKET, RUN]);
});

test("a run answers for its own signature alone", async (t) => {
  const { inquiry } = await fixture(t);
  using run = inquiry.open();
  const other = requestOf(authority.sign({ subject, signedAt }));
  const [, document = ""] = (await ask(run.environment, other)).split("\n");
  assert.deepEqual(JSON.parse(document), {
    errorCode: "VALIDATION_ERROR",
    errorMessage: "the signature is another than the one that Notation was started for",
  });
});

test("a socket only its user can reach, which goes with the plugin", async (t) => {
  const { plugin, inquiry } = await fixture(t);
  using run = inquiry.open();
  const path = run.environment[SOCKET] ?? "";
  assert.equal(statSync(dirname(path)).mode & 0o777, 0o700);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await plugin[Symbol.asyncDispose]();
  assert.equal(existsSync(dirname(path)), false);
});

test("a path that is too long for a socket is said so, and nothing is left of it", async (t) => {
  const { directory } = await fixture(t);
  const long = mkdtempSync(join(directory, `${"x".repeat(100)}-`));
  await assert.rejects(fixture(t, undefined, { directory: long }), /too long for a socket/);
  assert.deepEqual(readdirSync(long), []);
});

test("more than a request may have is not read", async (t) => {
  const { inquiry } = await fixture(t);
  using run = inquiry.open();
  assert.equal(await ask(run.environment, Buffer.alloc(MAX_REQUEST_BYTES + 1, " ")), "");
  using launched = inquiry.open();
  const { code, said } = await launch(
    launched.environment,
    "verify-signature",
    Buffer.alloc(MAX_REQUEST_BYTES + 1, " "),
  );
  assert.equal(code, 1);
  assert.partialDeepStrictEqual(said, { errorCode: "ERROR" });
});

test("nothing is read for who does not begin with a run, however much he sends", async (t) => {
  const { inquiry } = await fixture(t);
  using run = inquiry.open();
  for (const message of [
    "x".repeat(10_000),
    "GET / HTTP/1.1\r\n\r\n",
    header(run.environment[RUN], "sign"),
  ]) {
    assert.equal(await exchange(run.environment, message), "");
  }
});

test("a connection that says nothing is closed in its time", async (t) => {
  const { inquiry } = await fixture(t, undefined, { readMs: 20 });
  using run = inquiry.open();
  for (const message of ["", header(run.environment[RUN])]) {
    const socket = connect(run.environment[SOCKET] ?? "");
    socket.on("error", () => undefined);
    socket.write(message);
    socket.resume();
    await once(socket, "close");
  }
});

test("a run that ends while it waits for Signer is let go at once", async (t) => {
  const never = Promise.withResolvers<SignerAnswer>();
  const { plugin, asked } = await fixture(t, never.promise);
  asked.length = 0;
  using inquiry = plugin.begin(envelope, { ...TRUSTING, isRevocationChecked: false });
  const run = inquiry.open();
  const answer = ask(run.environment);
  await until(() => asked.length === 1);
  run[Symbol.dispose]();
  assert.equal(await answer, "");
});

test("an inquiry that is over waits for Signer no more", async (t) => {
  const never = Promise.withResolvers<SignerAnswer>();
  const { plugin, slow } = await fixture(t, never.promise);
  slow.region = "us-east-1";
  const inquiry = plugin.begin(envelope, TRUSTING);
  inquiry[Symbol.dispose]();
  await inquiry.settled;
  assert.deepEqual([inquiry.answered, inquiry.words], [undefined, undefined]);
});

const early = [
  { name: "a trusted profile", trusting: TRUSTING, times: 1 },
  {
    name: "a profile that is not trusted",
    trusting: { ...TRUSTING, trustedIdentities: [profileArn({ name: "other" }), "*"] },
    times: 0,
  },
  {
    name: "a policy that skips revocation",
    trusting: { ...TRUSTING, isRevocationChecked: false },
    times: 0,
  },
];
for (const { name, trusting, times } of early) {
  test(`with ${name} Signer is ${times === 0 ? "not " : ""}asked before Notation is`, async (t) => {
    const { plugin, asked } = await fixture(t);
    asked.length = 0;
    using inquiry = plugin.begin(envelope, trusting);
    assert.deepEqual(asked, times === 0 ? [] : [questionOfEnvelope(envelope)]);
    await inquiry.settled;
    assert.equal(inquiry.mayStart(), true);
  });
}

test("Signer is asked once for all runs of one judgement", async (t) => {
  const { inquiry, asked } = await fixture(t);
  for (let index = 0; index < 3; index += 1) {
    using run = inquiry.open();
    assert.match(await ask(run.environment), /not revoked/);
  }
  assert.equal(asked.length, 1);
});

test("F-13 Notation is started at once while Signer is quick, and after its answer while it is slow", async (t) => {
  const answer = Promise.withResolvers<SignerAnswer>();
  const { plugin, inquiry, slow } = await fixture(t, answer.promise);
  slow.region = "us-east-1";
  assert.equal(inquiry.mayStart(), false);
  slow.region = "";
  assert.equal(inquiry.mayStart(), true);
  slow.region = "us-east-1";
  assert.equal(inquiry.mayStart(), true, "what was started is not called back");
  using late = plugin.begin(envelope, TRUSTING);
  assert.equal(late.mayStart(), false);
  answer.resolve({ kind: "revoked", entities: [signed.job] });
  await late.settled;
  assert.equal(late.mayStart(), true);
  const sentence = `AWS Signer revoked ${signed.job}`;
  assert.deepEqual(late.words, { reason: "REVOKED", sentence });
});

test("F-13 no more runs than may wait for Signer, until one of them need not any more", async (t) => {
  const answer = Promise.withResolvers<SignerAnswer>();
  const { plugin } = await fixture(t, answer.promise);
  const [one, two, three] = [1, 2, 3].map(() => plugin.begin(envelope, TRUSTING));
  assert.deepEqual([one?.mayStart(), two?.mayStart(), three?.mayStart()], [true, true, false]);
  one?.[Symbol.dispose]();
  await one?.settled;
  assert.equal(three?.mayStart(), true);
  two?.[Symbol.dispose]();
  three?.[Symbol.dispose]();
});

const commands = [
  { name: "another command", command: "generate-envelope" },
  { name: "no command", command: "" },
  { name: "no provider", command: "verify-signature" },
];
for (const { name, command } of commands) {
  test(`the launcher with ${name} fails as plugins do`, async () => {
    const { code, said } = await launch({}, command);
    assert.equal(code, 1);
    assert.partialDeepStrictEqual(said, { errorCode: "ERROR" });
  });
}

const replies = [
  { name: "no answer", reply: "" },
  { name: "an answer without a line", reply: "0 2" },
  { name: "an answer that is cut off", reply: "0 10\n{}" },
  { name: "an answer without end", reply: `0 ${"9".repeat(10)}\n{}` },
  { name: "an answer with a code that there is not", reply: "7 2\n{}" },
  { name: "a negative length", reply: "0 -1\n{}" },
  { name: "a line without end", reply: "0".repeat(5000) },
];
for (const { name, reply } of replies) {
  test(`the launcher takes ${name} for a failure`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "socket-"));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const server = createServer((socket: Socket) => {
      socket.on("error", () => undefined);
      socket.resume();
      socket.end(reply);
    });
    server.listen(join(directory, "s"));
    await once(server, "listening");
    t.after(() => void server.close());
    const environment = { [SOCKET]: join(directory, "s"), [RUN]: "secret:name" };
    const { code, said } = await launch(environment, "verify-signature");
    assert.equal(code, 1);
    assert.partialDeepStrictEqual(said, { errorCode: "ERROR" });
    assert.doesNotMatch(JSON.stringify(said), /secret|socket-/);
  });
}
