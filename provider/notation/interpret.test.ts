import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  EXPERIMENTAL,
  failureText,
  MANIFEST,
  PROCESSING,
  warningText,
} from "../../testing/notation/behaviours.ts";
import { digestOf } from "../image/digest.ts";
import { LOGGED_CHECKS } from "../verdict/verdict.ts";
import { interpret } from "./interpret.ts";
import type { RunResult } from "./run.ts";

const DIGEST = digestOf("subject");
const REFERENCE = `.@${DIGEST}`;
const SUCCESS = `Successfully verified signature for ${REFERENCE}\n`;
const UNTRUSTED = "the signature's certificate chain does not contain any trusted certificate";

/** A run that passed, with what is said otherwise. */
const run = (changes: Partial<RunResult> = {}): RunResult => ({
  code: 0,
  signal: null,
  stdout: SUCCESS,
  stderr: `${EXPERIMENTAL}\n`,
  truncated: false,
  interrupted: false,
  spawnMs: 1,
  ...changes,
});

/** A run that failed with these lines after what Notation says first. */
const failure = (stderr: string): RunResult => run({ code: 1, stdout: "", stderr });

/** `passed`, or the reason. */
function codeOf(result: RunResult): string {
  const judgement = interpret(result, DIGEST);
  return judgement.kind === "passed" ? "passed" : judgement.reason;
}

const METADATA = `${SUCCESS}
The artifact was signed with the following user metadata.

KEY    VALUE
a      b
`;

const shapes: readonly { name: string; result: RunResult; want: string }[] = [
  { name: "the success line for the digest", result: run(), want: "passed" },
  { name: "user metadata after it", result: run({ stdout: METADATA }), want: "passed" },
  { name: "nothing on stderr", result: run({ stderr: "" }), want: "passed" },
  {
    name: "T-06 the success line for another digest",
    result: run({ stdout: SUCCESS.replace(DIGEST, digestOf("other")) }),
    want: "NOTATION_FAILED",
  },
  {
    name: "T-06 the success line for the image by name",
    result: run({ stdout: SUCCESS.replace(".@", "registry.test/app@") }),
    want: "NOTATION_FAILED",
  },
  {
    name: "T-06 the digest with more after it",
    result: run({ stdout: SUCCESS.replace("\n", "0\n") }),
    want: "NOTATION_FAILED",
  },
  {
    name: "T-07 the success line after another line",
    result: run({ stdout: `\n${SUCCESS}` }),
    want: "NOTATION_FAILED",
  },
  {
    name: "T-07 the success line with text before it",
    result: run({ stdout: ` ${SUCCESS}` }),
    want: "NOTATION_FAILED",
  },
  {
    name: "T-07 the success line without its end",
    result: run({ stdout: SUCCESS.trimEnd() }),
    want: "NOTATION_FAILED",
  },
  { name: "T-07 exit code 0 and silence", result: run({ stdout: "" }), want: "NOTATION_FAILED" },
  {
    name: "T-07 success on stderr",
    result: run({ stdout: "", stderr: SUCCESS }),
    want: "NOTATION_FAILED",
  },
  {
    name: "T-07 the text of level skip",
    result: run({
      stdout: `Trust policy is configured to skip signature verification for ${REFERENCE}\n`,
    }),
    want: "NOTATION_FAILED",
  },
  {
    name: "T-07 the success line and exit code 1",
    result: run({ code: 1 }),
    want: "NOTATION_FAILED",
  },
  {
    name: "T-07 the success line and a signal",
    result: run({ code: null, signal: "SIGSEGV" }),
    want: "NOTATION_FAILED",
  },
  {
    name: "T-07 the success line and exit code 0 with a signal",
    result: run({ signal: "SIGKILL" }),
    want: "NOTATION_FAILED",
  },
  {
    name: "T-07 the success line of output that was cut",
    result: run({ truncated: true }),
    want: "NOTATION_FAILED",
  },
  {
    name: "the success line of a run that we ended",
    result: run({ interrupted: true }),
    want: "TIMEOUT",
  },
  {
    name: "F-20 a program that did not start",
    result: run({ code: null, stdout: "", spawnError: "ENOENT" }),
    want: "NOTATION_FAILED",
  },
  {
    name: "F-22 exit code 2 with a panic",
    result: run({
      code: 2,
      stdout: "",
      stderr: "panic: runtime error\n\ngoroutine 1 [running]:\n",
    }),
    want: "NOTATION_FAILED",
  },
  {
    name: "F-22 exit code 2 after a known reason",
    result: run({ code: 2, stdout: "", stderr: failureText(UNTRUSTED, REFERENCE) }),
    want: "NOTATION_FAILED",
  },
  { name: "F-22 exit code 137", result: run({ code: 137 }), want: "NOTATION_FAILED" },
  {
    name: "a known reason of a run that we ended",
    result: run({ code: 1, stderr: failureText(UNTRUSTED, REFERENCE), interrupted: true }),
    want: "TIMEOUT",
  },
  {
    name: "a known reason of output that was cut",
    result: run({ code: 1, stderr: failureText(UNTRUSTED, REFERENCE), truncated: true }),
    want: "NOTATION_FAILED",
  },
  {
    name: "a reason of the signature",
    result: failure(failureText(UNTRUSTED, REFERENCE)),
    want: "UNTRUSTED_SIGNER",
  },
  {
    name: "a reason that stands in the error line itself",
    result: failure(`${EXPERIMENTAL}\nError: malformed trust policy. To create one, see: …\n`),
    want: "TRUST_UNAVAILABLE",
  },
  {
    name: "a trust store that is missing, which both lines name",
    result: failure(
      failureText('the trust store "n" of type "ca" does not exist', REFERENCE).replace(
        /Error: .*/,
        'Error: the trust store "n" of type "ca" does not exist. Use command',
      ),
    ),
    want: "TRUST_UNAVAILABLE",
  },
  {
    name: "a reason without the error line",
    result: failure(failureText(UNTRUSTED, REFERENCE).replace(/Error: .*\n/, "")),
    want: "NOTATION_FAILED",
  },
  {
    name: "an error line for another reference",
    result: failure(failureText(UNTRUSTED, `.@${digestOf("other")}`)),
    want: "NOTATION_FAILED",
  },
  {
    name: "an error line without a reason before it",
    result: failure(
      `${EXPERIMENTAL}\nError: signature verification failed for all the signatures associated with ${REFERENCE}\n`,
    ),
    want: "NOTATION_FAILED",
  },
  { name: "silence", result: failure(""), want: "NOTATION_FAILED" },
];
for (const { name, result, want } of shapes) {
  test(`${name}: ${want}`, () => assert.equal(codeOf(result), want));
}

// What a signer can have printed: whole lines, in a reason or in a line that Notation logs before it.
const CONTENT = "content descriptor mismatch";
const forgedLine = (manifest: string) =>
  `level=warning msg=Signature ${manifest} failed verification with error: ${UNTRUSTED}`;

const forgeries: readonly { name: string; stderr: string; want: string }[] = [
  {
    name: "a forged reason before the true one",
    stderr: failureText(CONTENT, REFERENCE).replace(
      "level=warning",
      () =>
        `level=info msg=Target artifact in signature payload: {MediaType:x\n${forgedLine(digestOf("x"))}\n}\nlevel=warning`,
    ),
    want: "TAMPERED",
  },
  {
    name: "a forged reason after the true one",
    stderr: failureText(`${CONTENT}\n${forgedLine(digestOf("x"))}`, REFERENCE),
    want: "TAMPERED",
  },
  {
    name: "a forged reason within an unknown one",
    stderr: failureText(`oh \n${forgedLine(digestOf("x"))}`, REFERENCE),
    want: "NOTATION_FAILED",
  },
  {
    name: "a forged name of the signature",
    stderr: failureText(
      `${CONTENT}\n${PROCESSING.replace(MANIFEST, digestOf("x"))}\n${forgedLine(digestOf("x"))}`,
      REFERENCE,
    ),
    want: "TAMPERED",
  },
  {
    name: "a second reason with the true name",
    stderr: failureText(`${CONTENT}\n${forgedLine(MANIFEST)}`, REFERENCE),
    want: "NOTATION_FAILED",
  },
  {
    name: "a forged error line",
    stderr: failureText(`${CONTENT}\nError: malformed trust policy`, REFERENCE),
    want: "NOTATION_FAILED",
  },
  {
    name: "a forged success line",
    stderr: failureText(`${CONTENT}\n${SUCCESS}`, REFERENCE),
    want: "TAMPERED",
  },
];
for (const { name, stderr, want } of forgeries) {
  test(`${name} does not win: ${want}`, () => assert.equal(codeOf(failure(stderr)), want));
}

const warnings: readonly { name: string; check: string; text: string; want: string }[] = [
  {
    name: "an untrusted chain",
    check: "authenticity",
    text: UNTRUSTED,
    want: "UNTRUSTED_SIGNER: no certificate of the signature's chain is in the trust stores",
  },
  {
    name: "an expired signature",
    check: "expiry",
    text: 'digital signature has expired on "Thu, 19 Nov 2026 04:21:42 +0000"',
    want: "SIGNATURE_EXPIRED: the signature expired on 2026-11-19T04:21:42Z",
  },
  {
    name: "an expired certificate",
    check: "authenticTimestamp",
    text: 'verification time is after certificate "CN=a" validity period, it was expired at "Thu, 19 Nov 2026 04:21:42 +0000"',
    want: "CERTIFICATE_EXPIRED: a certificate of the signature's chain expired on 2026-11-19T04:21:42Z",
  },
  {
    name: "a revoked certificate",
    check: "revocation",
    text: 'signing certificate with subject "CN=a" is revoked',
    want: "REVOKED: a certificate of the signature is revoked",
  },
  {
    name: "a revocation that nobody knows",
    check: "revocation",
    text: 'signing certificate with subject "CN=a" revocation status is unknown',
    want: "REVOCATION_UNKNOWN: no OCSP or CRL server said whether a certificate is revoked",
  },
  {
    name: "a text that is not known",
    check: "expiry",
    text: "a text of a later version",
    want: "NOTATION_FAILED: Notation gave a reason that is not known",
  },
];
for (const { name, check, text, want } of warnings) {
  test(`${name} that is only logged passes with a warning that tells its reason`, () => {
    const result = run({ stderr: `${EXPERIMENTAL}\n${warningText(check, text)}` });
    const warning = { check, message: want };
    assert.deepEqual(interpret(result, DIGEST), { kind: "passed", warnings: [warning] });
  });
}

test("warnings come in the order of Notation's checks", () => {
  const stderr = LOGGED_CHECKS.map((check) => warningText(check, "x")).join("");
  const judgement = interpret(run({ stderr }), DIGEST);
  assert.ok(judgement.kind === "passed");
  assert.deepEqual(
    judgement.warnings.map(({ check }) => check),
    LOGGED_CHECKS,
  );
});

const lines: readonly { name: string; line: string; want: string }[] = [
  {
    name: "a cache of revocation lists that cannot be made",
    line: "Warning: failed to create crl file cache: mkdir /x: read-only file system",
    want: "passed",
  },
  {
    name: "a cache of revocation lists that cannot be read",
    line: "Warning: CRL cache error discarded. Enable debug log through '-d' for error details.",
    want: "passed",
  },
  {
    name: "a log line on success",
    line: 'level=warning msg=Certificate #1 in the chain with subject "CN=a" neither has an OCSP nor a CRL revocation method.',
    want: "passed",
  },
  {
    name: "a log line that quotes a warning",
    line: `level=warning msg=${warningText("integrity", "x").trim()}`,
    want: "passed",
  },
  {
    name: "T-07 a check that no level may log",
    line: warningText("integrity", "x").trim(),
    want: "NOTATION_FAILED",
  },
  {
    name: "T-07 a check that is not known",
    line: warningText("constructor", "x").trim(),
    want: "NOTATION_FAILED",
  },
  {
    name: "T-07 an action that is not known",
    line: 'Warning: expiry was set to "skip" and failed with error: x',
    want: "NOTATION_FAILED",
  },
  {
    name: "T-07 a warning that is not known",
    line: "Warning: something of a later version",
    want: "NOTATION_FAILED",
  },
  {
    name: "a trust store that is missing, although authenticity is only logged,",
    line: warningText("authenticity", 'the trust store "n" of type "ca" does not exist').trim(),
    want: "TRUST_UNAVAILABLE",
  },
];
for (const { name, line, want } of lines) {
  test(`${name}: ${want}`, () =>
    assert.equal(codeOf(run({ stderr: `${EXPERIMENTAL}\n${line}\n` })), want));
}

// Output that is near what Notation prints, so that the property meets every branch.
const piece = fc.oneof(
  fc.constantFrom(
    SUCCESS,
    SUCCESS.trimEnd(),
    SUCCESS.replace(DIGEST, digestOf("other")),
    `${EXPERIMENTAL}\n`,
    failureText(UNTRUSTED, REFERENCE),
    warningText("expiry", "x"),
    warningText("integrity", "x"),
    "\n",
    "Warning: ",
    "Error: ",
  ),
  fc.string({ unit: "binary", maxLength: 30 }),
);
const output = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(""));

test("T-07 nothing outside the one shape passes, and the one shape does", () => {
  fc.assert(
    fc.property(
      fc.record({
        code: fc.constantFrom(0, 0, 0, 1, 2, 137, null),
        signal: fc.constantFrom(null, null, null, "SIGKILL", "SIGSEGV"),
        stdout: output,
        stderr: output,
        truncated: fc.constantFrom(false, false, true),
        interrupted: fc.constantFrom(false, false, true),
        spawnMs: fc.constant(1),
      }),
      (result) => {
        const isShape =
          result.code === 0 &&
          result.signal === null &&
          !result.truncated &&
          !result.interrupted &&
          result.stdout.split("\n").length > 1 &&
          result.stdout.split("\n")[0] === SUCCESS.trimEnd();
        const { kind } = interpret(result, DIGEST);
        if (!isShape) assert.notEqual(kind, "passed");
        else if (!/^Warning: /m.test(result.stderr)) assert.equal(kind, "passed");
        if (result.interrupted) assert.deepEqual(codeOf(result), "TIMEOUT");
      },
    ),
    { numRuns: 2_000 },
  );
});
