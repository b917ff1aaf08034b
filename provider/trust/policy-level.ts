import type { Level } from "../verdict/verdict.ts";
import type { Actions, Override } from "./trust.ts";

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
