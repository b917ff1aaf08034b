import assert from "node:assert/strict";
import { createEcrApi } from "../../../provider/aws/ecr-api.ts";
import { isFailure } from "../../../provider/aws/failure.ts";
import { createSdk } from "../../../provider/aws/sdk.ts";
import { createSigningStatus } from "../../../provider/aws/signing-status.ts";
import { digestOf } from "../../../provider/image/digest.ts";
import type { Schedule } from "../../../provider/lib/deadline.ts";
import { createAsk } from "../../../provider/signer/ask.ts";
import { createSignerClients } from "../../../provider/signer/client.ts";
import { wordsOf } from "../../../provider/signer/decide.ts";
import type { SignerQuestion } from "../../../provider/signer/question.ts";
import { assertFailure, assertLine, assertWords, withoutForeign } from "../assertions.ts";
import { json } from "../form.ts";
import { bodyOf, membersOf, sendableStatus, startReplies } from "../replies.ts";
import type { Target } from "../target.ts";

/** What AWS answers, whatever it is asked; members of other types are as if they were not there. */
interface Said {
  readonly asks: string;
  readonly status: number;
  /** How AWS names its errors. */
  readonly type: string | undefined;
  readonly body: string;
}

const replies = await startReplies();
const endpoint = (): string => replies.url;

const never = new AbortController().signal;
const KEYS = { accessKeyId: "AKIAEXAMPLE000000000", secretAccessKey: "secret" } as const;
const credentials = { current: async () => KEYS, replace: async () => KEYS };
/** Pauses are over at once, deadlines never come. */
const schedule: Schedule = (ms, callback) => {
  const timer = ms < 1000 ? setImmediate(callback) : undefined;
  return { cancel: () => clearImmediate(timer) };
};
const clocks = { now: () => 0, wallNow: () => 0, random: () => 0, schedule };
const ecr = {
  ...clocks,
  credentials,
  sdk: createSdk({ requestTimeoutMs: 10_000 }).settings,
  endpoint,
  fips: false,
  dualStack: false,
  requestTimeoutMs: 10_000,
};

const CALLER = { region: "eu-west-1", role: undefined } as const;
const IMAGE = { account: "111122223333", repository: "app", digest: digestOf("subject") } as const;
const QUESTION: SignerQuestion = {
  key: "question",
  partition: "aws",
  region: "eu-west-1",
  profileVersionArn: "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/app/Ver1on0001",
  jobArn:
    "arn:aws:signer:eu-west-1:111122223333:/signing-jobs/00000000-0000-4000-8000-000000000001",
  signatureTimestamp: 0,
  certificateHashes: ["0".repeat(192), "1".repeat(192)],
};

/** Asks AWS Signer, as for a signature. */
async function askSigner({ status, body }: Said): Promise<string> {
  using clients = createSignerClients({
    endpoint,
    connectMs: 10_000,
    credentials: credentials.current,
  });
  const limits = { timeoutMs: 5000, deadlineMs: 5000, freshMs: 0, concurrency: 1, maxWaiting: 1 };
  const signer = createAsk({ ...limits, ...clocks, call: clients.call });
  const { answer } = await signer.ask(QUESTION, never);
  const words = wordsOf(QUESTION, answer);
  if (words !== undefined) assertWords(words.sentence);
  switch (answer.kind) {
    case "notRevoked":
      // The one answer that lets a signature pass: a success, with a list that is there and empty.
      assert.ok(status < 300, String(status));
      assert.deepEqual(listOf(body), []);
      break;
    case "revoked":
      assert.deepEqual(answer.entities, listOf(body));
      break;
    case "unknown":
      assertWords(answer.sentence);
      return `${answer.reason} ${withoutForeign(answer.sentence)}`;
  }
  return answer.kind;
}

/** What AWS Signer lists as revoked, as another reader finds it. */
function listOf(body: string): unknown {
  const { revokedEntities } = JSON.parse(body) as { readonly revokedEntities?: unknown };
  return revokedEntities;
}

/** Asks Amazon ECR for a token. */
async function askForToken({ body }: Said): Promise<string> {
  using api = createEcrApi(ecr);
  const token = await api.token(CALLER, never);
  if (isFailure(token)) return assertFailure(token);
  assert.match(token.value, /^[!-~]{1,12288}$/);
  const { authorizationData } = JSON.parse(body);
  const text = Buffer.from(authorizationData[0].authorizationToken, "base64").toString("latin1");
  assert.equal(text, `AWS:${token.value}`);
  assert.ok(token.expiresAt !== undefined && !Number.isNaN(token.expiresAt));
  return "a token";
}

/** Asks Amazon ECR what it knows of an image without a signature; both of its questions have the same answer. */
async function askForStatus(): Promise<string> {
  using api = createEcrApi(ecr);
  const statusOf = createSigningStatus({ ...clocks, api, deadlineMs: 5000 });
  const status = await statusOf(CALLER, IMAGE, never);
  switch (status.kind) {
    case "none":
      break;
    case "archived":
      assert.ok(status.count > 0);
      break;
    case "failed":
      assertLine(`:${status.sentence}`);
      assert.equal(typeof status.profile, "string");
      break;
    case "inProgress":
      assert.equal(typeof status.profile, "string");
      break;
    case "unknown":
      return assertFailure(status.why);
  }
  return status.kind;
}

const QUESTIONS = new Map([
  ["signer", askSigner],
  ["token", askForToken],
  ["status", askForStatus],
]);

function saidOf(input: Uint8Array): Said | undefined {
  const members = membersOf(input);
  if (members === undefined) return undefined;
  const { asks, status, type, body } = members;
  return {
    asks: typeof asks === "string" ? asks : "nothing",
    status: sendableStatus(status),
    type: typeof type === "string" && /^[ -~]*$/.test(type) ? type : undefined,
    body: bodyOf(body),
  };
}

/**
 * Answers of AWS, through its SDK, as far as we read them. Nothing is called not revoked but by a list that is there and is empty; a
 * token is what AWS sent and fits into a header; of a failure there is one line, without a key.
 */
export const target: Target = {
  name: "aws",
  title:
    "T-37 T-67 F-13 F-15 whatever AWS answers, nothing is not revoked but by a list that is there and empty, a token is the one that was sent, and no key is repeated",
  maxBytes: 65_536,
  form: json,
  words: [
    ...QUESTIONS.keys(),
    "asks",
    "status",
    "type",
    "body",
    "revokedEntities",
    "__type",
    "code",
    "message",
    "Message",
    "authorizationData",
    "authorizationToken",
    "expiresAt",
    "proxyEndpoint",
    "signingStatuses",
    "signingProfileArn",
    "failureCode",
    "failureReason",
    "IN_PROGRESS",
    "COMPLETE",
    "FAILED",
    "referrers",
    "artifactType",
    "artifactStatus",
    "ARCHIVED",
    "ACTIVATING",
    "application/vnd.cncf.notary.signature",
    Buffer.from("AWS:password").toString("base64"),
    "AccessDeniedException",
    "ExpiredTokenException",
    "TooManyRequestsException",
    "ThrottlingException",
    "ValidationException",
    "InternalServiceErrorException",
    "com.amazonaws.signer#AccessDeniedException:http://internal.amazon.com/",
    "User: arn:aws:iam::111122223333:user/AKIAEXAMPLE000000000 is not authorized",
    QUESTION.profileVersionArn,
    QUESTION.jobArn,
    "0".repeat(192),
  ],
  async check(input) {
    const said = saidOf(input);
    if (said === undefined) return "no reply";
    const { asks, status, type, body } = said;
    const headers = {
      "content-type": "application/json",
      ...(type !== undefined && { "x-amzn-errortype": type }),
    };
    replies.next = { status, headers, body };
    const ask = QUESTIONS.get(asks);
    return ask === undefined ? "no question" : `${asks} ${await ask(said)}`;
  },
};
