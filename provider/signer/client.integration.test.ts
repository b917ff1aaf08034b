import assert from "node:assert/strict";
import { GetSigningProfileCommand, SignerClient } from "@aws-sdk/client-signer";
import { test, type TestContext } from "node:test";
import { createSigningAuthority, jobArn, profileVersionArn } from "../../testing/aws/envelopes.ts";
import { createSigner } from "../../testing/aws/signer.ts";
import {
  body,
  denied,
  error,
  internal,
  output,
  pass,
  throttled,
} from "../../testing/aws/answers.ts";
import type { Keys } from "../../testing/aws/keys.ts";
import { startAws, type AwsOptions } from "../../testing/aws/wire.ts";
import {
  createAuthorities,
  issueSelfSigned,
  type LeafOptions,
  type Pair,
} from "../../testing/gatekeeper/certificates.ts";
import { reset, silent } from "../../testing/registry/answers.ts";
import { now } from "../lib/clock.ts";
import { realTime } from "../lib/deadline.ts";
import type { Answered } from "./answer.ts";
import { createAsk, type AskOptions } from "./ask.ts";
import { createSignerClients, type SignerClientOptions } from "./client.ts";
import { questionOf, type SignerQuestion } from "./question.ts";

const never = new AbortController().signal;
const { signer } = await createSigningAuthority();
const { chain } = signer;
const signedAt = Date.parse("2026-01-02T03:04:05Z");
const OPERATION = "GetRevocationStatus";

function question(region = "us-east-1", partition = "aws"): SignerQuestion {
  const options = { region, partition };
  const profileVersion = profileVersionArn(options);
  const made = questionOf({ profileVersion, job: jobArn(options), signedAt, chain });
  assert.ok(made);
  return made;
}

async function fixture(
  t: TestContext,
  changes: Partial<AskOptions> = {},
  options: Partial<AwsOptions> & Pick<SignerClientOptions, "ca"> = {},
) {
  const double = createSigner();
  const { ca, ...served } = options;
  const aws = await startAws({ services: [double.service], ...served });
  t.after(() => aws[Symbol.asyncDispose]());
  const keys: { current: Keys } = { current: aws.credentials };
  const clients = createSignerClients({
    endpoint: () => aws.url,
    connectMs: 1000,
    ...(ca !== undefined && { ca }),
    credentials: () => Promise.resolve(keys.current),
  });
  t.after(() => clients[Symbol.dispose]());
  const ask = createAsk({
    call: clients.call,
    timeoutMs: 5000,
    deadlineMs: 10_000,
    freshMs: 0,
    concurrency: 8,
    maxWaiting: 8,
    now,
    schedule: realTime,
    random: () => 0,
    ...changes,
  });
  return { double, aws, keys, ask, say: (about = question()) => codeOf(ask.ask(about, never)) };
}

async function codeOf(answered: Promise<Answered>): Promise<string> {
  const { answer } = await answered;
  if (answer.kind === "revoked") return `revoked ${answer.entities.join()}`;
  return answer.kind === "unknown" ? `${answer.reason} ${answer.sentence}` : answer.kind;
}

test("Signer is asked for exactly what it wants, signed for the region of the signature's profile", async (t) => {
  const { aws, say } = await fixture(t);
  const about = question("eu-west-1");
  assert.equal(await say(about), "notRevoked");
  const [call] = aws.requests;
  assert.equal(call?.region, "eu-west-1");
  assert.deepEqual(
    Object.groupBy(
      call.query.entries().map(([name, value]) => ({ name, value })),
      ({ name }) => name,
    ),
    Object.groupBy(
      [
        ...about.certificateHashes.map((value) => ({ name: "certificateHashes", value })),
        { name: "jobArn", value: about.jobArn },
        { name: "platformId", value: "Notation-OCI-SHA384-ECDSA" },
        { name: "profileVersionArn", value: about.profileVersionArn },
        { name: "signatureTimestamp", value: "2026-01-02T03:04:05Z" },
      ],
      ({ name }) => name,
    ),
  );
});

test("what is revoked is named as Signer names it", async (t) => {
  const { double, say } = await fixture(t);
  const about = question();
  double.revokeJob(about.jobArn);
  assert.equal(await say(about), `revoked ${about.jobArn}`);
  double.restore();
  double.revokeProfileVersion(about.profileVersionArn, new Date(signedAt));
  assert.equal(await say(about), `revoked ${about.profileVersionArn}`);
  double.restore();
  double.revokeProfileVersion(about.profileVersionArn, new Date(signedAt + 1000));
  assert.equal(await say(about), "notRevoked");
  for (const index of chain.keys()) {
    double.restore();
    double.revokeCertificate(chain, index);
    assert.equal(await say(about), `revoked ${about.certificateHashes[index]}`);
  }
});

const CANNOT_READ = "REVOCATION_UNKNOWN AWS Signer gave an answer that cannot be read";
const faults = [
  {
    name: "denies access",
    answer: denied(),
    want: /^SIGNER_DENIED AWS Signer answered AccessDeniedException: User: arn:aws:iam::111122223333:user\/provider is not authorized to perform: signer:GetRevocationStatus/,
  },
  {
    name: "throttles",
    answer: throttled(),
    want: /^REVOCATION_UNKNOWN AWS Signer answered TooManyRequestsException/,
  },
  {
    name: "throttles under the older name",
    answer: error(400, "ThrottlingException", "Rate exceeded"),
    want: /^REVOCATION_UNKNOWN AWS Signer answered ThrottlingException: Rate exceeded$/,
  },
  {
    name: "fails",
    answer: internal(),
    want: /^REVOCATION_UNKNOWN AWS Signer answered InternalServiceErrorException/,
  },
  {
    name: "hangs up",
    answer: reset(),
    want: /^REVOCATION_UNKNOWN AWS Signer cannot be reached \(ECONNRESET\)$/,
  },
  { name: "answers no JSON", answer: body("<html>"), want: new RegExp(`^${CANNOT_READ}$`) },
  { name: "leaves the list out", answer: output({}), want: new RegExp(`^${CANNOT_READ}$`) },
];
for (const { name, answer, want } of faults) {
  test(`F-13 a Signer that ${name} is unknown, with what AWS said`, async (t) => {
    const { aws, say } = await fixture(t);
    aws.on(OPERATION, answer);
    assert.match(await say(), want);
  });
}

test("F-13 a Signer that throttles or fails once is asked once more", async (t) => {
  const { aws, say } = await fixture(t);
  for (const answer of [throttled(), internal(), reset()]) {
    aws.on(OPERATION, answer, pass());
    assert.equal(await say(), "notRevoked");
  }
  assert.equal(aws.count(OPERATION), 6);
});

for (const hours of [-24 * 365, -1, 1, 24 * 365]) {
  test(`F-32 a clock that is wrong by ${hours} hours costs one more attempt, by AWS's own time`, async (t) => {
    const { aws, say } = await fixture(t, {}, { now: () => Date.now() - hours * 3_600_000 });
    assert.equal(await say(), "notRevoked");
    assert.equal(aws.count(OPERATION), 2);
    assert.equal(await say(), "notRevoked");
    assert.equal(aws.count(OPERATION), 3);
  });
}

test("T-67 a Signer that is silent is given up in its time, and its connection with it", async (t) => {
  const { aws, say } = await fixture(t, { timeoutMs: 50 });
  aws.on(OPERATION, silent());
  assert.equal(await say(), "REVOCATION_UNKNOWN AWS Signer did not answer within 50 ms");
  aws.on(OPERATION, pass());
  assert.equal(await say(), "notRevoked");
});

test("T-67 a Signer that is not there is unknown", async (t) => {
  const { aws, say } = await fixture(t);
  await aws[Symbol.asyncDispose]();
  assert.equal(await say(), "REVOCATION_UNKNOWN AWS Signer cannot be reached (ECONNREFUSED)");
});

const HOUR_MS = 3_600_000;
const LOCAL = { name: "signer", ip: ["127.0.0.1"] };
const [trusted, stranger] = [await createAuthorities(), await createAuthorities()];
const certificates: readonly {
  name: string;
  authority?: { readonly provider: { issue(leaf: LeafOptions): Promise<Pair> } };
  leaf: LeafOptions;
  want: RegExp;
}[] = [
  { name: "that is good", leaf: LOCAL, want: /^notRevoked$/ },
  {
    name: "of a stranger",
    authority: stranger,
    leaf: LOCAL,
    want: /\(UNABLE_TO_VERIFY_LEAF_SIGNATURE\)$/,
  },
  {
    name: "for another name",
    leaf: { name: "signer", dns: ["signer.test"] },
    want: /\(ERR_TLS_CERT_ALTNAME_INVALID\)$/,
  },
  {
    name: "that vouches for itself",
    authority: { provider: { issue: issueSelfSigned } },
    leaf: LOCAL,
    want: /\(DEPTH_ZERO_SELF_SIGNED_CERT\)$/,
  },
  {
    name: "that has expired",
    leaf: { ...LOCAL, notAfter: new Date(Date.now() - HOUR_MS / 2) },
    want: /\(CERT_HAS_EXPIRED\)$/,
  },
];
for (const { name, authority = trusted, leaf, want } of certificates) {
  test(`T-65 a Signer with a certificate ${name}`, async (t) => {
    // Which would let Node take any certificate.
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    t.after(() => delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"]);
    const tls = await authority.provider.issue(leaf);
    const { aws, say } = await fixture(t, {}, { tls, ca: trusted.ca });
    const said = await say();
    assert.match(said, want);
    assert.equal(aws.count(OPERATION), said === "notRevoked" ? 1 : 0);
  });
}

test("a signature of another partition is unknown and says whose it is", async (t) => {
  const { say } = await fixture(t);
  assert.match(
    await say(question("cn-north-1", "aws-cn")),
    /^REVOCATION_UNKNOWN AWS Signer answered ValidationException: .* \(the signature is of partition aws-cn\)$/,
  );
});

test("F-16 credentials that changed are used from the next question on", async (t) => {
  const { aws, keys, say } = await fixture(t);
  keys.current = aws.issue({ role: "first" });
  assert.equal(await say(), "notRevoked");
  aws.expire(keys.current.accessKeyId);
  assert.match(await say(), /^SIGNER_DENIED AWS Signer answered ExpiredTokenException/);
  keys.current = aws.issue({ role: "second" });
  assert.equal(await say(), "notRevoked");
  assert.deepEqual(
    aws.requests.map(({ principal }) => principal?.split("/")[1]),
    ["first", undefined, "second"],
  );
});

test("F-16 credentials that AWS ends before their time are replaced once, and the question is answered all the same", async (t) => {
  const fresh = await fixture(t);
  const { aws } = fresh;
  const held = { keys: aws.issue({ role: "first" }) };
  const replaced: Keys[] = [];
  const clients = createSignerClients({
    endpoint: () => aws.url,
    connectMs: 1000,
    credentials: () => Promise.resolve(held.keys),
    replaceCredentials: (refused) => {
      replaced.push(refused);
      const hasOthers = replaced.length === 1;
      if (hasOthers) held.keys = aws.issue({ role: "second" });
      return Promise.resolve(hasOthers);
    },
  });
  t.after(() => clients[Symbol.dispose]());
  const [first] = [held.keys];
  aws.expire(first.accessKeyId);
  assert.deepEqual(await clients.call(question(), never), []);
  assert.deepEqual(replaced, [first]);
  assert.equal(aws.count(OPERATION), 2);
  // There are no others any more: what AWS said stands, and is not asked for again.
  aws.expire(held.keys.accessKeyId);
  await assert.rejects(clients.call(question(), never), { name: "ExpiredTokenException" });
  assert.equal(aws.count(OPERATION), 3);
});

test("credentials are not replaced for a permission that is denied", async (t) => {
  const { aws } = await fixture(t);
  const clients = createSignerClients({
    endpoint: () => aws.url,
    connectMs: 1000,
    credentials: () => Promise.resolve(aws.credentials),
    replaceCredentials: () => assert.fail("the same permission would be denied"),
  });
  t.after(() => clients[Symbol.dispose]());
  aws.deny("signer:GetRevocationStatus");
  await assert.rejects(clients.call(question(), never), { name: "AccessDeniedException" });
});

test("T-36 the Signer of each region is asked where the configuration says for that region", async (t) => {
  const { aws } = await fixture(t);
  const urls = new Map<string, string>();
  for (const region of ["eu-west-1", "us-east-1"]) urls.set(region, await aws.regionalUrl(region));
  const clients = createSignerClients({
    endpoint: (region) => urls.get(region),
    connectMs: 1000,
    credentials: () => Promise.resolve(aws.credentials),
  });
  t.after(() => clients[Symbol.dispose]());
  for (const region of urls.keys()) {
    assert.deepEqual(await clients.call(question(region), never), []);
  }
  assert.deepEqual(
    aws.requests.map(({ region }) => region),
    [...urls.keys()],
  );
});

test("questions one after the other go over one connection", async (t) => {
  const { aws, say } = await fixture(t);
  for (let index = 0; index < 5; index += 1) assert.equal(await say(), "notRevoked");
  assert.equal(aws.connections(), 1);
});

test("the Signer on loopback tells of a profile what the real one does", async (t) => {
  const { double, aws } = await fixture(t);
  const versionArn = profileVersionArn();
  double.addProfile({ versionArn, status: "Canceled" });
  const client = new SignerClient({
    endpoint: aws.url,
    disableHostPrefix: true,
    region: "us-east-1",
    credentials: aws.credentials,
    maxAttempts: 1,
  });
  t.after(() => client.destroy());
  const profileOwner = "111122223333";
  const ask = (profileName: string) =>
    client.send(new GetSigningProfileCommand({ profileName, profileOwner }));
  const { status, profileVersionArn: told } = await ask("app");
  assert.deepEqual([status, told], ["Canceled", versionArn]);
  await assert.rejects(ask("other"), { name: "ResourceNotFoundException" });
  aws.deny("signer:GetSigningProfile");
  await assert.rejects(ask("app"), { name: "AccessDeniedException" });
});
