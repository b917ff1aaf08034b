import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { HANGS, HANGS_STUBBORNLY } from "../../testing/notation/behaviours.ts";
import { isRunning, until } from "../../testing/notation/processes.ts";
import { createStarterClient } from "./starter-client.ts";
import type { Command } from "./run.ts";

const never = new AbortController().signal;

/** The process numbers that a script wrote, as soon as it has. */
async function readPids(path: string): Promise<readonly number[]> {
  for (;;) {
    const text = await readFile(path, "utf8").catch(() => "");
    if (text !== "") return text.trim().split(" ").map(Number);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function setUp(t: TestContext, body: string) {
  const directory = await mkdtemp(join(tmpdir(), "remote-"));
  t.after(async () => await rm(directory, { recursive: true, force: true }));
  const file = join(directory, "program");
  await writeFile(file, `#!/bin/sh\nhere='${directory}'\n${body}\n`);
  await chmod(file, 0o755);
  const runner = createStarterClient({ graceMs: 20, outputBytes: 1000 });
  t.after(async () => {
    await runner.killAll();
    runner[Symbol.dispose]();
  });
  const command: Command = { file, args: ["one two", "--"], cwd: directory, env: { ONLY: "this" } };
  return {
    runner,
    command,
    pids: async () => await readPids(join(directory, "pids")),
  };
}

test("a program runs with its own arguments, directory and environment, and what it prints comes back", async (t) => {
  const { runner, command } = await setUp(
    t,
    `pwd; echo "$1|$2"; env | sort | grep -v '^PWD\\|^_\\|^OLDPWD\\|^SHLVL'; echo no >&2; exit 3`,
  );
  const { code, stdout, stderr, truncated, interrupted } = await runner.run(command, never);
  assert.deepEqual(
    { code, stdout, stderr, truncated, interrupted },
    {
      code: 3,
      stdout: `${command.cwd}\none two|--\nONLY=this\n`,
      stderr: "no\n",
      truncated: false,
      interrupted: false,
    },
  );
});

test("T-34 the process that starts others has no environment of ours", async (t) => {
  const { runner, command } = await setUp(t, "exit 0");
  process.env["A_SECRET_OF_THE_TEST"] = "canary";
  t.after(() => delete process.env["A_SECRET_OF_THE_TEST"]);
  await runner.run(command, never);
  const environment = await readFile(`/proc/${runner.pid}/environ`, "utf8");
  assert.equal(environment.includes("canary"), false);
});

test("a program that is not there is a failure to start, and so is one that may not be run", async (t) => {
  const { runner, command } = await setUp(t, "exit 0");
  const missing = await runner.run({ ...command, file: "/nonexistent/notation" }, never);
  assert.equal(missing.spawnError, "ENOENT");
  await chmod(command.file, 0o644);
  assert.equal((await runner.run(command, never)).spawnError, "EACCES");
});

for (const [name, body] of [
  ["hangs", HANGS],
  ["ignores every signal but SIGKILL", HANGS_STUBBORNLY],
] as const) {
  test(`F-21 a program that ${name} is ended with its group when the signal aborts`, async (t) => {
    const { runner, command, pids } = await setUp(t, body);
    const controller = new AbortController();
    const run = runner.run(command, controller.signal);
    const group = await pids();
    controller.abort();
    assert.equal((await run).interrupted, true);
    await until(() => !group.some(isRunning));
  });
}

test("F-25 output beyond the cap ends the group and is marked", async (t) => {
  const { runner, command } = await setUp(t, "exec yes");
  const { truncated, stdout } = await runner.run(command, never);
  assert.equal(truncated, true);
  assert.ok(stdout.length <= 1000);
});

test("a signal that aborted before starts nothing", async (t) => {
  const { runner, command } = await setUp(t, "exit 0");
  assert.equal((await runner.run(command, AbortSignal.abort())).interrupted, true);
  assert.equal(runner.pid, undefined);
});

test("killAll ends every group, and waits for the runs", async (t) => {
  const { runner, command, pids } = await setUp(t, HANGS_STUBBORNLY);
  const run = runner.run(command, never);
  const group = await pids();
  await runner.killAll();
  assert.equal((await run).interrupted, true);
  // A member that was killed may take a moment to go.
  await until(() => !group.some(isRunning));
});

test("F-26 runs of a starter that is lost are failures to start, and the next run begins another one", async (t) => {
  const { runner, command, pids } = await setUp(
    t,
    `test -e again && exit 0\ntouch again\n${HANGS}`,
  );
  const run = runner.run(command, never);
  const group = await pids();
  const { pid } = runner;
  assert.ok(pid);
  process.kill(pid, "SIGKILL");
  assert.equal((await run).spawnError, "ESTARTER");
  for (const member of group) process.kill(member, "SIGKILL");
  assert.equal((await runner.run(command, never)).code, 0);
  assert.notEqual(runner.pid, pid);
});

test("F-34 when the provider is killed, nothing that was started for it goes on", async (t) => {
  const { command, pids } = await setUp(t, HANGS);
  const source = `
    import { createStarterClient } from ${JSON.stringify(new URL("starter-client.ts", import.meta.url).href)};
    const runner = createStarterClient({ graceMs: 20, outputBytes: 1000 });
    void runner.run(${JSON.stringify(command)}, new AbortController().signal);`;
  const program = join(command.cwd, "provider.mts");
  await writeFile(program, source);
  const provider = fork(program);
  const group = await pids();
  assert.ok(group.every(isRunning));
  provider.kill("SIGKILL");
  await once(provider, "exit");
  await until(() => !group.some(isRunning));
});
