import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { digestOf } from "../../../provider/image/digest.ts";
import { interpret } from "../../../provider/notation/interpret.ts";
import type { RunResult } from "../../../provider/notation/run.ts";
import { LOGGED_CHECKS } from "../../../provider/verdict/verdict.ts";
import { assertLine, assertRefusal, outcomeOf } from "../assertions.ts";
import { json } from "../form.ts";
import type { Target } from "../target.ts";

const DIGEST = digestOf("subject");
const MANIFEST = digestOf("manifest");
const SUCCESS = `Successfully verified signature for .@${DIGEST}`;

const ROOM = new URL("../../../provider/notation/", import.meta.url);
const sources = globSync("interpret*.ts", { cwd: ROOM.pathname, exclude: ["*.test.ts"] });
/** Words of our own sentences: those of the files that write them. */
const OWN_WORDS = new Set(
  sources.flatMap((file) => readFileSync(new URL(file, ROOM), "utf8").match(/[\w'-]+/g) ?? []),
);
const DATE = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g;

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
/** Names of signals and of errors are the system's. */
const isName = (value: unknown): value is string =>
  typeof value === "string" && /^[A-Z][A-Z0-9]{1,15}$/.test(value);

/** What a run may leave behind, read from the input: members of other types are as if they were not there. */
function runOf(input: Uint8Array): RunResult | undefined {
  let value: Readonly<Record<string, unknown>>;
  try {
    value = JSON.parse(Buffer.from(input).toString());
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { code, signal, stdout, stderr, truncated, interrupted, spawnError } = value;
  return {
    code: typeof code === "number" ? code : null,
    signal: isName(signal) ? signal : null,
    stdout: textOf(stdout),
    stderr: textOf(stderr),
    truncated: truncated === true,
    interrupted: interrupted === true,
    spawnMs: 0,
    ...(isName(spawnError) && { spawnError }),
  };
}

/**
 * What Notation prints and how it ends. Passed is one shape alone, and of a failure nothing is repeated: every word of an
 * answer is one of ours, a number or a date.
 */
export const target: Target = {
  name: "notation",
  title: "T-06 T-07 T-72 of what Notation prints one shape alone passes, and nothing is repeated",
  maxBytes: 65_536,
  form: json,
  words: [
    `${SUCCESS}\n`,
    SUCCESS,
    DIGEST,
    MANIFEST,
    digestOf("other"),
    `level=info msg=Processing signature with manifest mediaType: application/vnd.oci.image.manifest.v1+json and digest: ${MANIFEST}\n`,
    `level=warning msg=Signature ${MANIFEST} failed verification with error: `,
    `Error: signature verification failed for all the signatures associated with .@${DIGEST}\n`,
    "Error: ",
    "Warning: ",
    "Warning: This feature is experimental and may not be fully tested or completed\n",
    'Warning: revocation was set to "log" and failed with error: ',
    'Warning: expiry was set to "log" and failed with error: ',
    'Warning: authenticity was set to "log" and failed with error: ',
    'Warning: integrity was set to "log" and failed with error: ',
    "the signature's certificate chain does not contain any trusted certificate\n",
    'digital signature has expired on "Mon, 02 Nov 2026 10:00:00 +0000"\n',
    "signature is invalid. Error: ",
    "content descriptor mismatch\n",
    'signing certificate with subject "CN=a" is revoked\n',
    'revocation check by verification plugin "com.amazonaws.signer.notation.plugin" failed with reason "Resource(s) a have been revoked."\n',
    'artifact "a" has no applicable trust policy statement',
    "failed to verify with plugin ",
    "SIGKILL",
    "ENOENT",
    "code",
    "signal",
    "stdout",
    "stderr",
    "truncated",
    "interrupted",
    "spawnError",
    "\n",
  ],
  check(input) {
    const run = runOf(input);
    if (run === undefined) return "no run";
    const judgement = interpret(run, DIGEST);
    assert.deepEqual(interpret(run, DIGEST), judgement);
    if (judgement.kind !== "passed") {
      assertRefusal(judgement);
      assertOwnWords(judgement.sentence, [
        run.signal ?? "",
        run.spawnError ?? "",
        String(run.code),
      ]);
      return outcomeOf(judgement);
    }
    assert.equal(run.code, 0);
    assert.equal(run.signal, null);
    assert.equal(run.spawnError, undefined);
    assert.ok(!run.truncated && !run.interrupted);
    assert.equal(run.stdout.split("\n", 2)[0], SUCCESS);
    assert.ok(run.stdout.includes("\n"), "the line was not finished");
    for (const { check, message } of judgement.warnings) {
      assert.ok(LOGGED_CHECKS.includes(check));
      assertLine(message);
      assertOwnWords(message.replace(/^[A-Z_]+: /, ""), []);
    }
    const warned = run.stderr.split("\n").filter((line) => line.includes('was set to "log"'));
    assert.ok(judgement.warnings.length <= warned.length);
    return `passed ${judgement.warnings.map(({ check, message }) => `${check} ${message.split(":", 1)[0]}`).join()}`.slice(
      0,
      120,
    );
  },
};

/** @param given what of the run itself may be named: its exit code, its signal */
function assertOwnWords(sentence: string, given: readonly string[]): void {
  let rest = sentence.replaceAll(DATE, " ");
  for (const text of given.filter((text) => text !== "")) rest = rest.replace(text, " ");
  for (const word of rest.match(/[\w'-]+/g) ?? [])
    assert.ok(OWN_WORDS.has(word), `foreign: ${word}`);
}
