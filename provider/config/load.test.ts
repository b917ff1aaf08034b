import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { stringify } from "yaml";
import { loadConfig, parseConfig } from "./load.ts";

/** The least that a file must say. */
const LEAST = {
  server: { tls: { certificate: "tls.crt", key: "tls.key", clientCA: "ca.crt" } },
  trust: { directory: "trust" },
  notation: { binary: "/bin/notation" },
  registries: [{ host: "registry.example.com" }],
};

/** The least, with members of its sections replaced or added. */
const withMembers = (change: Readonly<Record<string, unknown>>): string => {
  const merged: Record<string, unknown> = { ...LEAST };
  for (const [section, members] of Object.entries(change)) {
    const known = merged[section];
    const isSection = typeof members === "object" && members !== null && !Array.isArray(members);
    merged[section] = isSection && typeof known === "object" ? { ...known, ...members } : members;
  }
  return stringify(merged);
};
const registry = (members: Readonly<Record<string, unknown>>) => ({
  registries: [{ host: "registry.example.com", ...members }],
});

const pathsOf = (text: string): readonly string[] => {
  const loaded = parseConfig(text);
  return "problems" in loaded ? loaded.problems.map(({ path }) => path) : [];
};

test("the least that a file must say is enough, and the rest has defaults", () => {
  const loaded = parseConfig(stringify(LEAST));
  assert.ok("config" in loaded);
  const { server, cache, verification } = loaded.config;
  assert.deepEqual(
    [server.deadline, server.maxBody, cache.verified, cache.tags, verification.deadline],
    [1800, 1_048_576, 300_000, 5000, 10_000],
  );
});

test("the default time of a request is cut by a shorter one without a word", () =>
  assert.deepEqual(pathsOf(withMembers({ verification: { deadline: "4s" } })), []));

const WRONG: readonly {
  readonly name: string;
  readonly change: Readonly<Record<string, unknown>>;
  readonly path: string;
}[] = [
  { name: "T-45 an unknown section", change: { servers: {} }, path: "servers" },
  { name: "T-45 a misspelt member", change: { server: { deadlin: "1s" } }, path: "server.deadlin" },
  {
    name: "T-45 an unknown member of a registry",
    change: registry({ insecure: true }),
    path: "registries[0].insecure",
  },
  {
    name: "T-23 a duration without a unit",
    change: { server: { deadline: 5 } },
    path: "server.deadline",
  },
  {
    name: "T-23 a duration without a unit, as text",
    change: { server: { deadline: "5" } },
    path: "server.deadline",
  },
  {
    name: "T-23 a negative duration",
    change: { server: { deadline: "-1s" } },
    path: "server.deadline",
  },
  {
    name: "T-23 a duration that overflows",
    change: { cache: { verified: "999999999h" } },
    path: "cache.verified",
  },
  {
    name: "T-23 a duration of an unknown unit",
    change: { cache: { tags: "1d" } },
    path: "cache.tags",
  },
  { name: "T-23 a life of nothing", change: { cache: { verified: "0s" } }, path: "cache.verified" },
  {
    name: "T-23 a size in the unit of a duration",
    change: { server: { maxBody: "1s" } },
    path: "server.maxBody",
  },
  {
    name: "T-23 a size that is no number",
    change: { server: { maxBody: "NaNMiB" } },
    path: "server.maxBody",
  },
  {
    name: "T-23 a count that is no whole number",
    change: { server: { maxKeys: 1.5 } },
    path: "server.maxKeys",
  },
  {
    name: "T-23 a count of nothing",
    change: { notation: { concurrency: 0 } },
    path: "notation.concurrency",
  },
  {
    name: "T-65 an endpoint of AWS in the clear",
    change: { aws: { endpoints: [{ service: "sts", url: "http://sts.example.com" }] } },
    path: "aws.endpoints[0].url",
  },
  {
    name: "a region that is a host",
    change: { aws: { regions: ["eu-west-1.example.com"] } },
    path: "aws.regions[0]",
  },
  {
    name: "an account with a name",
    change: { aws: { accounts: ["production"] } },
    path: "aws.accounts[0]",
  },
  {
    name: "a role for every account, which nobody would take",
    change: { aws: { roles: { "*": "arn:aws:iam::111122223333:role/reader" } } },
    path: "aws.roles.*",
  },
  {
    name: "T-36 a switch that makes a plugin log what it sends",
    change: { notation: { pluginDirectory: "/p", pluginConfig: { "aws-debug": "true" } } },
    path: "notation.pluginConfig",
  },
  {
    name: "a plugin name that leads elsewhere",
    change: { notation: { plugins: ["../x"] } },
    path: "notation.plugins[0]",
  },
  {
    name: "an address without a port",
    change: { server: { address: "0.0.0.0" } },
    path: "server.address",
  },
  {
    name: "a port beyond the last",
    change: { admin: { address: "0.0.0.0:65536" } },
    path: "admin.address",
  },
  {
    name: "a host in capitals, which no normalised image has",
    change: registry({ host: "Registry.example.com" }),
    path: "registries[0].host",
  },
  {
    name: "a host with a path",
    change: registry({ host: "registry.example.com/team" }),
    path: "registries[0].host",
  },
  {
    name: "T-45 the same host twice",
    change: { registries: [{ host: "r.io" }, { host: "r.io" }] },
    path: "registries[1].host",
  },
  {
    name: "T-45 a CA that plain HTTP never looks at",
    change: registry({ plainHttp: true, ca: "ca.crt" }),
    path: "registries[0].ca",
  },
  {
    name: "an endpoint in plain HTTP without saying so",
    change: registry({ endpoint: "http://r.io" }),
    path: "registries[0].endpoint",
  },
  {
    name: "an endpoint with a path",
    change: registry({ endpoint: "https://r.io/v2" }),
    path: "registries[0].endpoint",
  },
  {
    name: "an address range that is none",
    change: registry({ allowedAddresses: ["10.0.0.0"] }),
    path: "registries[0].allowedAddresses[0]",
  },
  {
    name: "credentials of two kinds",
    change: registry({ credentials: { anonymous: true, dockerConfig: "x" } }),
    path: "registries[0].credentials",
  },
  {
    name: "T-45 a plugin directory that nothing is started from",
    change: { notation: { plugins: [], pluginDirectory: "/plugins" } },
    path: "notation.pluginDirectory",
  },
  {
    name: "T-45 something for plugins without a folder that holds any",
    change: { notation: { pluginConfig: { "aws-region": "eu-west-1" } } },
    path: "notation.pluginConfig",
  },
  {
    name: "T-36 a plugin's debug switch as its environment spells it",
    change: {
      notation: {
        pluginDirectory: "/p",
        pluginConfig: { AWS_SIGNER_NOTATION_PLUGIN_DEBUG: "true" },
      },
    },
    path: "notation.pluginConfig",
  },
  {
    name: "T-45 a time that a shorter one cuts",
    change: registry({ requestTimeout: "20s" }),
    path: "registries[0].requestTimeout",
  },
  {
    name: "T-45 the default time, written down, that a shorter one cuts",
    change: { verification: { deadline: "4s" }, ...registry({ requestTimeout: "5s" }) },
    path: "registries[0].requestTimeout",
  },
  {
    name: "T-45 a name of Docker Hub that no normalised image has",
    change: registry({ host: "index.docker.io" }),
    path: "registries[0].host",
  },
  {
    name: "one address for both listeners",
    change: { server: { address: "[::]:8443" }, admin: { address: "[::]:8443" } },
    path: "admin.address",
  },
  {
    name: "plain HTTP in capitals, without saying so,",
    change: registry({ endpoint: "HTTP://r.io" }),
    path: "registries[0].endpoint",
  },
  {
    name: "an endpoint in TLS that is called plain",
    change: registry({ endpoint: "https://r.io", plainHttp: true }),
    path: "registries[0].endpoint",
  },
  {
    name: "an endpoint with credentials",
    change: registry({ endpoint: "https://user:secret@r.io" }),
    path: "registries[0].endpoint",
  },
  {
    name: "an endpoint with a query",
    change: registry({ endpoint: "https://r.io?x=1" }),
    path: "registries[0].endpoint",
  },
  {
    name: "an endpoint of another protocol",
    change: registry({ endpoint: "ftp://r.io" }),
    path: "registries[0].endpoint",
  },
  { name: "a section without a value", change: { admin: null }, path: "admin" },
  { name: "a number for a text", change: { trust: { directory: 5 } }, path: "trust.directory" },
  { name: "no registry at all", change: { registries: [] }, path: "registries" },
  {
    name: "no registry, and accounts without regions",
    change: { registries: [], aws: { accounts: ["111122223333"] } },
    path: "registries",
  },
  {
    name: "T-45 work that would end before its caller gives up",
    change: { verification: { deadline: "1s" } },
    path: "verification.deadline",
  },
  { name: "an unknown log level", change: { log: { level: "verbose" } }, path: "log.level" },
  { name: "a path with a NUL", change: { trust: { directory: "a\0b" } }, path: "trust.directory" },
];
for (const { name, change, path } of WRONG) {
  test(`${name} is a problem with its path`, () =>
    assert.deepEqual(pathsOf(withMembers(change)), [path]));
}

test("every problem is reported at once", () => {
  const text = withMembers({
    server: { deadline: 1, extra: 1 },
    cache: { tags: "x" },
    ...registry({ host: "A" }),
  });
  assert.deepEqual(
    new Set(pathsOf(text)),
    new Set(["server.deadline", "server.extra", "cache.tags", "registries[0].host"]),
  );
});

test("what is wrong between two members is not hidden by a third", () => {
  const text = withMembers({
    verification: { deadline: "1s" },
    cache: { tags: "x" },
    admin: { address: "0.0.0.0:8443", extra: 1 },
    notation: { plugins: [], pluginDirectory: "/plugins", grace: 5 },
    registries: [
      { host: "r.io", plainHttp: true, ca: "ca.crt", maxWaiting: 0 },
      { host: "r.io", endpoint: "http://r.io", extra: 1 },
    ],
  });
  assert.deepEqual(
    pathsOf(text).toSorted(),
    [
      "admin.extra",
      "cache.tags",
      "notation.grace",
      "notation.pluginDirectory",
      "registries[0].ca",
      "registries[0].maxWaiting",
      "registries[1].endpoint",
      "registries[1].extra",
      "registries[1].host",
      "verification.deadline",
    ].toSorted(),
  );
});

test("a problem names the line of its member, and one of what is missing the line of what should hold it", () => {
  const text =
    "server:\n  tls:\n    key: a\n    clientCA: b\n  deadline: 5\ntrust: {directory: t}\n";
  const loaded = parseConfig(`${text}notation: {binary: n}\nregistries: [{host: r.io}]\n`);
  assert.ok("problems" in loaded);
  assert.deepEqual(
    loaded.problems.map(({ path, line }) => [path, line]),
    [
      ["server.tls.certificate", 3],
      ["server.deadline", 5],
    ],
  );
});

const OWN = { names: ["a.b"], secret: { namespace: "gatekeeper-system" } };
const { tls: FILES } = LEAST.server;
for (const name of ["", "a b", "a,b", "bücher.example", "-a", "fe80::1%eth0", "a..b"]) {
  test(`a serving certificate cannot have the name ${JSON.stringify(name)}`, () => {
    const certificates = { ...OWN, names: ["a.b", "127.0.0.1", "::1", name] };
    const text = stringify({ ...LEAST, server: {}, certificates });
    assert.deepEqual(pathsOf(text), ["certificates.names[3]"]);
  });
}

for (const { name, server, certificates, want } of [
  { name: "files alone", server: { tls: FILES }, certificates: undefined, want: [] },
  { name: "certificates of its own alone", server: {}, certificates: OWN, want: [] },
  { name: "neither", server: {}, certificates: undefined, want: ["server.tls"] },
  { name: "both", server: { tls: FILES }, certificates: OWN, want: ["server.tls"] },
  {
    name: "a CA that hardly outlives what it signs",
    server: {},
    certificates: { ...OWN, authorityLife: "100h", servingLife: "34h" },
    want: ["certificates.servingLife"],
  },
]) {
  test(`certificates are files, or the provider's own: ${name}`, () => {
    const text = stringify({ ...LEAST, server, ...(certificates && { certificates }) });
    assert.deepEqual(pathsOf(text), want);
  });
}

test("what an endpoint hides in front of its host stands in no problem", () => {
  const loaded = parseConfig(withMembers(registry({ endpoint: "https://user:secret@r.io" })));
  assert.doesNotMatch(JSON.stringify(loaded), /secret/);
});

test("an endpoint is kept as its origin", () => {
  const loaded = parseConfig(
    withMembers(registry({ endpoint: "HTTPS://Mirror.Example.com:443/" })),
  );
  assert.ok("config" in loaded);
  assert.equal(loaded.config.registries[0]?.endpoint, "https://mirror.example.com");
});

test("a default that verification.deadline cuts short is no problem", () => {
  assert.deepEqual(pathsOf(withMembers({ verification: { deadline: "3s" } })), []);
});

for (const { member, text, isGood } of [
  { member: "deadline", text: "100ms", isGood: true },
  { member: "deadline", text: "99ms", isGood: false },
  { member: "deadline", text: "0.1s", isGood: true },
  { member: "deadline", text: "9s", isGood: true },
  { member: "deadline", text: "30.001s", isGood: false },
  { member: "deadline", text: " 1s", isGood: false },
  { member: "deadline", text: "1S", isGood: false },
  { member: "deadline", text: "1e3ms", isGood: false },
  { member: "deadline", text: "1.0001s", isGood: false },
  { member: "deadline", text: "1s1ms", isGood: false },
  { member: "maxBody", text: "1KiB", isGood: true },
  { member: "maxBody", text: "1023B", isGood: false },
  { member: "maxBody", text: "16MiB", isGood: true },
  { member: "maxBody", text: "16385KiB", isGood: false },
  { member: "maxBody", text: "1MB", isGood: false },
]) {
  test(`T-23 server.${member}: ${text} is ${isGood ? "taken" : "refused"}`, () =>
    assert.deepEqual(
      pathsOf(withMembers({ server: { [member]: text } })),
      isGood ? [] : [`server.${member}`],
    ));
}

/** Each would be a configuration, were it not for its form. */
const FORMS = [
  { name: "a member that stands twice", text: `${stringify(LEAST)}trust: {directory: b}\n` },
  {
    name: "an alias",
    text: `${stringify({ ...LEAST, trust: undefined })}trust: &x {directory: a}\nadmin: *x\n`,
  },
  {
    name: "a tag of another language",
    text: withMembers({}).replace("directory: ", "directory: !!js/function "),
  },
  { name: "a document after the first", text: `${stringify(LEAST)}---\n${stringify(LEAST)}` },
  {
    name: "T-45 a member that JavaScript would swallow",
    text: withMembers({ notation: { pluginDirectory: "/p", pluginConfig: { a: "b" } } }).replace(
      "a: b",
      "__proto__: b",
    ),
  },
  { name: "a key that is a list", text: `${stringify(LEAST)}? [a]\n: b\n` },
  { name: "brackets that do not end", text: `${stringify(LEAST)}log: {level: [` },
  { name: "a nest without end", text: `${stringify(LEAST)}log: ${"[".repeat(20_000)}` },
  { name: "a list", text: "- a\n" },
  { name: "nothing", text: "" },
];
for (const { name, text } of FORMS) {
  test(`${name} is a problem of the file's form, and the only one`, () => {
    const paths = pathsOf(text);
    assert.ok(paths.length > 0 && paths.length <= 10);
    assert.deepEqual(new Set(paths), new Set(["file"]));
  });
}

test("a merge key is a member like any other, and no member of the configuration", () => {
  const text = withMembers({}).replace(
    "directory: trust",
    "directory: trust\n  <<: {rereadEvery: 1s}",
  );
  assert.deepEqual(pathsOf(text), ["trust.<<"]);
});

test("T-23 no text makes the reader throw", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json().map((text) => text),
      ),
      (text) => {
        assert.ok("problems" in parseConfig(text));
      },
    ),
  );
});

test("relative paths are taken from the folder of the file", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "config-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "provider.yaml");
  writeFileSync(
    file,
    withMembers(registry({ ca: "ca.crt", credentials: { dockerConfig: "/etc/config.json" } })),
  );
  const loaded = loadConfig(file);
  assert.ok("config" in loaded);
  const { trust, notation, registries } = loaded.config;
  assert.deepEqual(
    [trust.directory, notation.binary, registries[0]?.ca, registries[0]?.credentials],
    [
      join(folder, "trust"),
      "/bin/notation",
      join(folder, "ca.crt"),
      { dockerConfig: "/etc/config.json" },
    ],
  );
});

test("a file that is not there is a problem, not an exception", () => {
  const loaded = loadConfig("/nonexistent/provider.yaml");
  assert.ok("problems" in loaded);
  assert.match(loaded.problems[0]?.message ?? "", /ENOENT/);
});
