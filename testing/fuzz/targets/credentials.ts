import assert from "node:assert/strict";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createCredentials,
  type Credentials,
  type CredentialsEvent,
} from "../../../provider/aws/credentials.ts";
import type { AwsEnvironment } from "../../../provider/aws/environment.ts";
import { isFailure, type AwsFailure } from "../../../provider/aws/failure.ts";
import type { AwsCredentials } from "../../../provider/aws/keys.ts";
import { createSdk } from "../../../provider/aws/sdk.ts";
import { assertFailure } from "../assertions.ts";
import { json } from "../form.ts";
import { bodyOf, membersOf, sendableStatus, startReplies } from "../replies.ts";
import type { Target } from "../target.ts";

const replies = await startReplies();
const { settings: sdk } = createSdk({ requestTimeoutMs: 10_000 });
const never = new AbortController().signal;

const ROLE = "arn:aws:iam::111122223333:role/provider";
const OWN: AwsEnvironment = {
  region: "eu-west-1",
  accessKeyId: "AKIAEXAMPLE000000000",
  secretAccessKey: "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY00",
};

/** The longest that credentials of a role last, in milliseconds: what does not end by then is never fetched anew. */
const MOST_LIFE_MS = 12 * 3_600_000;

/** Whom credentials come from. @param tokenFile path */
const SOURCES = new Map<unknown, (tokenFile: string) => AwsEnvironment>([
  [
    "podIdentity",
    (containerTokenFile) => ({
      region: "eu-west-1",
      containerCredentialsUri: `${replies.url}/v1/credentials`,
      containerTokenFile,
    }),
  ],
  [
    "webIdentity",
    (webIdentityTokenFile) => ({ region: "eu-west-1", roleArn: ROLE, webIdentityTokenFile }),
  ],
  ["role", () => OWN],
  ["identity", () => OWN],
]);

/** It may be told, without the token and without our own key. @param token what the token file holds */
function assertNoSecret(failure: AwsFailure, token: string): string {
  const kind = assertFailure(failure);
  const said = `${failure.sentence} ${failure.words ?? ""}`;
  // An ARN is left as it is, whatever stands in it.
  if (replies.next.body.includes("arn:")) return kind;
  assert.ok(!said.includes(String(OWN.secretAccessKey)), "the key is repeated");
  // A shorter one is not seen to be a token where the other side repeats it; of a longer one not all would have room.
  const [start] = /^[A-Za-z0-9+/=_.-]{36}/.exec(token) ?? [];
  assert.ok(start === undefined || !said.includes(start), "the token is repeated");
  return kind;
}

/** They are whole and of the answer; whom AWS takes the provider for is then a text, or a failure that may be said. */
async function assertCredentials(
  { accessKeyId, secretAccessKey, sessionToken }: AwsCredentials,
  credentials: Credentials,
  token: string,
): Promise<void> {
  const { status, body } = replies.next;
  assert.ok(status < 300, String(status));
  // With escapes, CDATA or comments in it, a member is not read as it is written.
  const isVerbatim = !/[\\&]|<[!?]/.test(body);
  const optional = sessionToken === undefined ? [] : [sessionToken];
  for (const member of [accessKeyId, secretAccessKey, ...optional]) {
    assert.equal(typeof member, "string");
    assert.notEqual(member, "");
    const isPlain = isVerbatim && /^[0-9A-Za-z]+$/.test(member);
    if (isPlain) assert.ok(body.includes(member), "not of the answer");
  }
  const who = await credentials.identity(never);
  if (isFailure(who)) assertNoSecret(who, token);
}

/**
 * Answers of STS and of the Pod Identity agent, and what token files hold. Credentials are whole and of that answer; a failure is one
 * line, without the token.
 */
export const target: Target = {
  name: "credentials",
  title:
    "T-37 F-16 whatever STS or the Pod Identity agent answers, and whatever a token file holds, credentials are whole and of that answer, and a failure is one line without a secret",
  maxBytes: 65_536,
  form: json,
  words: [
    "from",
    "status",
    "body",
    "token",
    "podIdentity",
    "webIdentity",
    "role",
    "identity",
    "AccessKeyId",
    "SecretAccessKey",
    "SessionToken",
    "Token",
    "Expiration",
    "2026-01-02T03:04:05Z",
    "2026-13-02T03:04:05Z",
    "1767323045",
    "<Credentials>",
    "</Credentials>",
    "<AccessKeyId>ASIAEXAMPLE000000000</AccessKeyId>",
    "<SecretAccessKey/>",
    "<SessionToken><![CDATA[a]]></SessionToken>",
    "<Expiration>never</Expiration>",
    "<__proto__>",
    "<Arn>arn:aws:sts::111122223333:assumed-role/provider/session</Arn>",
    '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>',
    "&b;",
    "&#10;",
    "&#x0;",
    "<ErrorResponse><Error><Code>",
    "</Code></Error></ErrorResponse>",
    "ExpiredTokenException",
    "InvalidIdentityToken",
    "Throttling",
    "AccessDenied",
  ],
  async check(input) {
    const { from, status, body, token } = membersOf(input) ?? {};
    const environmentOf = SOURCES.get(from);
    if (environmentOf === undefined) return "nobody";
    const text = bodyOf(body);
    replies.next = {
      status: sendableStatus(status),
      headers: { "content-type": from === "podIdentity" ? "application/json" : "text/xml" },
      body: text,
    };
    const secret = typeof token === "string" ? token : "";
    await using directory = await mkdtempDisposable(join(tmpdir(), "fuzz-"));
    const tokenFile = join(directory.path, "token");
    await writeFile(tokenFile, secret);
    const events: CredentialsEvent[] = [];
    const credentials = createCredentials({
      environment: environmentOf(tokenFile),
      sdk,
      instanceMetadata: false,
      fips: false,
      dualStack: false,
      stsEndpoint: () => replies.url,
      deadlineMs: 10_000,
      now: () => 0,
      wallNow: () => 0,
      random: () => 0,
      // Nothing is late, and nothing grows old.
      schedule: () => ({ cancel() {} }),
      observe: (event) => events.push(event),
    });
    try {
      if (from === "identity") {
        const who = await credentials.identity(never);
        if (isFailure(who)) return `identity ${assertNoSecret(who, secret)}`;
        const isVerbatim = !/[&]|<[!?]/.test(text);
        assert.ok(!isVerbatim || text.includes(who), "nobody that STS named");
        return "identity";
      }
      const asked = from === "role" ? ROLE : undefined;
      const lent = await credentials.current(asked, never);
      const { outcome, failure } = events.at(-1) ?? {};
      if (isFailure(lent)) {
        assert.deepEqual([outcome, failure], [lent.failure, lent]);
        return `${String(from)} ${assertNoSecret(lent, secret)}`;
      }
      assert.equal(outcome, "ok");
      const state = credentials.states().find(({ role }) => role === asked);
      assert.ok(state?.leftMs !== undefined && state.leftMs <= MOST_LIFE_MS, String(state?.leftMs));
      await assertCredentials(lent, credentials, secret);
      return `${String(from)} lent`;
    } finally {
      credentials.close();
    }
  },
};
