// The service as a process of its own, and what it holds while callers and the machine misbehave.
import assert from "node:assert/strict";
import { once } from "node:events";
import { lstatSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { census, descendantsOf, descriptorsOf, isBack, residentBytes } from "../testing/census.ts";
import { HANGS, SUCCEEDS } from "../testing/notation/behaviours.ts";
import { createFakeNotation } from "../testing/notation/fake-notation.ts";
import { until } from "../testing/notation/processes.ts";
import { startProvider } from "../testing/provider/start.ts";
import { startOlareg } from "../testing/registry/olareg.ts";
import { createAuthority } from "../testing/signing/authority.ts";
import { signedImages } from "../testing/signing/images.ts";
import { statement, writeTrust } from "../testing/signing/trust.ts";

const MEBIBYTE = 1024 * 1024;
/** Milliseconds. */
const DEADLINE = 500;

const root = await createAuthority({ name: "trusted" });
const signer = await root.issue({ commonName: "team" });
const directory = await mkdtemp(join(tmpdir(), "limits-"));
writeTrust(directory, { statements: [statement()], stores: { "ca:example": [root.root] } });
const registry = await startOlareg();
const notation = await createFakeNotation();
const provider = await startProvider({
  trust: directory,
  registries: [{ host: registry.host, plainHttp: true, allowedAddresses: ["127.0.0.0/8"] }],
  overrides: {
    server: { drainDelay: "0ms", deadline: `${DEADLINE}ms`, maxConnections: 64 },
    verification: { deadline: "5s" },
    notation: { binary: notation.path, grace: "100ms" },
  },
});
after(async () => {
  await provider[Symbol.asyncDispose]();
  await notation[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const fresh = signedImages({ registry, signer });

const caller = provider.caller();
const warm = await fresh();
const asksWarm = async (): Promise<void> => {
  const { status, response } = await caller.ask([warm]);
  assert.equal(status, 200);
  assert.equal(response.response.items.length, 1);
  assert.equal(response.response.systemError ?? "", "");
};
await asksWarm();

/** Somebody who connects, says something that is no handshake or the beginning of one, and stays. */
async function intrude(bytes: Uint8Array): Promise<Socket> {
  const socket = connect(Number(new URL(provider.url).port), "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(bytes);
  return socket;
}

/** The first bytes of a ClientHello: a record of so many bytes that never come. */
const HELLO = Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3);
const INTRUSIONS: readonly Uint8Array[] = [
  new Uint8Array(0),
  HELLO,
  Buffer.from("POST /validate HTTP/1.1\r\nHost: x\r\n\r\n"),
  Buffer.alloc(20_000, 0x16),
  // A whole record whose name of the server is no name.
  Buffer.concat([HELLO, Buffer.alloc(506, 0xff)]),
];

test("T-64 10,000 handshakes that come to nothing: the known caller is served meanwhile, and nothing of them is left", async () => {
  const before = census(provider.pid, [provider.runtime]);
  const memory = residentBytes(provider.pid);
  const open = new Set<Socket>();
  for (let index = 0; index < 10_000; index += 1) {
    const socket = await intrude(INTRUSIONS[index % INTRUSIONS.length] ?? HELLO);
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    if (index % 500 === 0) {
      await asksWarm();
      const { sockets } = census(provider.pid);
      assert.ok(sockets <= before.sockets + 64, `${sockets} sockets`);
    }
  }
  await asksWarm();
  for (const socket of open) socket.destroy();
  await until(() => isBack(census(provider.pid, [provider.runtime]), before));
  const grown = (residentBytes(provider.pid) - memory) / MEBIBYTE;
  assert.ok(grown < 64, `${grown} MiB more`);
});

test("F-45 a connection for each of 300 requests, none of which its caller closes: all are answered, and afterwards nothing is left of them", async () => {
  const before = census(provider.pid, [provider.runtime]);
  const perCall = provider.caller("perCall");
  for (let index = 0; index < 300; index += 1) {
    assert.equal((await perCall.ask([warm])).status, 200);
  }
  const { sockets } = census(provider.pid);
  assert.ok(sockets <= before.sockets + 64, `${sockets} sockets`);
  await perCall.close();
  await until(() => isBack(census(provider.pid, [provider.runtime]), before));
  await asksWarm();
});

test("T-70 what is written may be read by nobody else, and a run inherits no descriptor of ours", async () => {
  const key = await fresh();
  notation.behave({ verify: HANGS });
  const asking = caller.ask([key]);
  await until(() => notation.read("pids") !== "");
  const { paths } = census(provider.pid, [provider.runtime]);
  assert.ok(paths.some((path) => path.includes("layouts")));
  for (const path of paths) {
    const status = lstatSync(path);
    // A link has no permissions of its own.
    if (status.isSymbolicLink()) continue;
    assert.equal(status.mode & 0o077, 0, `${path}: ${(status.mode & 0o777).toString(8)}`);
  }
  const [run = 0] = notation.read("pids").split(" ").map(Number);
  const ours = new Set(descriptorsOf(provider.pid));
  // What this process was started with without being asked goes on to everybody below it.
  const foreign = new Set(["/dev/null", ...descriptorsOf(process.pid)]);
  assert.ok(ours.size > 10);
  assert.deepEqual(
    descriptorsOf(run).filter((descriptor) => ours.has(descriptor) && !foreign.has(descriptor)),
    [],
  );
  await asking;
  notation.behave({ verify: SUCCEEDS });
});

test("F-27 runs are started by a process of their own, which does not grow with the provider", async () => {
  const [starter = 0] = descendantsOf(provider.pid);
  const key = await fresh();
  notation.behave({ verify: `echo $PPID > "$here/parent"\n${SUCCEEDS}` });
  await caller.ask([key]);
  assert.equal(Number(notation.read("parent")), starter);
  assert.ok(residentBytes(starter) < 128 * MEBIBYTE);
  notation.behave({ verify: SUCCEEDS });
});

test("F-35 a process that stands still for longer than a deadline answers what came before and meanwhile, in whole, and goes on", async () => {
  const key = await fresh();
  notation.behave({ verify: HANGS });
  const runs = notation.runs();
  const before = caller.ask([warm, key]);
  await until(() => notation.runs() > runs);
  process.kill(provider.pid, "SIGSTOP");
  const meanwhile = caller.ask([warm]);
  // Real time is what passes: the kernel's own clock goes on for a process that is stopped.
  await wait(2 * DEADLINE);
  process.kill(provider.pid, "SIGCONT");
  const [late, cached] = await Promise.all([before, meanwhile]);
  assert.deepEqual(
    late.response.response.items.map((item) => item.key),
    [warm],
  );
  assert.match(late.response.response.systemError ?? "", /: TIMEOUT: /);
  assert.equal(cached.response.response.items.length, 1);
  notation.behave({ verify: SUCCEEDS });
  const page = await (await fetch(`${provider.admin}/metrics`)).text();
  const lag = /^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(page)?.[1];
  assert.ok(Number(lag) > DEADLINE / 1000, `the metric tells of it: ${lag}`);
  assert.equal((await fetch(`${provider.admin}/livez`)).status, 200);
  await until(
    () =>
      !notation
        .read("pids")
        .trim()
        .split(" ")
        .some((pid) => descendantsOf(provider.pid).includes(Number(pid))),
  );
  assert.equal((await caller.ask([await fresh()])).response.response.items.length, 1);
});
