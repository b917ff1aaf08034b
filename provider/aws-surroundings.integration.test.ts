// The service with AWS among what stands in its environment, and on a clock that is wrong: nothing of it decides, and nothing of it
// leaves. The plugin is a program of its own, which notes what it finds.
import assert from "node:assert/strict";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setUpAws } from "../testing/aws/setting.ts";
import { variablesOf } from "../testing/aws/keys.ts";
import type { RunningProvider } from "../testing/provider/start.ts";
import { createWallClock, type WallClock } from "../testing/provider/wall-clock.ts";
import { status } from "../testing/registry/answers.ts";
import { startUnruly } from "../testing/registry/unruly.ts";
import { METADATA } from "./signer/plugin.ts";

interface Surroundings {
  readonly environment?: Readonly<Record<string, string>>;
  /** Path of a plugin in place of the built-in one. */
  readonly plugin?: string;
  readonly clock?: WallClock;
}

async function setUp(t: TestContext) {
  const setting = await setUpAws(t);
  const { credentials } = setting.aws;
  const start = async ({ environment, plugin, clock }: Surroundings): Promise<RunningProvider> =>
    await setting.start({
      ...(plugin !== undefined && { overrides: { signer: { plugin } } }),
      environment: { ...variablesOf(credentials), ...clock?.environment, ...environment },
      ...(clock !== undefined && { preload: clock.preload }),
    });
  return { ...setting, start };
}

/** `verified`, or why not. */
async function ask(provider: RunningProvider, key: string): Promise<string> {
  const { items, systemError } = (await provider.caller().ask([key])).response.response;
  const [item] = items;
  if (item === undefined) return systemError ?? "nothing";
  return item.error ?? (item.value as { readonly outcome: string }).outcome;
}

test("T-34 T-36 what Notation and a plugin find in environment, arguments and files: credentials of AWS for the plugin, and nothing else of ours", async (t) => {
  const { directory, aws, ecr, start, push } = await setUp(t);
  const plugin = join(directory, "plugin");
  const script = `#!/bin/sh
here='${directory}'
if [ "$1" = get-plugin-metadata ]; then
  cat "$here/metadata"
  exit 0
fi
cat /proc/$$/environ > "$here/environ"
cat /proc/$PPID/cmdline > "$here/cmdline"
cat $(find -L "$TMPDIR" "$NOTATION_CACHE" "$NOTATION_CONFIG" -type f) > "$here/files"
exit 1
`;
  await writeFile(join(directory, "metadata"), JSON.stringify(METADATA));
  await writeFile(plugin, script);
  await chmod(plugin, 0o755);
  const provider = await start({
    plugin,
    environment: {
      AWS_SIGNER_NOTATION_PLUGIN_DEBUG: "true",
      AWS_ENDPOINT_URL: "http://evil.example",
      AWS_ENDPOINT_URL_SIGNER: "http://evil.example",
      AWS_CA_BUNDLE: "/evil.pem",
      AWS_PROFILE_NAME: "canary",
      NOTATION_PASSWORD: "canary",
      HTTPS_PROXY: "http://evil.example",
      https_proxy: "http://evil.example",
      CANARY: "canary",
    },
  });
  assert.match(await ask(provider, await push()), /: NOTATION_FAILED: /);
  const found = async (name: string): Promise<string> =>
    await readFile(join(directory, name), "utf8");
  const environ = (await found("environ")).split("\0").filter((entry) => entry !== "");
  const variables = new Map(
    environ.map((entry) => [
      entry.slice(0, entry.indexOf("=")),
      entry.slice(entry.indexOf("=") + 1),
    ]),
  );
  assert.deepEqual([...variables.keys()].toSorted(), [
    "AWS_ACCESS_KEY_ID",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_ENDPOINT_URL_SIGNER",
    "AWS_MAX_ATTEMPTS",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "NOTATION_CACHE",
    "NOTATION_CONFIG",
    "NOTATION_EXPERIMENTAL",
    "NOTATION_LIBEXEC",
    "TMPDIR",
  ]);
  assert.equal(variables.get("AWS_ENDPOINT_URL_SIGNER"), aws.url);
  const given = ecr.tokens[0]?.authorization.replace("Basic ", "") ?? "";
  const password = Buffer.from(given, "base64").toString().slice("AWS:".length);
  assert.ok(password.length > 1000);
  const elsewhere = `${await found("cmdline")}${await found("files")}`;
  assert.ok(elsewhere.includes("team/app-1"), "it has seen the arguments");
  for (const secret of [aws.credentials.secretAccessKey, password, "canary"]) {
    assert.equal(elsewhere.includes(secret), false);
  }
  assert.equal((await found("environ")).includes(password), false);
});

const PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] as const;
const matrix: readonly {
  readonly name: string;
  readonly environment: (url: string) => Readonly<Record<string, string>>;
}[] = [
  { name: "none", environment: () => ({}) },
  {
    name: "capitals",
    environment: (url) => Object.fromEntries(PROXIES.map((name) => [name, url])),
  },
  {
    name: "small letters",
    environment: (url) => Object.fromEntries(PROXIES.map((name) => [name.toLowerCase(), url])),
  },
  {
    name: "all, but not for some hosts",
    environment: (url) => ({
      ...Object.fromEntries(PROXIES.map((name) => [name, url])),
      NO_PROXY: "registry.example.com",
      no_proxy: "",
    }),
  },
  {
    name: "capitals, with Node told to ask them",
    environment: (url) => ({
      ...Object.fromEntries(PROXIES.map((name) => [name, url])),
      NODE_USE_ENV_PROXY: "1",
    }),
  },
];
for (const { name, environment } of matrix) {
  test(`F-46 proxies that the environment names in ${name} are asked nothing, though they would answer 407`, async (t) => {
    await using proxy = await startUnruly();
    proxy.on(/./, status(407, { "proxy-authenticate": "Basic" }));
    const { start, push } = await setUp(t);
    const provider = await start({ environment: environment(proxy.url) });
    assert.equal(await ask(provider, await push()), "verified");
    assert.equal(proxy.connections(), 0);
  });
}

test("F-32 a clock that jumps by an hour or a year, ahead and back, ends no verdict and fails no image, and no age is negative", async (t) => {
  const { directory, aws, start, push } = await setUp(t);
  const clock = createWallClock(join(directory, "wall-clock"));
  const provider = await start({ clock });
  const first = await push();
  assert.equal(await ask(provider, first), "verified");
  const asked = aws.count("GetRevocationStatus");
  for (const hours of [1, -1, 24 * 365, -24 * 365, 0]) {
    clock.set(hours * 3_600_000);
    assert.equal(await ask(provider, first), "verified");
    assert.equal(aws.count("GetRevocationStatus"), asked, "from the cache");
  }
  for (const hours of [1, -1, 24 * 365, -24 * 365, 0]) {
    clock.set(hours * 3_600_000);
    assert.equal(await ask(provider, await push()), "verified", `${hours} hours`);
    const metrics = await (await fetch(`${provider.admin}/metrics`)).text();
    // What expires by the machine's clock has expired a year later.
    const negative = metrics
      .split("\n")
      .filter((line) => /^[^#].* -\d/.test(line) && !line.includes("_expiry_seconds"));
    assert.deepEqual(negative, [], `${hours} hours`);
  }
});
