import { MAX_POLICY_BYTES, parsePolicy, type Policy } from "./policy.ts";
import { quoted } from "./policy-report.ts";
import type { SnapshotContent } from "./snapshot.ts";
import { readStore, splitStoreName, type Store } from "./store.ts";
import type { Problem } from "./trust.ts";
import { isUnreadable, type View } from "./view.ts";

/** The name of the policy in `trustpolicy.json`. */
export const DEFAULT_POLICY = "default";

/** Where the default policy stands, relative to the trust directory. */
export const DEFAULT_FILE = "trustpolicy.json";

/** Where the other policies stand, `<name>.json` each. */
export const POLICY_FOLDER = "trustpolicies";

const POLICY_NAME = /^[A-Za-z0-9_.-]{1,64}$/;

/** One policy as the directory has it now. */
export interface ReadPolicy {
  /** Relative to the trust directory. */
  readonly file: string;
  /** Undefined when one of the problems is an error. */
  readonly content: SnapshotContent | undefined;
  /** Of the document and of the stores that it names. */
  readonly problems: readonly Problem[];
}

/** The directory at one moment. */
export interface Reading {
  /** By policy name; a file whose name is none is here too, as a policy that no key can ask for. */
  readonly policies: ReadonlyMap<string, ReadPolicy>;
  /** Why policies may be missing here that are still meant to be; undefined when none is. */
  readonly gap: Problem | undefined;
}

export interface ReadOptions {
  /** Names of the policies that may be weaker than strict without a warning. */
  readonly allowWeak: readonly string[];
  /** For the warnings about certificates that have expired. */
  readonly today: Date;
}

/** Reads every policy and the stores that they name. Never rejects for what is in the directory. */
export async function readTrust(view: View, options: ReadOptions): Promise<Reading> {
  const { files, gap } = await findPolicies(view);
  const stores = new Map<string, Store>();
  const policies = new Map<string, ReadPolicy>();
  for (const [name, file] of files) {
    policies.set(name, await readPolicy(view, { name, file, stores }, options));
  }
  if (files.has(DEFAULT_POLICY) && files.get(DEFAULT_POLICY) !== DEFAULT_FILE) return { policies, gap };
  const second = `${POLICY_FOLDER}/${DEFAULT_POLICY}.json`;
  const twice = policies.get(DEFAULT_POLICY);
  if (twice !== undefined && (await hasSecondDefault(view))) {
    const message = `stands beside ${DEFAULT_FILE}, and both would be the policy ${DEFAULT_POLICY}`;
    const problems = [...twice.problems, { severity: "error" as const, path: second, message }];
    policies.set(DEFAULT_POLICY, { ...twice, content: undefined, problems });
  }
  return { policies, gap };
}
