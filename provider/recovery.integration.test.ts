// One service, one fault after the other: what is answered meanwhile, what is left of it, and the next request when it is over.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { census, isBack } from "../testing/census.ts";
import { EXPERIMENTAL, HANGS, HANGS_STUBBORNLY, SUCCEEDS } from "../testing/notation/behaviours.ts";
import { createFakeNotation } from "../testing/notation/fake-notation.ts";
import { until } from "../testing/notation/processes.ts";
import { startProvider } from "../testing/provider/start.ts";
import * as answers from "../testing/registry/answers.ts";
import { startOlareg } from "../testing/registry/olareg.ts";
import { startUnruly } from "../testing/registry/unruly.ts";
import { createAuthority } from "../testing/signing/authority.ts";
import { signedImages } from "../testing/signing/images.ts";
import { statement, writeTrust } from "../testing/signing/trust.ts";

/** What a fault is made of. */
interface Fault {
  readonly name: string;
  /** Code of an image that is not known yet. Of two either may be, as the clock has it. */
  readonly want: RegExp;
  /** What the registry answers to every GET. */
  readonly registry?: answers.Answer;
  /** What Notation does. */
  readonly notation?: string;
}

const FAULTS: readonly Fault[] = [
  { name: "F-02 a registry that fails", registry: answers.status(503), want: /^REGISTRY_ERROR$/ },
  {
    name: "F-03 a registry that throttles",
    registry: answers.status(429, { "retry-after": "2" }),
    want: /^REGISTRY_THROTTLED$/,
  },
  {
    name: "F-04 a registry that resets connections",
    registry: answers.reset(),
    want: /^REGISTRY_UNREACHABLE$/,
  },
  {
    name: "F-05 a registry that is silent",
    registry: answers.silent(),
    want: /^(?:TIMEOUT|REGISTRY_UNREACHABLE)$/,
  },
  {
    name: "F-05 a registry that stalls after its headers",
    registry: answers.stall(),
    want: /^(?:TIMEOUT|REGISTRY_UNREACHABLE|REGISTRY_ERROR)$/,
  },
  {
    name: "F-06 a registry whose bodies do not end",
    registry: answers.endless(),
    want: /^REGISTRY_ERROR$/,
  },
  {
    name: "F-07 a registry that compresses",
    registry: answers.reply({
      headers: { "content-encoding": "gzip" },
      body: gzipSync(Buffer.alloc(10_000_000)),
    }),
    want: /^REGISTRY_ERROR$/,
  },
  {
    name: "F-08 a registry that sends garbage",
    registry: answers.reply({
      headers: { "content-type": "application/vnd.oci.image.manifest.v1+json" },
      body: "[".repeat(100_000),
    }),
    want: /^REGISTRY_ERROR$/,
  },
  {
    name: "F-09 a registry that redirects to itself",
    registry: answers.redirect("/v2/app/manifests/again"),
    want: /^REGISTRY_ERROR$/,
  },
  {
    name: "F-10 a registry that wants what nobody has",
    registry: answers.status(401, { "www-authenticate": 'Basic realm="somewhere"' }),
    want: /^REGISTRY_UNAUTHORIZED$/,
  },
  {
    name: "T-12 a registry that drips",
    registry: answers.drip(20),
    want: /^(?:TIMEOUT|REGISTRY_ERROR|REGISTRY_UNREACHABLE)$/,
  },
  { name: "F-21 a Notation that hangs", notation: HANGS, want: /^TIMEOUT$/ },
  {
    name: "F-21 a Notation that hangs and ignores signals",
    notation: HANGS_STUBBORNLY,
    want: /^TIMEOUT$/,
  },
  { name: "F-22 a Notation that crashes", notation: "kill -SEGV $$", want: /^NOTATION_FAILED$/ },
  {
    name: "F-23 a Notation that leaves a child behind and fails",
    notation: "sleep 1000 &\nexit 3",
    want: /^NOTATION_FAILED$/,
  },
  {
    name: "F-25 a Notation that prints without end",
    notation: `echo "${EXPERIMENTAL}" >&2; yes`,
    want: /^NOTATION_FAILED$/,
  },
  { name: "T-07 a Notation that says nothing", notation: "exit 0", want: /^NOTATION_FAILED$/ },
];

/** Milliseconds. */
const DEADLINE = 500;
/** Far beyond the deadline, and what a caller waits at most: a request that is answered by then was not forgotten. */
const PATIENCE = 10_000;

const root = await createAuthority({ name: "trusted" });
const signer = await root.issue({ commonName: "team" });
const directory = await mkdtemp(join(tmpdir(), "recovery-"));
writeTrust(directory, { statements: [statement()], stores: { "ca:example": [root.root] } });
const olareg = await startOlareg();
const registry = await startUnruly({ upstream: olareg });
const notation = await createFakeNotation();
const provider = await startProvider({
  trust: directory,
  registries: [{ host: registry.host, plainHttp: true, allowedAddresses: ["127.0.0.0/8"] }],
  overrides: {
    server: { drainDelay: "0ms", deadline: `${DEADLINE}ms` },
    // What a caller gave up is ended soon after, so that the census need not wait for it.
    verification: { deadline: `${DEADLINE + 200}ms` },
    notation: { binary: notation.path, grace: "100ms" },
  },
});
after(async () => {
  await provider[Symbol.asyncDispose]();
  await notation[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
  await olareg[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const fresh = signedImages({ registry: olareg, signer, host: registry.host });

const caller = provider.caller();

/** The code of each key: its outcome or its reason. */
async function ask(...keys: readonly string[]): Promise<readonly string[]> {
  const { status, response } = await caller.ask(keys, { signal: AbortSignal.timeout(PATIENCE) });
  assert.equal(status, 200);
  const { items, systemError = "" } = response.response;
  // The host of a key is the caller's own text; nothing else may name where we are or what we write.
  const said = `${systemError} ${items.map(({ error }) => error ?? "").join(" ")}`;
  const rest = keys.reduce((text, key) => text.replaceAll(key, ""), said);
  assert.doesNotMatch(rest, /127\.0\.0\.1|\/tmp|\/dev\/shm|provider\//, "T-72");
  return keys.map((key) => {
    const item = items.find((each) => each.key === key);
    const line = systemError.split("\n").find((each) => each.startsWith(`${key}: `));
    const refusal = item?.error ?? line?.slice(key.length + 2);
    if (refusal !== undefined) return refusal.split(":", 1)[0] ?? "";
    return (item?.value as { readonly outcome: string } | undefined)?.outcome ?? "no answer";
  });
}

/** How often a reason was counted. */
async function counted(reason: string): Promise<number> {
  // A connection that is kept would be in the census.
  const page = await fetch(`${provider.admin}/metrics`, { headers: { connection: "close" } });
  const text = await page.text();
  const line = text
    .split("\n")
    .find(
      (each) =>
        each.startsWith("notation_provider_verifications_total{") &&
        each.includes(`reason="${reason}"`),
    );
  return Number(line?.split(" ").at(-1) ?? 0);
}

const warm = await fresh();
assert.deepEqual(await ask(warm), ["verified"]);

for (const { name, registry: misbehaviour, notation: behaviour, want } of FAULTS) {
  test(`${name} costs a new image its verdict for as long as it lasts, a known one nothing, and leaves nothing behind`, async () => {
    assert.deepEqual(await ask(warm, await fresh()), ["verified", "verified"]);
    const before = census(provider.pid, [provider.runtime]);
    const key = await fresh();
    const reasons = await Promise.all(
      ["TIMEOUT", "REGISTRY_ERROR", "NOTATION_FAILED"].map(async (each) => await counted(each)),
    );
    const lines = provider.log.filter((line) => line.includes(key)).length;

    if (misbehaviour !== undefined) registry.on(/^GET/, misbehaviour);
    if (behaviour !== undefined) notation.behave({ verify: behaviour });
    const [known, code = ""] = await ask(warm, key);
    assert.equal(known, "verified");
    assert.match(code, want);
    const index = ["TIMEOUT", "REGISTRY_ERROR", "NOTATION_FAILED"].indexOf(code);
    if (index !== -1) assert.equal(await counted(code), (reasons[index] ?? 0) + 1);
    await until(() => provider.log.filter((line) => line.includes(key)).length === lines + 1);

    registry.reset();
    registry.cut();
    notation.behave({ verify: SUCCEEDS });
    // A registry that failed again and again is left alone for a moment, work that is under way has its deadline.
    const began = performance.now();
    while ((await ask(key))[0] !== "verified") {
      assert.ok(performance.now() - began < PATIENCE * 2, "it never recovered");
      await wait(50);
    }
    await until(() => isBack(census(provider.pid, [provider.runtime]), before));
  });
}
