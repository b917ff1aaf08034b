// The service as a process of its own, on a machine that has no more of something: processes, room, names of files.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, openSync, readdirSync, rmSync, truncateSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import { descendantsOf } from "../testing/census.ts";
import { assertNamespaces } from "../testing/chart/container.ts";
import { until } from "../testing/notation/processes.ts";
import { startProvider, type RunningProvider } from "../testing/provider/start.ts";
import { startOlareg } from "../testing/registry/olareg.ts";
import { createAuthority } from "../testing/signing/authority.ts";
import { signedImages } from "../testing/signing/images.ts";
import { statement, writeTrust } from "../testing/signing/trust.ts";

const root = await createAuthority({ name: "trusted" });
const signer = await root.issue({ commonName: "team" });
const directory = await mkdtemp(join(tmpdir(), "exhaustion-"));
writeTrust(directory, { statements: [statement()], stores: { "ca:example": [root.root] } });
const registry = await startOlareg();
after(async () => {
  await registry[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const fresh = signedImages({ registry, signer });

type Through = NonNullable<Parameters<typeof startProvider>[0]["through"]>;

/** A provider with an image that it knows. */
async function setUp(t: TestContext, through: Through) {
  const provider = await startProvider({
    trust: directory,
    registries: [{ host: registry.host, plainHttp: true, allowedAddresses: ["127.0.0.0/8"] }],
    overrides: { server: { drainDelay: "0ms" } },
    through,
  });
  t.after(async () => await provider[Symbol.asyncDispose]());
  const caller = provider.caller();
  /** What is said of one key: `verified`, or code and sentence. */
  const ask = async (key: string): Promise<string> => {
    const { response } = await caller.ask([key]);
    const { items, systemError = "" } = response.response;
    const [item] = items;
    if (item === undefined) return systemError.replace(`${key}: `, "");
    return item.error ?? (item.value as { readonly outcome: string }).outcome;
  };
  const warm = await fresh();
  assert.equal(await ask(warm), "verified");
  return {
    provider,
    ask,
    /** What must be so whatever has run out: the known is answered, the process lives and says how it is. */
    assertServes: async (): Promise<void> => {
      assert.equal(await ask(warm), "verified");
      assert.equal((await fetch(`${provider.admin}/livez`)).status, 200);
    },
  };
}

// Processes.

/**
 * Linux refuses root no process. So where these tests are root's, the provider is somebody else's who may open root's files,
 * and for anybody else nothing is to be done.
 */
const isRoot = process.getuid?.() === 0;
const asSomebody = ["setpriv", "--reuid=65532", "--regid=65532", "--clear-groups"] as const;
const counted: Through = () =>
  isRoot ? [...asSomebody, "--inh-caps=+dac_override", "--ambient-caps=+dac_override"] : ["env"];

/** Sets how many processes and threads there may be of its user when a process starts another. */
const limit = (pid: number, count: number | "unlimited"): void =>
  void prlimit(pid, `--nproc=${count}:`);
/** The most to which a process's own limit may be set. */
const most = (pid: number): number | "unlimited" => {
  const hard = prlimit(pid, "--nproc", "--output=HARD", "--noheadings").trim();
  return hard === "unlimited" ? hard : Number(hard);
};
const prlimit = (pid: number, ...args: readonly string[]): string => {
  const [program, ...rest] = isRoot
    ? ([...asSomebody, "prlimit"] as const)
    : (["prlimit"] as const);
  return execFileSync(program, [...rest, "--pid", String(pid), ...args], { encoding: "utf8" });
};
const starterOf = ({ pid }: RunningProvider): number => {
  const [starter] = descendantsOf(pid);
  assert.ok(starter !== undefined);
  return starter;
};
const threadsOf = (pid: number): number => readdirSync(`/proc/${pid}/task`).length;

test("F-26 where Notation cannot be started a new image is NOTATION_FAILED, a known one is answered, and all is well as soon as it can be", async (t) => {
  const { provider, ask, assertServes } = await setUp(t, counted);
  const starter = starterOf(provider);
  const hard = most(starter);
  for (let round = 0; round < 3; round += 1) {
    const key = await fresh();
    limit(starter, 1);
    assert.match(await ask(key), /^NOTATION_FAILED: .*EAGAIN/);
    await assertServes();
    limit(starter, hard);
    assert.equal(await ask(key), "verified");
  }
  assert.equal(starterOf(provider), starter, "it was not its fault");
});

test("F-26 where Notation is started and cannot have its threads, a new image is NOTATION_FAILED or verified, and nothing is left of the run", async (t) => {
  const { provider, ask, assertServes } = await setUp(t, counted);
  const starter = starterOf(provider);
  const hard = most(starter);
  const now = threadsOf(provider.pid) + threadsOf(starter);
  const codes = new Set<string>();
  for (let more = 0; more < 10; more += 1) {
    limit(starter, now + more);
    codes.add((await ask(await fresh())).split(":", 1)[0] ?? "");
    await until(() => descendantsOf(provider.pid).length === 1);
  }
  limit(starter, hard);
  assert.equal(await ask(await fresh()), "verified");
  await assertServes();
  for (const code of codes) assert.match(code, /^(?:verified|NOTATION_FAILED)$/);
  assert.ok(codes.has("NOTATION_FAILED"));
});

test("F-26 where the process that starts Notation is lost and cannot be started again, a new image is NOTATION_FAILED until it can be", async (t) => {
  const { provider, ask, assertServes } = await setUp(t, counted);
  const starter = starterOf(provider);
  const hard = most(provider.pid);
  limit(provider.pid, 1);
  process.kill(starter, "SIGKILL");
  await until(() => descendantsOf(provider.pid).length === 0);
  const key = await fresh();
  assert.match(await ask(key), /^NOTATION_FAILED: /);
  await assertServes();
  limit(provider.pid, hard);
  assert.equal(await ask(key), "verified");
  assert.notEqual(starterOf(provider), starter);
});

// Room.

const PAGE = 4096;
const ROOM = 128 * PAGE;

/** A memory file system of this size where the provider writes, which nobody else sees. */
const small =
  (mountOptions: string): Through =>
  (runtime) => [
    "unshare",
    "--user",
    "--map-root-user",
    "--mount",
    "sh",
    "-euc",
    `mount -t tmpfs -o ${mountOptions} tmpfs "$0"; exec "$@"`,
    runtime,
  ];
/** The directory as the provider sees it. */
const inside = ({ pid, runtime }: RunningProvider): string => join(`/proc/${pid}/root`, runtime);
const layouts = (provider: RunningProvider): readonly string[] =>
  readdirSync(inside(provider), { recursive: true, encoding: "utf8" }).filter((path) =>
    path.includes("layouts/"),
  );
const isFull = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ENOSPC";

/** Writes until there is no room at all. @returns bytes that were written */
function fill(path: string): number {
  const file = openSync(path, "w");
  try {
    for (let written = 0; ; written += PAGE) {
      try {
        writeSync(file, Buffer.alloc(PAGE, 1));
      } catch (error) {
        if (!isFull(error)) throw error;
        return written;
      }
    }
  } finally {
    closeSync(file);
  }
}

test("F-28 however little room is left, a new image is NOTATION_FAILED or verified, a known one is answered, nothing stays half-written, and all is well when there is room", async (t) => {
  await assertNamespaces();
  const { provider, ask, assertServes } = await setUp(t, small(`size=${ROOM}`));
  const filler = join(inside(provider), "filler");
  const written = fill(filler);
  assert.ok(written > 0 && written < ROOM);
  const codes: string[] = [];
  for (let pages = 0; pages < 8; pages += 1) {
    truncateSync(filler, written - pages * PAGE);
    codes.push(await ask(await fresh()));
    assert.deepEqual(layouts(provider), []);
    await assertServes();
  }
  assert.match(codes[0] ?? "", /^NOTATION_FAILED: .*\(ENOSPC\)$/);
  assert.equal(codes.at(-1), "verified");
  for (const code of codes) assert.match(code, /^(?:verified$|NOTATION_FAILED: )/);
  fill(filler);
  const key = await fresh();
  assert.match(await ask(key), /^NOTATION_FAILED: .*\(ENOSPC\)$/);
  assert.match(await ask(`${key}?level=permissive`), /^TRUST_UNAVAILABLE: .*\(ENOSPC\)$/);
  rmSync(filler);
  assert.equal(await ask(key), "verified");
  assert.equal(await ask(`${key}?level=permissive`), "verified");
});

test("F-28 where no more files can be made a new image is NOTATION_FAILED, a known one is answered, and all is well when they can", async (t) => {
  await assertNamespaces();
  const { provider, ask, assertServes } = await setUp(t, small("size=1m,nr_inodes=200"));
  const files: string[] = [];
  for (;;) {
    const path = join(inside(provider), `filler-${files.length}`);
    try {
      closeSync(openSync(path, "w"));
      files.push(path);
    } catch (error) {
      if (!isFull(error)) throw error;
      break;
    }
  }
  const key = await fresh();
  // A directory or two, and still not all that is needed.
  for (const path of files.splice(0, 4)) {
    assert.match(await ask(key), /^NOTATION_FAILED: .*\(ENOSPC\)$/);
    assert.deepEqual(layouts(provider), []);
    await assertServes();
    rmSync(path);
  }
  for (const path of files) rmSync(path);
  assert.equal(await ask(key), "verified");
});
