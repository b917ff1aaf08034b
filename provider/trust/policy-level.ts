import type { Level } from "../verdict/verdict.ts";
import type { Action } from "./trust.ts";

/** The checks of a verification. @see Notary Project trust policy specification, "Signature Verification details" */
export const CHECKS = [
  "integrity",
  "authenticity",
  "authenticTimestamp",
  "expiry",
  "revocation",
] as const;
export type Check = (typeof CHECKS)[number];

export const ACTIONS = ["enforce", "log", "skip"] as const satisfies readonly Action[];

/** What a failure of each check does. */
export type Actions = Readonly<Record<Check, Action>>;

/** Actions that a statement sets beside its level; never of `integrity`. */
export type Override = Readonly<Partial<Record<Check, Action>>>;

/** @see Notary Project trust policy specification, the table of "Signature Verification details" */
const LEVEL_ACTIONS: Readonly<Record<Level, Actions>> = {
  strict: {
    integrity: "enforce",
    authenticity: "enforce",
    authenticTimestamp: "enforce",
    expiry: "enforce",
    revocation: "enforce",
  },
  permissive: {
    integrity: "enforce",
    authenticity: "enforce",
    authenticTimestamp: "log",
    expiry: "log",
    revocation: "log",
  },
  audit: {
    integrity: "enforce",
    authenticity: "log",
    authenticTimestamp: "log",
    expiry: "log",
    revocation: "log",
  },
  skip: {
    integrity: "skip",
    authenticity: "skip",
    authenticTimestamp: "skip",
    expiry: "skip",
    revocation: "skip",
  },
};

/** What each check does at a level with a statement's overrides. */
export const actionsOf = (level: Level, override: Override): Actions => ({
  ...LEVEL_ACTIONS[level],
  ...override,
});
