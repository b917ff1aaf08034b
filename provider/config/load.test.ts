import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { stringify } from "yaml";
import { loadConfig, parseConfig, readEnvironment } from "./load.ts";

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
    name: "T-36 a switch that makes a plugin log what it sends",
    change: { notation: { pluginConfig: { "aws-debug": "true" } } },
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
  { name: "no registry at all", change: { registries: [] }, path: "registries" },
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

const NOT_YAML = [
  { name: "a member that stands twice", text: "trust: {directory: a}\ntrust: {directory: b}\n" },
  { name: "an alias", text: "trust: &x {directory: a}\nnotation: *x\n" },
  { name: "a list", text: "- a\n" },
  { name: "nothing", text: "" },
  { name: "brackets that do not end", text: "trust: {directory: [" },
  { name: "a tag of another language", text: "trust: !!js/function x\n" },
  {
    name: "a document after the first",
    text: "trust: {directory: a}\n---\ntrust: {directory: b}\n",
  },
];
for (const { name, text } of NOT_YAML) {
  test(`${name} is no configuration`, () => assert.notDeepEqual(pathsOf(text), []));
}

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

for (const name of ["NODE_TLS_REJECT_UNAUTHORIZED", "SSLKEYLOGFILE"]) {
  test(`${name} in the environment is a problem, whatever its value`, () => {
    assert.deepEqual(
      readEnvironment({ [name]: "" }).map(({ path }) => path),
      [`environment ${name}`],
    );
    assert.deepEqual(readEnvironment({ PATH: "/bin" }), []);
  });
}
