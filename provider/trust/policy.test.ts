import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { MAX_POLICY_BYTES, parsePolicy } from "./policy.ts";

const DN = "x509.subject: C=US, ST=WA, O=Acme";

/** A statement without a flaw, with members replaced; `undefined` removes one. */
function statement(members: Readonly<Record<string, unknown>> = {}) {
  return {
    name: "acme",
    registryScopes: ["registry.example.com/acme/app"],
    signatureVerification: { level: "strict" },
    trustStores: ["ca:acme"],
    trustedIdentities: [DN],
    ...members,
  };
}

const documentOf = (...trustPolicies: readonly unknown[]) => ({ version: "1.0", trustPolicies });

const lint = (value: unknown, allowWeak = false) => {
  const bytes = Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
  const { policy, problems } = parsePolicy(bytes, "p.json", { allowWeak });
  return {
    accepted: policy !== undefined,
    problems: problems.map(({ severity, path }) => `${severity} ${path}`),
  };
};

const S = "p.json: trustPolicies[0]";
const skip = {
  signatureVerification: { level: "skip" },
  trustStores: undefined,
  trustedIdentities: undefined,
};
const identities = (...trustedIdentities: readonly unknown[]) =>
  documentOf(statement({ trustedIdentities }));
const scopes = (...registryScopes: readonly unknown[]) => documentOf(statement({ registryScopes }));
const stores = (...trustStores: readonly unknown[]) => documentOf(statement({ trustStores }));
const verification = (signatureVerification: unknown, members = {}) =>
  documentOf(statement({ signatureVerification, ...members }));
const I = `${S}.trustedIdentities`;
const V = `${S}.signatureVerification`;

const refused: readonly { name: string; document: unknown; problems: readonly string[] }[] = [
  { name: "F-44 an empty file", document: "", problems: ["error p.json"] },
  {
    name: "F-44 half a document",
    document: '{"version":"1.0","trustPol',
    problems: ["error p.json"],
  },
  {
    name: "T-45 a repeated member",
    document: '{"version":"1.0","version":"1.0","trustPolicies":[]}',
    problems: ["error p.json"],
  },
  {
    name: "T-45 text after the document",
    document: `${JSON.stringify(documentOf(statement()))} {}`,
    problems: ["error p.json"],
  },
  { name: "a list", document: [], problems: ["error p.json"] },
  {
    name: "an empty object",
    document: {},
    problems: ["error p.json: version", "error p.json: trustPolicies"],
  },
  {
    name: "another version",
    document: { version: "1.1", trustPolicies: [statement()] },
    problems: ["error p.json: version"],
  },
  { name: "no statement", document: documentOf(), problems: ["error p.json: trustPolicies"] },
  {
    name: "T-45 members that Notation would ignore, at every depth",
    document: {
      ...documentOf(
        statement({
          registryScopes: undefined,
          registryscopes: ["r.io/a"],
          signatureVerification: { level: "strict", verifytimestamp: "always", override: { x: 1 } },
        }),
      ),
      comment: "",
    },
    problems: [
      "error p.json: comment",
      `error ${S}.registryscopes`,
      `error ${S}.registryScopes`,
      `error ${V}.verifytimestamp`,
      `error ${V}.override.x`,
    ],
  },
  {
    name: "T-45 a member whose name is not printable",
    document: { ...documentOf(statement()), "a\n\u202eb": 1 },
    problems: ['error p.json: "a  b"'],
  },
  {
    name: "every part of an empty statement",
    document: documentOf({}),
    problems: [
      `error ${S}.name`,
      `error ${S}.registryScopes`,
      `error ${V}`,
      `error ${S}.trustStores`,
      `error ${I}`,
    ],
  },
  {
    name: "a statement that is no object",
    document: documentOf(null, "x"),
    problems: [`error ${S}`, "error p.json: trustPolicies[1]"],
  },
  {
    name: "a blank name",
    document: documentOf(statement({ name: " " })),
    problems: [`error ${S}.name`],
  },
  {
    name: "a name with a line break",
    document: documentOf(statement({ name: "a\nb" })),
    problems: [`error ${S}.name`],
  },
  {
    name: "a name and a scope of two statements",
    document: documentOf(statement(), statement()),
    problems: [
      "error p.json: trustPolicies[1].name",
      "error p.json: trustPolicies[1].registryScopes[0]",
    ],
  },
  {
    name: "a scope twice in one statement",
    document: scopes("r.io/a", "r.io/a"),
    problems: [`error ${S}.registryScopes[1]`],
  },
  {
    name: "the scope * beside another",
    document: scopes("r.io/a", "*"),
    problems: [`error ${S}.registryScopes[1]`],
  },
  {
    name: "the scope * in two statements",
    document: documentOf(
      statement({ registryScopes: ["*"] }),
      statement({ name: "b", registryScopes: ["*"] }),
    ),
    problems: ["error p.json: trustPolicies[1].registryScopes[0]"],
  },
  {
    name: "scopes that are no texts",
    document: scopes(1, null, ["r.io/a"]),
    problems: [0, 1, 2].map((index) => `error ${S}.registryScopes[${index}]`),
  },
  ...[
    "registry.example.com/*",
    "*.example.com/a",
    "registry.example.com/a*",
    "**",
    "registry.example.com",
    "registry.example.com/",
    "/a",
    "",
    "https://registry.example.com/a",
    "registry.example.com/a:tag",
    `registry.example.com/a@sha256:${"a".repeat(64)}`,
    "registry.example.com/A",
    "registry.example.com//a",
    "registry.example.com/a/",
    "registry.example.com/a/../b",
    "registry.example.com/a___b",
    "registry.example.com:/a",
    "-a.example.com/a",
    "a..b/c",
    "[::1]:5000/a",
    " registry.example.com/a",
    "registry.example.com/a\n",
    `registry.example.com/${"a".repeat(2000)}`,
  ].map((scope) => ({
    name: `T-46 the scope ${JSON.stringify(scope.slice(0, 40))}`,
    document: scopes(scope),
    problems: [`error ${S}.registryScopes[0]`],
  })),
  { name: "no level", document: verification({}), problems: [`error ${V}.level`] },
  {
    name: "another level",
    document: verification({ level: "Strict" }),
    problems: [`error ${V}.level`],
  },
  {
    name: "T-15 an override of integrity",
    document: verification({ level: "strict", override: { integrity: "enforce" } }),
    problems: [`error ${V}.override.integrity`],
  },
  {
    name: "T-15 a check other than revocation skipped",
    document: verification({
      level: "strict",
      override: { authenticity: "skip", authenticTimestamp: "skip", expiry: "skip" },
    }),
    problems: ["authenticity", "authenticTimestamp", "expiry"].map(
      (check) => `error ${V}.override.${check}`,
    ),
  },
  {
    name: "an override that is no action, and one that is no object",
    document: documentOf(
      statement({ signatureVerification: { level: "strict", override: { expiry: null } } }),
      statement({
        name: "b",
        registryScopes: ["r.io/b"],
        signatureVerification: { level: "strict", override: [] },
      }),
    ),
    problems: [
      `error ${V}.override.expiry`,
      "error p.json: trustPolicies[1].signatureVerification.override",
    ],
  },
  {
    name: "another time for timestamps",
    document: verification({ level: "strict", verifyTimestamp: "never" }),
    problems: [`error ${V}.verifyTimestamp`],
  },
  {
    name: "T-15 skip with an override",
    document: verification(
      { level: "skip", override: { revocation: "skip" } },
      { ...skip, signatureVerification: { level: "skip", override: { revocation: "log" } } },
    ),
    problems: [`error ${V}.override`, `warning ${V}.level`],
  },
  {
    name: "T-15 skip with stores and identities",
    document: documentOf(statement({ signatureVerification: { level: "skip" } })),
    problems: [`error ${S}.trustStores`, `error ${I}`, `warning ${V}.level`],
  },
  {
    name: "T-15 skip for every repository",
    document: documentOf(statement({ ...skip, registryScopes: ["*"] })),
    problems: [`error ${V}.level`, `warning ${V}.level`],
  },
  {
    name: "empty lists",
    document: documentOf(statement({ trustStores: [], trustedIdentities: [] })),
    problems: [`error ${S}.trustStores`, `error ${I}`],
  },
  {
    name: "stores of no type, of an unknown type, with a path for a name",
    document: stores("acme", "CA:acme", "ca:", "ca:..", "ca:.", "ca:a/b", "x509:a", "ca:a b", 7),
    // What is no text is found while the list is read, before its texts are looked at.
    problems: [8, 0, 1, 2, 3, 4, 5, 6, 7].map((index) => `error ${S}.trustStores[${index}]`),
  },
  {
    name: "T-15 a wildcard identity with a store of AWS",
    document: documentOf(
      statement({ trustStores: ["signingAuthority:aws-signer-ts"], trustedIdentities: ["*"] }),
    ),
    problems: [`error ${I}[0]`],
  },
  {
    name: "a wildcard identity beside another",
    document: identities("*", DN),
    problems: [`error ${I}[0]`],
  },
  ...[
    "",
    "x509.subject",
    "x509.subject:",
    "x509.subject: ",
    "arn:",
    "X509.Subject: C=US, ST=WA, O=Acme",
    "x509.subjects: C=US, ST=WA, O=Acme",
    "x509.subject: C=US",
    "x509.subject: C=US, ST=WA",
    "x509.subject: c=US, st=WA, o=Acme",
    "x509.subject: C=US, ST=WA, O=",
    "x509.subject: C=US, ST=WA, O=Acme,",
    "x509.subject: ,C=US, ST=WA, O=Acme",
    "x509.subject: C=US, ST=WA, O=Acme, O=Acme",
    "x509.subject: C=US, ST=WA, S=WA, O=Acme",
    "x509.subject: C=US, ST=WA, O=Acme+OU=A",
    "x509.subject: C=US, ST=WA, O=Acme, OU",
    "x509.subject: C=US, ST=WA, O=Acme, =x",
    "x509.subject: C=US, ST=WA, O=Acme, O U=x",
    'x509.subject: C=US, ST=WA, O="Acme"',
    "x509.subject: C=US; ST=WA; O=Acme",
    "x509.subject: C=US, ST=WA, O=A<b>",
    "x509.subject: C=US, ST=WA, O=Acme\\",
    "x509.subject: C=US, ST=WA, O=Acme\\zz",
    "x509.subject: C=US, ST=WA, O=\\ff\\fe",
    "x509.subject: C=US, ST=WA, O=a\nb",
    "x509.subject: C=US, ST=WA, O=\ud800",
    `x509.subject: C=US, ST=WA, O=${"a".repeat(5000)}`,
  ].map((identity) => ({
    name: `the identity ${JSON.stringify(identity.slice(0, 60))}`,
    document: identities(identity),
    problems: [`error ${I}[0]`],
  })),
  ...[
    "C=US, ST=WA, O=#04024869",
    "C=US, ST=WA, O= #04024869",
    "C=US, ST=WA, O=Acme, CN=a=#b",
    `C=US, ST=WA, O=Acme, 1.2.3=#${"30".repeat(1500)}`,
  ].map((dn) => ({
    name: `T-14 the encoded value ${dn.slice(0, 40)} (CVE-2023-25656)`,
    document: identities(`x509.subject: ${dn}`),
    problems: [`error ${I}[0]`],
  })),
  {
    name: "identities of which one says nothing more than another, in any order",
    document: identities(
      "x509.subject: C=US, ST=WA, O=Acme, OU=Build",
      "x509.subject: O=Acme,S=WA,C=US",
      "x509.subject: C=US, ST=WA, O=Other",
    ),
    problems: [`error ${I}[0]`],
  },
  {
    name: "one identity written in two ways",
    document: identities(
      "x509.subject: C=US, ST=WA, O=Acme",
      "x509.subject: O=\\41cme , S=WA, C=US",
    ),
    problems: [`error ${I}[0]`, `error ${I}[1]`],
  },
  {
    name: "more subjects than can be compared",
    document: identities(
      ...Array.from({ length: 257 }, (_, index) => `x509.subject: C=US, ST=WA, O=${index}`),
    ),
    problems: [`error ${I}`],
  },
];
for (const { name, document, problems } of refused) {
  test(`refuses ${name}`, () => assert.deepEqual(lint(document), { accepted: false, problems }));
}

const accepted: readonly { name: string; document: unknown; problems?: readonly string[] }[] = [
  { name: "a plain statement", document: documentOf(statement()) },
  { name: "the scope * alone", document: scopes("*") },
  {
    name: "hosts with ports, and every separator of repositories",
    document: scopes("localhost/a", "r:5000/a", "a-b.c--d.io/x.y/x_y/x__y/x---y"),
  },
  {
    name: "identities of plugins beside subjects",
    document: documentOf(
      statement({
        trustStores: ["ca:acme", "signingAuthority:aws-signer-ts", "tsa:time"],
        trustedIdentities: [DN, "arn:aws:signer:us-east-1:111122223333:/signing-profiles/app"],
      }),
    ),
  },
  {
    name: "escapes of RFC 4514 in a subject",
    document: identities(
      "x509.subject: C=US , ST = WA,O=Acme\\, Inc\\2e \\C3\\A9 \ud83d\ude00,CN=\\#1\\ ",
    ),
  },
  { name: "a wildcard identity with a store of one's own", document: identities("*") },
  {
    name: "permissive whose checks all enforce",
    document: verification({
      level: "permissive",
      override: { authenticTimestamp: "enforce", expiry: "enforce", revocation: "enforce" },
    }),
  },
  {
    name: "empty lists and overrides with skip, with a warning for skip",
    document: documentOf(
      statement({
        signatureVerification: { level: "skip", override: {} },
        trustStores: [],
        trustedIdentities: [],
      }),
    ),
    problems: [`warning ${V}.level`],
  },
  {
    name: "T-15 permissive with a warning",
    document: verification({ level: "permissive" }),
    problems: [`warning ${V}.level`],
  },
  {
    name: "T-15 audit with a warning",
    document: verification({ level: "audit", override: { authenticity: "enforce" } }),
    problems: [`warning ${V}.level`],
  },
  {
    name: "T-15 overrides that weaken with a warning each",
    document: verification({
      level: "strict",
      override: { revocation: "skip", expiry: "log", authenticity: "enforce" },
    }),
    problems: [`warning ${V}.override.expiry`, `warning ${V}.override.revocation`],
  },
  {
    name: "T-15 skip of exact repositories with a warning",
    document: documentOf(statement(skip)),
    problems: [`warning ${V}.level`],
  },
  {
    name: "a wildcard identity with a signing authority with a warning",
    document: documentOf(
      statement({ trustStores: ["signingAuthority:acme"], trustedIdentities: ["*"] }),
    ),
    problems: [`warning ${I}[0]`],
  },
  {
    name: "T-45 what has no effect with a warning",
    document: documentOf(
      statement({
        signatureVerification: { level: "strict", verifyTimestamp: "afterCertExpiry" },
        trustStores: ["ca:acme", "ca:acme"],
        trustedIdentities: [
          DN,
          "arn:aws:signer:us-east-1:111122223333:/signing-profile/app",
          "arn:aws:signer:us-east-1:*:/signing-profiles/app",
          "x509.subject: C=US, ST=WA, O=B, DC=b",
          "plugin:a",
          "plugin:a",
        ],
      }),
    ),
    problems: [
      `warning ${S}.trustStores[1]`,
      `warning ${I}[1]`,
      `warning ${I}[2]`,
      `warning ${I}[3]`,
      `warning ${I}[5]`,
      `warning ${V}.verifyTimestamp`,
      `warning ${I}[1]`,
    ],
  },
  {
    name: "only stores for timestamps with a warning",
    document: stores("tsa:time"),
    problems: [`warning ${S}.trustStores`],
  },
  ...["docker.io/nginx", "index.docker.io/library/nginx", "acme/app"].map((scope) => ({
    name: `T-46 ${scope}, which no normalised image has, with a warning`,
    document: scopes(scope),
    problems: [`warning ${S}.registryScopes[0]`],
  })),
];
for (const { name, document, problems = [] } of accepted) {
  test(`accepts ${name}`, () => assert.deepEqual(lint(document), { accepted: true, problems }));
}

test("T-15 what the configuration allows by name is no problem", () => {
  const weak = documentOf(
    statement({ signatureVerification: { level: "audit", override: { revocation: "skip" } } }),
    statement({ ...skip, name: "b", registryScopes: ["r.io/b"] }),
  );
  assert.deepEqual(lint(weak, true), { accepted: true, problems: [] });
});

test("what was left out is filled in, and a subject's text stays as it is", () => {
  const bytes = Buffer.from(JSON.stringify(documentOf(statement())));
  assert.deepEqual(parsePolicy(bytes, "p.json", { allowWeak: false }).policy, {
    statements: [
      {
        name: "acme",
        registryScopes: ["registry.example.com/acme/app"],
        level: "strict",
        override: {},
        verifyTimestamp: "always",
        trustStores: ["ca:acme"],
        trustedIdentities: [DN],
      },
    ],
  });
});

test("T-14 a document beyond the limit is not parsed", () => {
  const text = JSON.stringify(documentOf(statement())).padEnd(MAX_POLICY_BYTES + 1);
  assert.deepEqual(lint(text), { accepted: false, problems: ["error p.json"] });
});

test("T-14 the problems of a hostile document are counted, not all kept", () => {
  const { problems } = lint(`{"version":"1.0","trustPolicies":[${"0,".repeat(400_000)}0]}`);
  assert.equal(problems.length, 1001);
});

// Each of these makes a backtracking or quadratic reader take minutes; the test's own limit would tell.
const slow = [
  { name: "separators of a scope", text: `r.io/${"a-".repeat(500)}!` },
  { name: "labels of a host", text: `${"a-".repeat(500)}!/a` },
  { name: "spaces of a subject", text: `x509.subject: C=${" ".repeat(4000)}x${" ".repeat(50)}` },
  { name: "backslashes of a subject", text: `x509.subject: ${"\\".repeat(4001)}` },
];
for (const { name, text } of slow) {
  test(`T-14 ${name} are read in linear time`, { timeout: 20_000 }, () => {
    const many = Array.from({ length: 200 }, () => text);
    assert.equal(lint(scopes(...many)).accepted, false);
    assert.equal(lint(identities(...many)).accepted, false);
  });
}

test("T-14 no JSON makes the linter throw, and what is accepted has no error", () => {
  const words = fc.constantFrom(
    "*",
    DN,
    "ca:a",
    "r.io/a",
    "skip",
    "strict",
    "log",
    "1.0",
    "",
    "\\",
    "=#",
  );
  const names = fc.constantFrom(
    "version",
    "trustPolicies",
    "name",
    "registryScopes",
    "signatureVerification",
    "level",
    "override",
    "revocation",
    "trustStores",
    "trustedIdentities",
    "__proto__",
    "constructor",
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      words,
      fc.jsonValue(),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(names, tie("value"), { maxKeys: 6 }),
    ),
  }));
  const mutated = fc.record(
    {
      name: value,
      registryScopes: value,
      signatureVerification: value,
      trustStores: value,
      trustedIdentities: value,
    },
    { requiredKeys: [] },
  );
  const anything = fc.oneof(
    value,
    mutated.map((members) => documentOf(statement(members))),
  );
  fc.assert(
    fc.property(anything, (document) => {
      const got = lint(document);
      assert.equal(got.accepted, !got.problems.some((problem) => problem.startsWith("error")));
    }),
    { numRuns: 500 },
  );
});

test("T-14 no bytes make the linter throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.equal(parsePolicy(bytes, "p.json", { allowWeak: false }).policy, undefined);
    }),
  );
});
