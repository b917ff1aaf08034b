import type { Digest } from "../image/digest.ts";
import {
  LOGGED_CHECKS,
  oneLine,
  undecided,
  type Refusal,
  type Warning,
} from "../verdict/verdict.ts";
import { refusalOf } from "./interpret-reason.ts";
import type { Judgement } from "./judgement.ts";
import type { RunResult } from "./run.ts";

/** What Notation 1.3 prints before anything that a signer may have written: the name of the one signature of the run. */
const PROCESSING =
  /^level=info msg=Processing signature with manifest mediaType: \S+ and digest: (sha256:[0-9a-f]{64})$/m;

/** The check is `\S+`, so that one that we do not know is seen as such. */
const FAILED_CHECK = /^Warning: (\S+) was set to "log" and failed with error: (.*)$/;

/** Warnings that say nothing of the signature. The cache of revocation lists only saves time. */
const HARMLESS = [
  "Warning: This feature is experimental and may not be fully tested or completed",
  "Warning: failed to create crl file cache: ",
  "Warning: CRL cache error discarded.",
];

/**
 * Makes a judgement of what one run of `notation verify -v` on a layout with one signature left behind.
 *
 * Verified is one shape only: the process ended by itself with exit code 0, everything it printed was read, and
 * the first line of stdout is the success line for exactly this digest. Exit code 0 alone says nothing: level `skip`
 * ends so too.
 *
 * Lines of stderr may hold text that a signer chose, even whole lines of it. A reason is believed only where a signer
 * cannot have written its beginning: after the name of the signature manifest, which holds the hash of the envelope
 * and so cannot stand in the envelope, or after the one `Error: ` there is.
 *
 * @param digest of the subject; the reference that was asked for is `.@<digest>`
 */
export function interpret(result: RunResult, digest: Digest): Judgement {
  const broken = breakOf(result);
  if (broken !== undefined) return broken;
  if (result.code === 1) return failureOf(result.stderr, digest);
  if (result.code !== 0) {
    return undecided("NOTATION_FAILED", `Notation ended with code ${result.code}`);
  }
  if (!result.stdout.startsWith(`Successfully verified signature for .@${digest}\n`)) {
    return undecided("NOTATION_FAILED", "Notation ended well without saying that it verified");
  }
  return warningsOf(result.stderr);
}

/** Why nothing that was printed counts. */
function breakOf(result: RunResult): Refusal | undefined {
  if (result.spawnError !== undefined) {
    return undecided("NOTATION_FAILED", `Notation could not be started (${result.spawnError})`);
  }
  if (result.interrupted) {
    return undecided("TIMEOUT", "Notation did not end before the deadline");
  }
  if (result.signal !== null) {
    return undecided("NOTATION_FAILED", `Notation was ended by ${result.signal}`);
  }
  if (result.truncated) {
    return undecided("NOTATION_FAILED", "Notation printed more than it may, or did not finish");
  }
  return undefined;
}

function warningsOf(stderr: string): Judgement {
  const warnings: Warning[] = [];
  for (const line of stderr.split("\n")) {
    if (!line.startsWith("Warning: ") || HARMLESS.some((start) => line.startsWith(start))) continue;
    const [, name, text] = FAILED_CHECK.exec(line) ?? [];
    const check = LOGGED_CHECKS.find((known) => known === name);
    if (check === undefined || text === undefined) {
      return undecided("NOTATION_FAILED", "Notation gave a warning that is not known");
    }
    const refusal = refusalOf(text);
    // Only a level may let a check pass that failed; a trust store that is missing is no check.
    if (refusal.reason === "TRUST_UNAVAILABLE") return refusal;
    warnings.push({ check, message: oneLine(`${refusal.reason}: ${refusal.sentence}`) });
  }
  return { kind: "passed", warnings };
}

function failureOf(stderr: string, digest: Digest): Refusal {
  const lines = stderr.split("\n");
  const [error, ...others] = textsAfter("Error: ", lines);
  if (error === undefined || others.length > 0) return unknown();
  if (
    error !== `signature verification failed for all the signatures associated with .@${digest}`
  ) {
    return refusalOf(error);
  }
  const [, manifest] = PROCESSING.exec(stderr) ?? [];
  if (manifest === undefined) return unknown();
  const prefix = `level=warning msg=Signature ${manifest} failed verification with error: `;
  const [reason, ...further] = textsAfter(prefix, lines);
  return reason === undefined || further.length > 0 ? unknown() : refusalOf(reason);
}

const textsAfter = (prefix: string, lines: readonly string[]): string[] =>
  lines.filter((line) => line.startsWith(prefix)).map((line) => line.slice(prefix.length));

const unknown = (): Refusal =>
  undecided("NOTATION_FAILED", "Notation failed without a reason that is known");
