import type { Level } from "../verdict/verdict.ts";
import {
  flawOfIdentity,
  isSignerArn,
  isSubset,
  parseSubject,
  whyArnUnmatchable,
  type Subject,
} from "./policy-identity.ts";
import { readTexts, type Members } from "./policy-members.ts";
import { quoted, type Report } from "./policy-report.ts";
import type { Verification } from "./policy-verification.ts";

/** Subjects of one statement; each is compared with each. */
const MAX_SUBJECTS = 256;

/** Types of trust stores. @see Notary Project trust store specification, "Trust Store" */
export const STORE_TYPES = ["ca", "signingAuthority", "tsa"] as const;
export type StoreType = (typeof STORE_TYPES)[number];

const STORE_NAME = /^[a-zA-Z0-9_.-]{1,255}$/;

/** Whether a text may name a trust store; `.` and `..` would be directories of their own. */
export const isStoreName = (text: string): boolean =>
  STORE_NAME.test(text) && text !== "." && text !== "..";

/** Whom a statement trusts; both empty with level `skip`. */
export interface Trusted {
  /** `ca|signingAuthority|tsa:NAME`. */
  readonly trustStores: readonly string[];
  /** `*`, `x509.subject: DN`, or a text for a plugin. */
  readonly trustedIdentities: readonly string[];
}

/** Reads both lists of a statement. @param level undefined when it was refused: the lists are then held to the usual rules */
export function readTrusted(
  members: Members,
  path: string,
  level: Level | undefined,
  report: Report,
): Trusted {
  const list = (member: string, lint: typeof lintStores): readonly string[] => {
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
    lint(texts, at, report);
    return [...texts.values()];
  };
  const trustStores = list("trustStores", lintStores);
  const trustedIdentities = list("trustedIdentities", lintIdentities);
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

function lintStores(stores: ReadonlyMap<number, string>, path: string, report: Report): void {
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
    report.warning(path, "has only stores for timestamps: no signature can be verified");
  }
}

function lintIdentities(
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
    const why = isSignerArn(text) ? whyArnUnmatchable(text) : undefined;
    if (why !== undefined) report.warning(at, `${quoted(text)} ${why}`);
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
    const wide = subjects.find(
      (other) => other !== narrow && isSubset(other.subject, narrow.subject),
    );
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

/** Says what is written and has no effect. */
export function reportNoEffect(
  { trustStores, trustedIdentities }: Trusted,
  verifyTimestamp: Verification["verifyTimestamp"],
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
