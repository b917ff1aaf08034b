import { LOGGED_CHECKS, type AskedLevel, type Level } from "../verdict/verdict.ts";

/** A problem of a trust policy or store, found by the linter. */
export interface Problem {
  readonly severity: "error" | "warning";
  /** File relative to the trust directory, and the member in it: `trustpolicy.json: trustPolicies[0].registryScopes[1]`. */
  readonly path: string;
  readonly message: string;
}

/** The checks of a verification. @see Notary Project trust policy specification, "Signature Verification details" */
export const CHECKS = ["integrity", ...LOGGED_CHECKS] as const;
export type Check = (typeof CHECKS)[number];

/** What a check that failed does. */
export const ACTIONS = ["enforce", "log", "skip"] as const;
export type Action = (typeof ACTIONS)[number];

/** What a failure of each check does. */
export type Actions = Readonly<Record<Check, Action>>;

/** Actions that a statement sets beside its level; never of `integrity`. */
export type Override = Readonly<Partial<Actions>>;

/** One statement of a trust policy document, as it was linted. */
export interface Statement {
  readonly name: string;
  /** The statement's own level. */
  readonly level: Level;
  readonly registryScopes: readonly string[];
  readonly trustStores: readonly string[];
  readonly trustedIdentities: readonly string[];
  /** What each check does at `level` (or, if absent, at the statement's own) with the statement's overrides. */
  actions(level?: AskedLevel): Actions;
}

/**
 * Which form of the policy a Notation run sees.
 * - `whole`: the level with the statement's overrides.
 * - `authentic`: the same with authenticity enforced, so that nobody but a trusted signer chooses an address that is called.
 * - `unrevoked`: the same with revocation skipped; for a signature that failed `authentic` on authenticity alone.
 */
export type Form = "whole" | "authentic" | "unrevoked";

/** What a form adds to every statement's overrides. */
export const FORM_OVERRIDE: Readonly<Record<Form, Override>> = {
  whole: {},
  authentic: { authenticity: "enforce" },
  unrevoked: { revocation: "skip" },
};

/** One named trust policy with the stores that it names, as they were at one moment. Never changes. */
export interface TrustSnapshot {
  /** `default`, or the name of the file in `trustpolicies/`. */
  readonly name: string;
  /** SHA-256, hexadecimal, over the policy's meaning and the bytes of the stores that it names. */
  readonly epoch: string;
  /** The statement for `registry/repository`: an exact scope before `*`; undefined when none applies. */
  statement(scope: string): Statement | undefined;
  /**
   * A directory for NOTATION_CONFIG with only real files, made at first use and never changed afterwards.
   * It exists at least until the returned handle is disposed of, even when the snapshot has been replaced.
   * @param level replaces the level of every statement whose own is not `skip`; absent: their own
   */
  open(level: AskedLevel | undefined, form: Form): TrustDirectory;
}

export interface TrustDirectory extends Disposable {
  readonly path: string;
}

/** State of one named policy, for readiness and metrics. */
export interface PolicyState {
  readonly name: string;
  /** `current`: what is on disk is in force; `stale`: the last good one is; `never`: there has been no good one. */
  readonly state: "current" | "stale" | "never";
  readonly problems: readonly Problem[];
}

/** The trust policies in force. Hot: reads of `policy` never block and never see a half-written state. */
export interface Trust {
  /** The snapshot in force; `never` when the policy exists but was never good; undefined when there is none of that name. */
  policy(name: string): TrustSnapshot | "never" | undefined;
  states(): readonly PolicyState[];
  /** Milliseconds since what is in force was last read and found good, by the policy's name; none of one that never was. */
  ages(): ReadonlyMap<string, number>;
  /** Reads the directory now. Resolves when the new state is in force. */
  reload(): Promise<void>;
  /** Stops watching and removes every directory that was made. */
  close(): Promise<void>;
}
