import assert from "node:assert/strict";
import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";
import { HANGS, HANGS_STUBBORNLY } from "../../testing/notation/behaviours.ts";
import { isRunning, until } from "../../testing/notation/processes.ts";
import { createStarterClient, type StarterClient } from "./starter-client.ts";
import type { Command } from "./run.ts";

const never = new AbortController().signal;

/** The process numbers that a script wrote, as soon as it has. */
async function readPids(path: string): Promise<readonly number[]> {
  await until(() => existsSync(path));
  return (await readFile(path, "utf8")).trim().split(" ").map(Number);
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

test("F-23 a starter that stops before it told of a run leaves no process of that run behind", async (t) => {
  const { runner, command, pids } = await setUp(t, `kill -STOP $PPID\n${HANGS_STUBBORNLY}`);
  const run = runner.run(command, never);
  const group = await pids();
  await runner.killAll();
  assert.equal((await run).spawnError, "ESTARTER");
  await until(() => !group.some(isRunning));
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

test("F-23 runs of a starter that is lost end and are failures to start, and the next run begins another one", async (t) => {
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
  await until(() => !group.some(isRunning));
  assert.equal((await runner.run(command, never)).code, 0);
  assert.notEqual(runner.pid, pid);
});

/** Two ways to end a run, neither of which a starter that was stopped takes part in. */
const ends = [
  { name: "an aborted run", end: async (controller: AbortController) => controller.abort() },
  {
    name: "killAll",
    end: async (_controller: AbortController, runner: StarterClient) => await runner.killAll(),
  },
];
for (const { name, end } of ends) {
  test(
    `F-23 ${name} waits in vain for no starter: it is lost with its runs, and the next run begins another one`,
    { timeout: 10_000 },
    async (t) => {
      const { runner, command, pids } = await setUp(
        t,
        `test -e again && exit 0\ntouch again\n${HANGS_STUBBORNLY}`,
      );
      const controller = new AbortController();
      const run = runner.run(command, controller.signal);
      const group = await pids();
      const { pid } = runner;
      assert.ok(pid);
      // A test that timed out leaves nothing that would be waited for.
      t.signal.addEventListener("abort", () => isRunning(pid) && process.kill(pid, "SIGKILL"));
      process.kill(pid, "SIGSTOP");
      await end(controller, runner);
      assert.equal((await run).spawnError, "ESTARTER");
      assert.equal((await runner.run(command, never)).code, 0);
      await until(() => !isRunning(pid) && !group.some(isRunning));
    },
  );
}

test("F-26 without file descriptors a run is a failure to start, its abort throws nothing, and a later run starts", async (t) => {
  const { command } = await setUp(t, "exit 0");
  const source = `
    import { closeSync, openSync } from "node:fs";
    import { createStarterClient } from ${JSON.stringify(new URL("starter-client.ts", import.meta.url).href)};
    const runner = createStarterClient({ graceMs: 20, outputBytes: 1000 });
    const command = ${JSON.stringify(command)};
    const files = [];
    try {
      for (;;) files.push(openSync("/dev/null"));
    } catch {}
    const controller = new AbortController();
    const run = runner.run(command, controller.signal);
    controller.abort();
    const { spawnError } = await run;
    for (const file of files) closeSync(file);
    const { code } = await runner.run(command, new AbortController().signal);
    console.log(JSON.stringify({ spawnError, code }));`;
  const program = join(command.cwd, "provider.mts");
  await writeFile(program, source);
  const shell = ["-c", 'ulimit -n 64; exec "$@"', "sh", process.execPath, program];
  const { stdout } = await promisify(execFile)("sh", shell);
  assert.deepEqual(JSON.parse(stdout), { spawnError: "ESTARTER", code: 0 });
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
