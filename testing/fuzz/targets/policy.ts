import assert from "node:assert/strict";
import { parsePolicy } from "../../../provider/trust/policy.ts";
import { LOGGED_CHECKS, LEVELS } from "../../../provider/verdict/verdict.ts";
import { assertLine, assertNoRepetition } from "../assertions.ts";
import { json } from "../form.ts";
import type { Target } from "../target.ts";

const FILE = "trustpolicy.json";

/**
 * Trust policy documents. A document is in force exactly if no problem of it is an error; every problem is one bounded line; what is
 * in force is unambiguous, and means the same when it is written out and read again.
 */
export const target: Target = {
  name: "policy",
  title:
    "T-14 T-15 T-46 a trust policy is in force exactly if no problem of it is an error, and then means one thing",
  maxBytes: 1_048_577,
  form: json,
  words: [
    "version",
    "1.0",
    "trustPolicies",
    "name",
    "registryScopes",
    "registry.example.com/app",
    "docker.io/library/nginx",
    "*",
    "registry.example.com/*",
    "signatureVerification",
    "level",
    "strict",
    "permissive",
    "audit",
    "skip",
    "override",
    "verifyTimestamp",
    "always",
    "afterCertExpiry",
    "integrity",
    "authenticity",
    "authenticTimestamp",
    "expiry",
    "revocation",
    "enforce",
    "log",
    "trustStores",
    "ca:example",
    "signingAuthority:aws-signer",
    "tsa:example",
    "trustedIdentities",
    "x509.subject: C=US, ST=WA, L=Seattle, O=Example, CN=release",
    "x509.subject:",
    ",",
    "=#",
    "\\,",
    "\\2C",
    "+",
    "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/app",
  ],
  check(input) {
    const { policy, problems } = parsePolicy(input, FILE, { allowWeak: false });
    assert.ok(problems.length <= 1001);
    for (const { path, message, severity } of problems) {
      assertLine(path, 300);
      assertLine(message, 300);
      assert.ok(path.startsWith(FILE));
      assert.ok(severity === "error" || severity === "warning");
    }
    const errors = problems.filter(({ severity }) => severity === "error");
    assert.equal(policy === undefined, errors.length > 0);
    const outcome = [...new Set(problems.map(outcomeOf))].slice(0, 2).join(" | ");
    if (policy === undefined) return outcome;

    assertNoRepetition(Buffer.from(input).toString());
    const { statements } = policy;
    assert.ok(statements.length > 0);
    const scopes = statements.flatMap(({ registryScopes }) => registryScopes);
    assert.equal(new Set(scopes).size, scopes.length);
    assert.equal(new Set(statements.map(({ name }) => name)).size, statements.length);
    for (const { name, level, registryScopes, override } of statements) {
      assertLine(name);
      assert.ok(LEVELS.includes(level));
      assert.ok(registryScopes.length > 0);
      assert.ok(level !== "skip" || !registryScopes.includes("*"));
      const checks: readonly string[] = LOGGED_CHECKS;
      assert.ok(Object.keys(override).every((check) => checks.includes(check)));
    }
    const rewritten = parsePolicy(written(statements), FILE, { allowWeak: false });
    assert.deepEqual(rewritten.policy, policy);
    const allowed = parsePolicy(input, FILE, { allowWeak: true });
    assert.deepEqual(allowed.policy, policy, "weakness is a warning and changes no meaning");
    return `in force: ${outcome}`;
  },
};

type Statements = NonNullable<ReturnType<typeof parsePolicy>["policy"]>["statements"];

/** A document that says what these statements say. */
function written(statements: Statements): Uint8Array {
  const trustPolicies = statements.map((statement) => {
    const { name, registryScopes, level, override, verifyTimestamp } = statement;
    const { trustStores, trustedIdentities } = statement;
    const trusted = level === "skip" ? {} : { trustStores, trustedIdentities };
    const details = level === "skip" ? {} : { override, verifyTimestamp };
    return { name, registryScopes, signatureVerification: { level, ...details }, ...trusted };
  });
  return Buffer.from(JSON.stringify({ version: "1.0", trustPolicies }));
}

const outcomeOf = ({ severity, message }: { severity: string; message: string }): string =>
  `${severity}: ${message.replaceAll(/"(?:[^"\\]|\\.)*"?|[0-9]+/g, "…").slice(0, 60)}`;
