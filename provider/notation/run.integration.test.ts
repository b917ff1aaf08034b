import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { test, type TestContext } from "node:test";
import {
  HANGS,
  HANGS_STUBBORNLY,
  LEAVES_A_CHILD,
  LEAVES_A_SESSION,
} from "../../testing/notation/behaviours.ts";
import { isRunning, until } from "../../testing/notation/processes.ts";
import { createRunner, type RunResult } from "./run.ts";

const never = new AbortController().signal;

interface Script {
  readonly file: string;
  readonly directory: string;
  /** Starts the program; the last argument is the reference of scripts that print one. */
  run(signal?: AbortSignal): Promise<RunResult>;
  killAll(): Promise<void>;
  /** Waits until the script wrote its process numbers. */
  pids(): Promise<readonly number[]>;
}

async function scriptOf(
  t: TestContext,
  body: string,
  { graceMs = 20, outputBytes = 65_536 } = {},
): Promise<Script> {
  const directory = await mkdtemp(join(tmpdir(), "run-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, "program");
  await writeFile(file, `#!/bin/sh\nhere='${directory}'\nreference=it\n${body}\n`);
  await chmod(file, 0o755);
  const runner = createRunner({ graceMs, outputBytes, now: () => performance.now() });
  t.after(() => runner.killAll());
  return {
    file,
    directory,
    run: (signal = never) => runner.run({ file, args: [], cwd: directory, env: {} }, signal),
    killAll: () => runner.killAll(),
    async pids() {
      await until(() => existsSync(join(directory, "pids")));
      const text = await readFile(join(directory, "pids"), "utf8");
      return text.trim().split(" ").map(Number);
    },
  };
}

/** Sets how many descriptors this process may have open. */
const limitFiles = (count: string) =>
  execFileSync("prlimit", ["--pid", String(process.pid), `--nofile=${count}:`]);

const noneOf = (pids: readonly number[]) => pids.filter(isRunning);

test("a run that ends by itself gives its code and everything it printed", async (t) => {
  const script = await scriptOf(t, "echo out; echo err >&2; exit 3");
  const { spawnMs, ...result } = await script.run();
  assert.deepEqual(result, {
    code: 3,
    signal: null,
    stdout: "out\n",
    stderr: "err\n",
    truncated: false,
    interrupted: false,
  });
  assert.ok(spawnMs > 0);
});

test("the environment of the child is the one given and nothing else", async (t) => {
  process.env["RUN_CANARY"] = "secret";
  t.after(() => delete process.env["RUN_CANARY"]);
  const runner = createRunner({ graceMs: 20, outputBytes: 65_536, now: () => 0 });
  const result = await runner.run(
    { file: "/usr/bin/env", args: [], cwd: "/", env: { ONLY: "this" } },
    never,
  );
  assert.equal(result.stdout, "ONLY=this\n");
});

test("F-22 a process that a signal ended gives the signal", async (t) => {
  const script = await scriptOf(t, "kill -SEGV $$");
  const { code, signal } = await script.run();
  assert.deepEqual({ code, signal }, { code: null, signal: "SIGSEGV" });
});

const starts = [
  { name: "F-20 a missing program", file: "/nonexistent/notation", want: "ENOENT" },
  { name: "F-20 a program without execute bit", file: "/etc/passwd", want: "EACCES" },
  { name: "F-20 a directory", file: "/tmp", want: "EACCES" },
  { name: "a relative path, which PATH would be asked for,", file: "sh", want: "ENOENT" },
];
for (const { name, file, want } of starts) {
  test(`${name} is a value: ${want}`, async () => {
    const runner = createRunner({ graceMs: 20, outputBytes: 65_536, now: () => 0 });
    const result = await runner.run({ file, args: [], cwd: "/", env: {} }, never);
    assert.deepEqual([result.spawnError, result.code, result.interrupted], [want, null, false]);
  });
}

test("F-20 a program of another architecture fails: the C library gives it to a shell, which cannot read it", async (t) => {
  const script = await scriptOf(t, "");
  await writeFile(script.file, "\u007fELF nothing that runs here");
  const { code, spawnError } = await script.run();
  assert.ok(spawnError !== undefined || (code !== null && code !== 0));
});

test("a missing working directory and an argument with a NUL are values", async () => {
  const runner = createRunner({ graceMs: 20, outputBytes: 65_536, now: () => 0 });
  const command = { file: "/bin/true", args: [], cwd: "/", env: {} };
  const lost = await runner.run({ ...command, cwd: "/nonexistent" }, never);
  const odd = await runner.run({ ...command, args: ["\0"] }, never);
  assert.deepEqual([lost.spawnError, odd.spawnError], ["ENOENT", "ERR_INVALID_ARG_VALUE"]);
});

test("F-26 no file descriptor left is a value: EMFILE, and the next run is well", async (t) => {
  const { pid } = process;
  const before = /Max open files\s+(\d+)/.exec(readFileSync(`/proc/${pid}/limits`, "utf8"))?.[1];
  assert.ok(before !== undefined);
  const script = await scriptOf(t, "exit 0");
  limitFiles("200");
  t.after(() => limitFiles(before));
  const open: number[] = [];
  assert.throws(
    () => {
      for (;;) open.push(openSync("/dev/null", "r"));
    },
    { code: "EMFILE" },
  );
  const { spawnError, code } = await script.run();
  for (const descriptor of open) closeSync(descriptor);
  assert.deepEqual([spawnError, code], ["EMFILE", null]);
  assert.equal((await script.run()).code, 0);
});

test("F-21 SIGINT ends a hanging group, and the run says that it was us", async (t) => {
  const script = await scriptOf(t, HANGS, { graceMs: 60_000 });
  const caller = new AbortController();
  const running = script.run(caller.signal);
  const pids = await script.pids();
  caller.abort();
  const { interrupted, signal } = await running;
  assert.deepEqual({ interrupted, signal }, { interrupted: true, signal: "SIGINT" });
  // In a shell's background SIGINT is ignored, so the child is ended by the SIGKILL that follows the exit.
  await until(() => noneOf(pids).length === 0);
});

test("F-21 what ignores SIGINT is killed after the grace, with its child that holds the pipes", async (t) => {
  const script = await scriptOf(t, HANGS_STUBBORNLY);
  const caller = new AbortController();
  const running = script.run(caller.signal);
  const pids = await script.pids();
  caller.abort();
  const { interrupted, signal } = await running;
  assert.deepEqual({ interrupted, signal }, { interrupted: true, signal: "SIGKILL" });
  await until(() => noneOf(pids).length === 0);
});

test("F-23 a child that a normal end leaves in the group is ended too", async (t) => {
  const script = await scriptOf(t, LEAVES_A_CHILD);
  const { code, truncated, stdout } = await script.run();
  assert.deepEqual(
    { code, truncated, stdout },
    { code: 0, truncated: false, stdout: "Successfully verified signature for it\n" },
  );
  const pids = await script.pids();
  await until(() => noneOf(pids).length === 0);
});

test("F-21 a child in a session of its own holds the pipes no longer than our patience, and the output counts as cut", async (t) => {
  const script = await scriptOf(t, LEAVES_A_SESSION);
  const { code, truncated } = await script.run();
  const [left] = await script.pids();
  assert.ok(left !== undefined && isRunning(left), "else the pipes ended by themselves");
  process.kill(left, "SIGKILL");
  assert.deepEqual({ code, truncated }, { code: 0, truncated: true });
});

for (const stream of ["1", "2"]) {
  test(`F-25 endless output on descriptor ${stream} is cut and the group killed`, async (t) => {
    const script = await scriptOf(t, `yes >&${stream}`, { outputBytes: 1_000 });
    const { signal, truncated, interrupted, stdout, stderr } = await script.run();
    assert.deepEqual(
      { signal, truncated, interrupted, kept: stdout.length + stderr.length },
      { signal: "SIGKILL", truncated: true, interrupted: false, kept: 1_000 },
    );
  });
}

test("output of exactly the limit is not cut", async (t) => {
  const script = await scriptOf(t, "printf %1000s x", { outputBytes: 1_000 });
  const { code, truncated, stdout } = await script.run();
  assert.deepEqual(
    { code, truncated, length: stdout.length },
    { code: 0, truncated: false, length: 1_000 },
  );
});

test("output that waits in the pipe is read although the event loop was blocked until our patience was over", async (t) => {
  const script = await scriptOf(t, "printf %60000s x; printf %60000s y >&2");
  t.mock.method(globalThis, "setTimeout", (work: () => void) => {
    // The block itself, long enough for the system to have closed what the process had open.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    queueMicrotask(work);
  });
  const { code, truncated, stdout, stderr } = await script.run();
  assert.deepEqual(
    { code, truncated, lengths: [stdout.length, stderr.length] },
    { code: 0, truncated: false, lengths: [60_000, 60_000] },
  );
});

test("an aborted signal starts nothing", async (t) => {
  const script = await scriptOf(t, 'touch "$here/started"');
  const { interrupted, code } = await script.run(AbortSignal.abort());
  assert.deepEqual({ interrupted, code }, { interrupted: true, code: null });
});

test("killAll ends every group without grace and waits for the runs", async (t) => {
  const script = await scriptOf(t, HANGS_STUBBORNLY, { graceMs: 60_000 });
  const running = script.run();
  const pids = await script.pids();
  await script.killAll();
  await until(() => noneOf(pids).length === 0);
  assert.equal((await running).interrupted, true);
});

test("a signal that aborts after the end changes nothing", async (t) => {
  const script = await scriptOf(t, "exit 0");
  const caller = new AbortController();
  const { code, interrupted } = await script.run(caller.signal);
  caller.abort();
  assert.deepEqual({ code, interrupted }, { code: 0, interrupted: false });
});
