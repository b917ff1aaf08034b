import { isName, NAME_RULE } from "../lib/name.ts";
import { MAX_POLICY_BYTES, parsePolicy, type Policy } from "./policy.ts";
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
  /** By policy name; a file with an invalid name is listed too, as a policy that no key can ask for. */
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
  const { found, gap } = await findPolicies(view);
  const stores = new Map<string, Store>();
  const policies = new Map<string, ReadPolicy>();
  for (const [name, [file = "", second]] of found) {
    const policy = await readPolicy(view, { name, file, stores }, options);
    policies.set(name, second === undefined ? policy : refused(policy, second, BOTH));
  }
  return { policies, gap };
}

const BOTH = `stands beside ${DEFAULT_FILE}, and both would be the policy ${DEFAULT_POLICY}`;

const refused = (policy: ReadPolicy, path: string, message: string): ReadPolicy => ({
  ...policy,
  content: undefined,
  problems: [...policy.problems, { severity: "error", path, message }],
});

/** The files of each policy, by its name. */
interface Found {
  readonly found: ReadonlyMap<string, readonly string[]>;
  readonly gap: Problem | undefined;
}

async function findPolicies(view: View): Promise<Found> {
  const found = new Map<string, string[]>();
  const gapAt = (path: string, message: string): Found => ({
    found,
    gap: { severity: "error", path, message },
  });
  const names = await view.list(".");
  if (isUnreadable(names)) return gapAt(".", names.unreadable);
  if (names.includes(DEFAULT_FILE)) found.set(DEFAULT_POLICY, [DEFAULT_FILE]);
  const files = names.includes(POLICY_FOLDER) ? await view.list(POLICY_FOLDER) : [];
  if (isUnreadable(files)) return gapAt(POLICY_FOLDER, files.unreadable);
  for (const file of files.filter(isPolicyFile)) {
    const name = file.slice(0, -".json".length);
    const known = found.get(name);
    if (known === undefined) found.set(name, [`${POLICY_FOLDER}/${file}`]);
    else known.push(`${POLICY_FOLDER}/${file}`);
  }
  // A directory without any policy is a volume that is not there yet or no more, not a wish.
  return found.size === 0 ? gapAt(".", "holds no trust policy") : { found, gap: undefined };
}

/** Whether a file of `trustpolicies/` is read; editors keep their own files beside it, and hide them. */
export const isPolicyFile = (file: string): boolean =>
  file.endsWith(".json") && !file.startsWith(".");

async function readPolicy(
  view: View,
  found: {
    readonly name: string;
    readonly file: string;
    /** Those that were read already, by name; those that are read now are added. */
    readonly stores: Map<string, Store>;
  },
  options: ReadOptions,
): Promise<ReadPolicy> {
  const { name, file, stores } = found;
  const failed = (message: string): ReadPolicy =>
    refused({ file, content: undefined, problems: [] }, file, message);
  if (!isName(name)) return failed(`is no name of a policy: ${NAME_RULE}`);
  const bytes = await view.readFile(file, MAX_POLICY_BYTES);
  if (isUnreadable(bytes)) return failed(bytes.unreadable);
  const allowWeak = options.allowWeak.includes(name);
  const { policy, problems } = parsePolicy(bytes, file, { allowWeak });
  if (policy === undefined) return { file, content: undefined, problems };
  const named = await readStores(view, policy, stores, options.today);
  const all = [
    ...problems,
    ...named.flatMap((store) => store.problems),
    ...wildcardProblems(policy, file, stores),
  ];
  const certificates = new Map<string, readonly Uint8Array[]>();
  for (const store of named) {
    if (store.certificates !== undefined) certificates.set(store.name, store.certificates);
  }
  const isGood = !all.some((problem) => problem.severity === "error");
  const content = isGood ? { name, policy, stores: certificates } : undefined;
  return { file, content, problems: all };
}

/** The stores that a policy names, each once. */
async function readStores(
  view: View,
  policy: Policy,
  known: Map<string, Store>,
  today: Date,
): Promise<readonly Store[]> {
  const names = new Set(policy.statements.flatMap((statement) => statement.trustStores));
  const stores: Store[] = [];
  for (const text of names) {
    const place = splitStoreName(text);
    if (place === undefined) throw new TypeError(`${text} names no trust store`);
    const store = known.get(text) ?? (await readStore(view, place, today));
    known.set(text, store);
    stores.push(store);
  }
  return stores;
}

/** AWS Signer signs for every AWS account, whatever its store is called. */
function wildcardProblems(
  policy: Policy,
  file: string,
  stores: ReadonlyMap<string, Store>,
): readonly Problem[] {
  const problems: Problem[] = [];
  for (const [index, { trustStores, trustedIdentities }] of policy.statements.entries()) {
    const aws = trustStores.find((store) => stores.get(store)?.isOfAws);
    if (aws === undefined || !trustedIdentities.includes("*")) continue;
    problems.push({
      severity: "error",
      path: `${file}: trustPolicies[${index}].trustedIdentities[0]`,
      message: `"*" with ${aws}, which is AWS Signer's, would trust every AWS account: name profiles`,
    });
  }
  return problems;
}
