import { foldName, isObject, JsonProblem, parseStrictJson } from "../lib/strict-json.ts";

/** Why an envelope is not what it should be; made only here, so that no envelope can pretend to be one. */
export class EnvelopeProblem {
  readonly problem: string;
  constructor(problem: string) {
    this.problem = problem;
  }
}

/** What both kinds of envelope hold, still as foreign values, before the rules that they share. */
export interface EnvelopeParts {
  /** Media type of the payload, from the protected header. */
  readonly contentType: unknown;
  /** The names that a verifier must understand, from the protected header. */
  readonly critical: unknown;
  /** The protected header without algorithm, content type and critical list. Names are compared exactly. */
  readonly attributes: ReadonlyMap<string, unknown>;
  /** The signed payload. */
  readonly payload: Uint8Array;
  /** DER certificates, leaf first; at least one. */
  readonly chain: readonly Uint8Array[];
  /** Reads a time as this kind of envelope writes it: milliseconds since the epoch. */
  readonly time: (value: unknown) => number | undefined;
}

/** Certificates that a chain may have: a leaf, a root and more intermediates than anyone uses. */
export const MAX_CERTIFICATES = 10;

/**
 * Quotes, commas and brackets that a JSON document of a signature may have. Those of signers have some
 * dozens; a megabyte of nothing else would hold up everyone for a fifth of a second.
 */
const MAX_MARKS = 10_000;
/** Reads a JSON object strictly, and its members as {@link membersOf} does. */
export function jsonMembers(
  bytes: Uint8Array,
  what: string,
  names: readonly string[],
): ReadonlyMap<string, unknown> | EnvelopeProblem {
  const value = parseStrictJson(bytes, MAX_MARKS);
  if (value instanceof JsonProblem) return new EnvelopeProblem(`${what}: ${value.problem}`);
  return membersOf(value, what, names);
}

/**
 * The members of an object that Go's JSON reader will read by the names given.
 * @returns a problem when a member is spelt so that only Go would take it for one of the names, see {@link foldName}
 */
export function membersOf(
  value: unknown,
  what: string,
  names: readonly string[],
): ReadonlyMap<string, unknown> | EnvelopeProblem {
  if (!isObject(value)) return new EnvelopeProblem(`${what} is not an object`);
  const folded = new Set(names.map(foldName));
  for (const name of Object.keys(value)) {
    if (!names.includes(name) && folded.has(foldName(name))) {
      return new EnvelopeProblem(`${what} has a member with another spelling of a known name`);
    }
  }
  return new Map(Object.entries(value));
}
