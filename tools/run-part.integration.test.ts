import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { runPart } from "./run-part.ts";

const FAR = { limitMs: 60_000, graceMs: 60_000 };
const node = (script: string): [string, ...string[]] => [process.execPath, "--eval", script];
const WAIT_FOR_EVER = "setInterval(() => undefined, 1000)";

suite("a part of the gate", () => {
  test("that ends well has its output and no problem", async () => {
    const script = 'process.stdout.write("out "); process.stderr.write("err")';
    const { output, problem } = await runPart(node(script), FAR);
    assert.deepEqual(output.split(" ").toSorted(), ["err", "out"].toSorted());
    assert.equal(problem, undefined);
  });

  const FAILURES: readonly {
    readonly name: string;
    readonly command: [string, ...string[]];
    readonly problem: RegExp;
    readonly limitMs?: number;
    readonly graceMs?: number;
  }[] = [
    { name: "that fails", command: node("process.exit(3)"), problem: /^it failed \(3\)$/ },
    {
      name: "that is killed",
      command: node('process.kill(process.pid, "SIGKILL")'),
      problem: /^it failed \(SIGKILL\)$/,
    },
    {
      name: "whose program is not there",
      command: ["./no-such-program"],
      problem: /no-such-program.*ENOENT/,
    },
    {
      name: "that waits for ever",
      command: node(WAIT_FOR_EVER),
      limitMs: 1,
      problem: /^it took more than 0\.001 s$/,
    },
    {
      name: "that waits for ever and heeds no signal",
      command: node(`process.on("SIGINT", () => undefined); ${WAIT_FOR_EVER}`),
      limitMs: 1,
      graceMs: 1,
      problem: /^it took more than/,
    },
  ];
  for (const { name, command, problem, ...bounds } of FAILURES) {
    test(`${name} has a problem in words`, async () => {
      const ending = await runPart(command, { ...FAR, ...bounds });
      assert.match(ending.problem ?? "", problem);
    });
  }

  test("that leaves a process behind with its output is a problem and does not wait for it", async () => {
    const child = `["--eval", ${JSON.stringify(WAIT_FOR_EVER)}]`;
    const script = `const { pid } = require("node:child_process").spawn(process.execPath, ${child}, { detached: true, stdio: "inherit" });
      process.stdout.write(String(pid), () => process.exit());`;
    const { output, problem } = await runPart(node(script), { ...FAR, graceMs: 1 });
    process.kill(Number(output), "SIGKILL");
    assert.match(problem ?? "", /left a process behind/);
  });

  test("ends when whoever waits for it is interrupted", async () => {
    const { problem } = await runPart(node(WAIT_FOR_EVER), {
      ...FAR,
      signal: AbortSignal.timeout(1),
    });
    assert.equal(problem, "it was interrupted");
  });
});

/** Runs a file under the preload with its limits cut to a thousandth. */
async function runFile(source: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "test-ends-"));
  try {
    const file = join(directory, "a.test.mjs");
    const hasten = join(directory, "hasten.mjs");
    await writeFile(file, source);
    await writeFile(
      hasten,
      `const real = globalThis.setTimeout; globalThis.setTimeout = (work, ms) => real(work, ms / 1000);`,
    );
    const preload = join(import.meta.dirname, "test-ends.ts");
    const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
    const { stdout } = spawnSync(
      process.execPath,
      [`--import=${hasten}`, `--import=${preload}`, "--test", "--test-reporter=spec", file],
      { encoding: "utf8", env: environment },
    );
    return stdout;
  } finally {
    await rm(directory, { recursive: true });
  }
}

suite("a file of tests", () => {
  const PASSES = 'import test from "node:test"; test("a", () => undefined);';

  test("that ends passes", async () => {
    assert.match(await runFile(PASSES), /ℹ pass 1\nℹ fail 0/);
  });
  test("that is done and holds something fails, and says what it holds", async () => {
    const said = await runFile(`${PASSES} ${WAIT_FOR_EVER};`);
    assert.match(said, /ℹ fail 1/);
    assert.match(said, /this file is done and does not end\. It holds: .*Timeout/);
  });
  test("that waits for ever before its tests fails, and says so", async () => {
    const said = await runFile(`${WAIT_FOR_EVER}; await new Promise(() => undefined); ${PASSES}`);
    assert.match(said, /ℹ fail 1/);
    assert.match(said, /this file is not done\. It holds: /);
  });
});
