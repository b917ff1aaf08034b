import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { digestOf } from "../../../provider/image/digest.ts";
import { isKeyText, NOT_KEY, parseKey } from "../../../provider/protocol/key.ts";
import { parseRequest } from "../../../provider/protocol/request.ts";
import {
  encodeFailure,
  encodeResponse,
  type Answer,
  type Pinned,
} from "../../../provider/protocol/response.ts";
import { FAILURE_REASONS, REJECT_REASONS } from "../../../provider/verdict/reasons.ts";
import {
  isRefusal,
  rejected,
  undecided,
  type Verdict,
  type Verified,
} from "../../../provider/verdict/verdict.ts";
import { assertLine } from "../assertions.ts";
import { json } from "../form.ts";
import type { Target } from "../target.ts";

const digest = digestOf("");
const verified: Verified = {
  kind: "verified",
  facts: {
    outcome: "verified",
    image: `docker.io/library/nginx@${digest}`,
    digest,
    policy: "default",
    statement: "all",
    level: "strict",
  },
};

/** Any verdict, the same for the same key, with the key itself in its sentence. */
function verdictFor(key: string): Verdict {
  const [first = 0, second = 0] = createHash("sha256").update(key).digest();
  const reject = REJECT_REASONS[second % REJECT_REASONS.length] ?? "UNSIGNED";
  const failure = FAILURE_REASONS[second % FAILURE_REASONS.length] ?? "TIMEOUT";
  return (
    [verified, rejected(reject, `of ${key}`), undecided(failure, `of ${key}`)][first % 3] ??
    verified
  );
}

const textOf = (verdict: Verdict | Pinned): string =>
  "reason" in verdict ? `${verdict.reason}: ${verdict.sentence}` : "";

/** Whether a line is said of it: a key that would not fit on one is no image, whatever else is going on. */
const isLine = ([key, verdict]: readonly [string, Answer["verdict"]]): boolean =>
  verdict.kind === "undecided" && isKeyText(key);

/**
 * Bodies of requests. Whatever comes, a complete ProviderResponse goes back, with an answer to each distinct key and to nothing
 * else, byte for byte and in order, and no key forges the line of another.
 */
export const target: Target = {
  name: "request",
  title:
    "T-21 T-24 T-51 T-52 T-55 T-56 whatever is asked, each distinct key has one answer in a complete response, and forges no other's",
  maxBytes: 1_048_576,
  form: json,
  words: [
    "apiVersion",
    "kind",
    "request",
    "keys",
    "ProviderRequest",
    "ProviderResponse",
    "externaldata.gatekeeper.sh/v1beta1",
    "externaldata.gatekeeper.sh/v1alpha1",
    "nginx",
    "nginx:1",
    "nginx?level=audit",
    "nginx: TIMEOUT: late",
    "registry.example.com/app@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  ],
  check(input) {
    const request = parseRequest(input, { maxKeys: 1000 });
    if (request.kind === "bad") {
      assertLine(request.sentence);
      const answer = JSON.parse(encodeFailure(undecided("BAD_REQUEST", request.sentence)));
      assert.deepEqual(Object.keys(answer), ["apiVersion", "kind", "response"]);
      assert.deepEqual(answer.response, {
        idempotent: false,
        items: [],
        systemError: `BAD_REQUEST: ${request.sentence}`,
      });
      return `${request.status} ${request.sentence}`;
    }
    assert.ok(request.keys.length <= 1000);
    const answers = request.keys.map((key): Answer => {
      const parsed = parseKey(key);
      return { key, verdict: isRefusal(parsed) ? parsed : verdictFor(key) };
    });
    const text = encodeResponse({ apiVersion: request.apiVersion, idempotent: false, answers });
    assert.ok(text.isWellFormed());
    const { apiVersion, kind, response } = JSON.parse(text);
    assert.equal(apiVersion, request.apiVersion);
    assert.equal(kind, "ProviderResponse");

    const { items } = response;
    const lines = String(response.systemError ?? "").split("\n");
    const verdicts = new Map(answers.map(({ key, verdict }) => [key, verdict]));
    const undecidedKeys = [...verdicts].filter(isLine);
    assert.deepEqual(
      lines.filter((line) => line !== ""),
      undecidedKeys.map(([key, verdict]) => `${key}: ${textOf(verdict)}`),
    );
    const decided = [...verdicts].filter((entry) => !isLine(entry));
    assert.deepEqual(
      items,
      decided.map(([key, verdict]) => {
        if (verdict.kind === "verified") return { key, value: verdict.facts };
        return { key, error: verdict.kind === "rejected" ? textOf(verdict) : textOf(NOT_KEY) };
      }),
    );
    return `${request.apiVersion} ${items.length > 0} ${undecidedKeys.length > 0} ${verdicts.size < request.keys.length}`;
  },
};
