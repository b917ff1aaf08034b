import { isObject, JsonProblem, parseStrictJson } from "../lib/strict-json.ts";
import { oneLine, type Level } from "../verdict/verdict.ts";
import { membersOf, readTexts } from "./policy-members.ts";
import { createReport, quoted, type Report } from "./policy-report.ts";
import { flawOfScope, whyUnmatchable } from "./policy-scope.ts";
import { readTrusted, reportNoEffect, type Trusted } from "./policy-trusted.ts";
import { readVerification, reportWeakness, type Verification } from "./policy-verification.ts";
import type { Override, Problem } from "./trust.ts";

/** Bytes that a document may have. */
export const MAX_POLICY_BYTES = 1024 * 1024;

/** One statement as it was written, its absent parts filled in. */
export interface PolicyStatement extends Trusted {
  readonly name: string;
  /** `registry/repository`, or `*` alone. */
  readonly registryScopes: readonly string[];
  readonly level: Level;
  readonly override: Override;
  /** Of no meaning with level `skip`. */
  readonly verifyTimestamp: Verification["verifyTimestamp"];
}

/** A trust policy document that Notation accepts and that the linter found no error in. */
export interface Policy {
  readonly statements: readonly PolicyStatement[];
}

export interface ParsedPolicy {
  /** Undefined when one of the problems is an error. */
  readonly policy: Policy | undefined;
  readonly problems: readonly Problem[];
}

/**
 * Reads and lints a trust policy document: every problem with its path. An error is what Notation or the
 * specification refuses, what two readers could take differently, or what would trust more than was
 * written; a warning is what is weak or has no effect.
 * @param allowWeak whether the configuration allows checks that do not enforce; without it they are warnings
 * @see Notary Project trust policy specification 1.1; notation-go `verifier/trustpolicy`
 */
export function parsePolicy(
  bytes: Uint8Array,
  file: string,
  { allowWeak }: { readonly allowWeak: boolean },
): ParsedPolicy {
  const report = createReport(file);
  const policy = readDocument(bytes, report, allowWeak);
  return { policy: report.failed ? undefined : policy, problems: report.problems() };
}

function readDocument(bytes: Uint8Array, report: Report, allowWeak: boolean): Policy | undefined {
  if (bytes.length > MAX_POLICY_BYTES) {
    report.error("", `is larger than ${MAX_POLICY_BYTES} bytes`);
    return undefined;
  }
  if (bytes.length === 0) {
    report.error("", "is empty");
    return undefined;
  }
  const value = parseStrictJson(bytes);
  if (value instanceof JsonProblem) {
    report.error("", value.problem);
    return undefined;
  }
  const members = membersOf(value, "", ["version", "trustPolicies"], report);
  if (members === undefined) return undefined;
  const version = members.get("version");
  if (version !== "1.0") report.error("version", 'must be "1.0"');
  const list = members.get("trustPolicies");
  if (!Array.isArray(list) || list.length === 0) {
    report.error("trustPolicies", "must be a list with at least one statement");
    return undefined;
  }
  const statements: PolicyStatement[] = [];
  for (const [index, item] of list.entries()) {
    const statement = readStatement(item, `trustPolicies[${index}]`, report, allowWeak);
    if (statement !== undefined) statements.push(statement);
  }
  reportRepetitions(list, report);
  return { statements };
}

const STATEMENT_MEMBERS = [
  "name",
  "registryScopes",
  "signatureVerification",
  "trustStores",
  "trustedIdentities",
];

function readStatement(
  value: unknown,
  path: string,
  report: Report,
  allowWeak: boolean,
): PolicyStatement | undefined {
  const members = membersOf(value, path, STATEMENT_MEMBERS, report);
  if (members === undefined) return undefined;
  const name = readName(members.get("name"), `${path}.name`, report);
  const registryScopes = readScopes(members.get("registryScopes"), path, report);
  const verification = readVerification(
    members.get("signatureVerification"),
    `${path}.signatureVerification`,
    report,
  );
  const level = verification?.level;
  const trusted = readTrusted(members, path, level, report);
  if (verification === undefined || level === undefined) return undefined;
  if (level === "skip" && registryScopes.includes("*")) {
    report.error(
      `${path}.signatureVerification.level`,
      'skip with the scope "*" would verify nothing',
    );
  }
  if (!allowWeak) reportWeakness(level, verification.override, path, report);
  reportNoEffect(trusted, verification.verifyTimestamp, path, report);
  return { name, registryScopes, ...verification, level, ...trusted };
}

function readName(value: unknown, path: string, report: Report): string {
  if (typeof value !== "string" || value.trim() === "") {
    report.error(path, "must be a text that is not empty");
    return "";
  }
  if (oneLine(value) !== value) {
    report.error(path, "must have no control characters and at most 200 bytes");
  }
  return value;
}

function readScopes(value: unknown, statement: string, report: Report): readonly string[] {
  const path = `${statement}.registryScopes`;
  const scopes = readTexts(value, path, report);
  if (scopes === undefined) {
    report.error(path, "must be a list with at least one scope");
    return [];
  }
  for (const [index, scope] of scopes) {
    const at = `${path}[${index}]`;
    if (scope === "*") {
      if (scopes.size > 1) report.error(at, '"*" must stand alone');
      continue;
    }
    const flaw = flawOfScope(scope);
    if (flaw !== undefined) {
      report.error(at, `${quoted(scope)} ${flaw}`);
      continue;
    }
    const why = whyUnmatchable(scope);
    if (why !== undefined) report.warning(at, `${quoted(scope)} ${why}`);
  }
  return [...scopes.values()];
}

/** Names and scopes belong to one statement each, whether the rest of it is well or not. */
function reportRepetitions(list: readonly unknown[], report: Report): void {
  const names = new Map<string, string>();
  const scopes = new Map<string, string>();
  const claim = (taken: Map<string, string>, value: unknown, at: string) => {
    if (typeof value !== "string") return;
    const first = taken.get(value);
    if (first === undefined) taken.set(value, at);
    else report.error(at, `${quoted(value)} is already at ${first}`);
  };
  for (const [index, statement] of list.entries()) {
    if (!isObject(statement)) continue;
    const at = `trustPolicies[${index}]`;
    claim(names, statement["name"], `${at}.name`);
    const written = statement["registryScopes"];
    if (!Array.isArray(written)) continue;
    for (const [position, scope] of written.entries()) {
      claim(scopes, scope, `${at}.registryScopes[${position}]`);
    }
  }
}
