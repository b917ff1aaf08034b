import { JsonProblem, parseStrictJson } from "../lib/strict-json.ts";
import { LEVELS, oneLine, type Level } from "../verdict/verdict.ts";
import {
  flawOfIdentity,
  isSignerArn,
  isSubset,
  parseSubject,
  uselessnessOfArn,
  type Subject,
} from "./policy-identity.ts";
import { ACTIONS, actionsOf, CHECKS, type Check, type Override } from "./policy-level.ts";
import { createReport, quoted, type Report } from "./policy-report.ts";
import { flawOfScope, uselessness } from "./policy-scope.ts";
import type { Action, Problem } from "./trust.ts";

/** Bytes that a document may have. */
export const MAX_POLICY_BYTES = 1024 * 1024;

/** Subjects of one statement; each is compared with each. */
const MAX_SUBJECTS = 256;

/** Types of trust stores. @see Notary Project trust store specification, "Trust Store" */
export const STORE_TYPES = ["ca", "signingAuthority", "tsa"] as const;
export type StoreType = (typeof STORE_TYPES)[number];

const TIMESTAMP_OPTIONS = ["always", "afterCertExpiry"] as const;

/** One statement as it was written, its absent parts filled in. */
export interface PolicyStatement {
  readonly name: string;
  readonly registryScopes: readonly string[];
  readonly level: Level;
  readonly override: Override;
  /** Absent with level `skip`. */
  readonly verifyTimestamp: (typeof TIMESTAMP_OPTIONS)[number];
  /** `ca|signingAuthority|tsa:NAME`; empty with level `skip`. */
  readonly trustStores: readonly string[];
  readonly trustedIdentities: readonly string[];
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

type Members = ReadonlyMap<string, unknown>;

const STORE_NAME = /^[a-zA-Z0-9_.-]{1,255}$/;

/** Whether a text may name a trust store; `.` and `..` would be directories of their own. */
export const isStoreName = (text: string): boolean =>
  STORE_NAME.test(text) && text !== "." && text !== "..";

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
  reportIdleness(trusted, verification.verifyTimestamp, path, report);
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
    const useless = uselessness(scope);
    if (useless !== undefined) report.warning(at, `${quoted(scope)} ${useless}`);
  }
  return [...scopes.values()];
}

interface Verification {
  readonly level: Level | undefined;
  readonly override: Override;
  readonly verifyTimestamp: PolicyStatement["verifyTimestamp"];
}

function readVerification(value: unknown, path: string, report: Report): Verification | undefined {
  const known = ["level", "override", "verifyTimestamp"];
  const members = membersOf(value, path, known, report);
  if (members === undefined) return undefined;
  const level = LEVELS.find((known) => known === members.get("level"));
  if (level === undefined) report.error(`${path}.level`, `must be one of ${LEVELS.join(", ")}`);
  const override = readOverride(members.get("override"), `${path}.override`, report);
  if (level === "skip" && members.has("override")) {
    report.error(`${path}.override`, "must be absent with level skip");
  }
  const written = members.get("verifyTimestamp");
  const option = TIMESTAMP_OPTIONS.find((known) => known === written);
  if (members.has("verifyTimestamp")) {
    const at = `${path}.verifyTimestamp`;
    if (option === undefined) report.error(at, `must be one of ${TIMESTAMP_OPTIONS.join(", ")}`);
    else if (level === "skip") report.error(at, "must be absent with level skip");
  }
  return { level, override, verifyTimestamp: option ?? "always" };
}

function readOverride(value: unknown, path: string, report: Report): Override {
  if (value === undefined) return {};
  const members = membersOf(value, path, CHECKS, report);
  const override: Partial<Record<Check, Action>> = {};
  for (const check of CHECKS) {
    const written = members?.get(check);
    if (!members?.has(check)) continue;
    const action = ACTIONS.find((known) => known === written);
    if (check === "integrity") report.error(`${path}.${check}`, "cannot be overridden");
    else if (action === undefined) {
      report.error(`${path}.${check}`, `must be one of ${ACTIONS.join(", ")}`);
    } else if (action === "skip" && check !== "revocation") {
      report.error(`${path}.${check}`, "cannot be skipped: only revocation can");
    } else override[check] = action;
  }
  return override;
}

type Trusted = Pick<PolicyStatement, "trustStores" | "trustedIdentities">;

function readTrusted(
  members: Members,
  path: string,
  level: Level | undefined,
  report: Report,
): Trusted {
  const lists = [
    { member: "trustStores", read: readStores },
    { member: "trustedIdentities", read: readIdentities },
  ] as const;
  const [trustStores = [], trustedIdentities = []] = lists.map(({ member, read }) => {
    const at = `${path}.${member}`;
    const value = members.get(member);
    if (level === "skip") {
      // Notation takes an empty list for an absent one.
      const isEmpty = Array.isArray(value) && value.length === 0;
      if (members.has(member) && !isEmpty) report.error(at, "must be absent with level skip");
      return [];
    }
    const texts = readTexts(value, at, report);
    if (texts === undefined) {
      report.error(at, "must be a list with at least one entry, unless the level is skip");
      return [];
    }
    read(texts, at, report);
    return [...texts.values()];
  });
  if (trustStores.some(isAnySigner) && trustedIdentities.includes("*")) {
    reportWildcard(trustStores, path, report);
  }
  return { trustStores, trustedIdentities };
}

const isAnySigner = (store: string) => store.startsWith("signingAuthority:");

/** A signing authority signs for all its customers: `*` then trusts each of them. */
function reportWildcard(stores: readonly string[], path: string, report: Report): void {
  const at = `${path}.trustedIdentities[0]`;
  // The names that AWS gives to its stores; what is in a store is looked at when it is read.
  if (stores.some((store) => /^signingAuthority:aws-/i.test(store))) {
    report.error(at, `"*" with a store of AWS Signer would trust every AWS account: name profiles`);
  } else {
    report.warning(at, '"*" trusts everyone for whom the signing authority signs');
  }
}

function readStores(stores: ReadonlyMap<number, string>, path: string, report: Report): void {
  const seen = new Set<string>();
  let signers = 0;
  for (const [index, store] of stores) {
    const at = `${path}[${index}]`;
    const colon = store.indexOf(":");
    const type = STORE_TYPES.find((known) => known === store.slice(0, Math.max(colon, 0)));
    if (type === undefined) {
      report.error(at, `${quoted(store)} must be ca:NAME, signingAuthority:NAME or tsa:NAME`);
    } else if (!isStoreName(store.slice(colon + 1))) {
      report.error(at, `${quoted(store)} must name a store by letters, digits, "_", "." and "-"`);
    }
    if (type !== "tsa") signers += 1;
    if (seen.has(store)) report.warning(at, `${quoted(store)} is named twice`);
    seen.add(store);
  }
  if (signers === 0) {
    report.error(path, "has only stores for timestamps: no signature could be verified");
  }
}

function readIdentities(
  identities: ReadonlyMap<number, string>,
  path: string,
  report: Report,
): void {
  const seen = new Set<string>();
  const subjects: { readonly at: string; readonly text: string; readonly subject: Subject }[] = [];
  for (const [index, text] of identities) {
    const at = `${path}[${index}]`;
    if (text === "*") {
      if (identities.size > 1) report.error(at, '"*" must stand alone');
      continue;
    }
    const flaw = flawOfIdentity(text);
    if (flaw !== undefined) {
      report.error(at, `${quoted(text)} ${flaw}`);
      continue;
    }
    const useless = isSignerArn(text) ? uselessnessOfArn(text) : undefined;
    if (useless !== undefined) report.warning(at, `${quoted(text)} ${useless}`);
    if (text.startsWith(SUBJECT)) {
      const subject = readSubject(text, at, report);
      if (subject !== undefined) subjects.push({ at, text, subject });
    } else if (seen.has(text)) report.warning(at, `${quoted(text)} is named twice`);
    seen.add(text);
  }
  if (subjects.length > MAX_SUBJECTS) {
    report.error(path, `has more than ${MAX_SUBJECTS} x509.subject identities`);
    return;
  }
  for (const narrow of subjects) {
    const wide = subjects.find((other) => other !== narrow && isSubset(other.subject, narrow.subject));
    if (wide !== undefined) {
      report.error(narrow.at, `${quoted(narrow.text)} says nothing more than ${quoted(wide.text)}`);
    }
  }
}

const SUBJECT = "x509.subject:";

function readSubject(text: string, at: string, report: Report): Subject | undefined {
  const subject = parseSubject(text.slice(SUBJECT.length));
  if ("flaw" in subject) {
    report.error(at, `${quoted(text)} ${subject.flaw}`);
    return undefined;
  }
  if (subject.unmatchable.length > 0) {
    const types = quoted(subject.unmatchable.join(", "));
    report.warning(at, `${types}: Notation knows no such attribute, so no certificate matches`);
  }
  return subject;
}

/** Says which member makes a check weaker than enforced. */
function reportWeakness(level: Level, override: Override, path: string, report: Report): void {
  const verification = `${path}.signatureVerification`;
  const actions = actionsOf(level, override);
  const weak = CHECKS.filter((check) => actions[check] !== "enforce");
  const byLevel = weak.filter((check) => override[check] === undefined);
  if (level === "skip") {
    report.warning(`${verification}.level`, "skip verifies nothing: it is not allowed by name");
  } else if (byLevel.length > 0) {
    const what = byLevel.join(", ");
    report.warning(`${verification}.level`, `${level} only logs ${what}: it is not allowed by name`);
  }
  for (const check of weak.filter((check) => override[check] !== undefined)) {
    const does = actions[check] === "skip" ? "is skipped" : "is only logged";
    report.warning(`${verification}.override.${check}`, `${does}: it is not allowed by name`);
  }
}

/** Says what is written and has no effect. */
function reportIdleness(
  { trustStores, trustedIdentities }: Trusted,
  verifyTimestamp: PolicyStatement["verifyTimestamp"],
  path: string,
  report: Report,
): void {
  if (verifyTimestamp !== "always" && !trustStores.some((store) => store.startsWith("tsa:"))) {
    const at = `${path}.signatureVerification.verifyTimestamp`;
    report.warning(at, "has no effect without a tsa: store");
  }
  const arn = trustedIdentities.findIndex(isSignerArn);
  if (arn !== -1 && trustStores.length > 0 && !trustStores.some(isAnySigner)) {
    const at = `${path}.trustedIdentities[${arn}]`;
    report.warning(at, "has no effect without a signingAuthority: store, where AWS Signer's is");
  }
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

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The members of an object by name; unknown ones are reported, because Notation would ignore them. */
function membersOf(
  value: unknown,
  path: string,
  known: readonly string[],
  report: Report,
): Members | undefined {
  if (!isObject(value)) {
    report.error(path, "must be an object");
    return undefined;
  }
  const members = new Map(Object.entries(value));
  for (const name of members.keys()) {
    if (known.includes(name)) continue;
    const meant = known.find((other) => other.toLowerCase() === name.toLowerCase());
    const at = /^[A-Za-z0-9_-]{1,64}$/.test(name) ? name : quoted(name);
    report.error(
      path === "" ? at : `${path}.${at}`,
      meant === undefined ? "is not a member that Notation knows" : `must be written ${meant}`,
    );
  }
  return members;
}

/** The texts of a list with their places; undefined when it is no list or empty, other entries are reported. */
function readTexts(
  value: unknown,
  path: string,
  report: Report,
): ReadonlyMap<number, string> | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const texts = new Map<number, string>();
  for (const [index, item] of value.entries()) {
    if (typeof item === "string") texts.set(index, item);
    else report.error(`${path}[${index}]`, "must be a text");
  }
  return texts;
}
