import type { AskedLevel } from "../verdict/verdict.ts";
import type { Policy, PolicyStatement } from "./policy.ts";
import { FORM_OVERRIDE, type Form } from "./trust.ts";

/**
 * The document that a Notation run sees, as JSON: it says what was parsed, so Notation cannot read anything
 * else in it than we did. A statement with level `skip` stays as it is, Notation allows it no overrides.
 * @param level replaces the level of every other statement; absent: their own
 */
export function encodePolicy(policy: Policy, level: AskedLevel | undefined, form: Form): string {
  const trustPolicies = policy.statements.map((statement) => ({
    name: statement.name,
    registryScopes: statement.registryScopes,
    ...(statement.level === "skip" ? SKIP : verified(statement, level, form)),
  }));
  return JSON.stringify({ version: "1.0", trustPolicies });
}

const SKIP = { signatureVerification: { level: "skip" } };

function verified(statement: PolicyStatement, level: AskedLevel | undefined, form: Form) {
  const override = { ...statement.override, ...FORM_OVERRIDE[form] };
  return {
    signatureVerification: {
      level: level ?? statement.level,
      // Members in one order, so that equal meaning is equal text.
      override: Object.fromEntries(Object.entries(override).toSorted(byName)),
      verifyTimestamp: statement.verifyTimestamp,
    },
    trustStores: statement.trustStores,
    trustedIdentities: statement.trustedIdentities,
  };
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) =>
  a < b ? -1 : 1;
