import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";

/** A process that writes 20,000 lines to its standard output, a hundred for each turn of its loop, then says how many it dropped. */
const SCRIPT = `
  import { createLog } from ${JSON.stringify(new URL("log.ts", import.meta.url).href)};
  const log = createLog({ level: "info" });
  const verdict = { kind: "rejected", reason: "UNSIGNED", sentence: "s" };
  const decisions = Array(100).fill({ key: "k".repeat(400), verdict, cache: "none", durationMs: 0 });
  for (let turns = 0; turns < 200; turns += 1) {
    log.decisions(decisions, "x");
    await new Promise((resolve) => setImmediate(resolve));
  }
  process.send({ dropped: log.dropped() });
  process.once("message", async () => {
    await log.close();
    process.exit(0);
  });
`;

function start(t: TestContext, script: string = SCRIPT) {
  const child = spawn(process.execPath, ["--input-type=module-typescript", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  });
  return child;
}

test("F-47 while nobody reads, the loop turns and lines are dropped and counted; the others arrive whole", async (t) => {
  const child = start(t);
  const [message] = (await once(child, "message")) as [{ readonly dropped: number }];
  assert.ok(message.dropped > 0);
  assert.ok(child.stdout);
  let lines = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    JSON.parse(line);
    lines += 1;
    if (lines + message.dropped === 20_000) child.send("end");
  }
  assert.equal(lines + message.dropped, 20_000);
});

test("F-47 the end does not wait for a reader who never reads", async (t) => {
  const child = start(t);
  const ended = once(child, "exit");
  await once(child, "message");
  child.send("end");
  assert.deepEqual(await ended, [0, null]);
});

test("F-47 a reader who went away does not end the process", async (t) => {
  const child = start(t);
  const ended = once(child, "exit");
  child.stdout?.destroy();
  await once(child, "message");
  child.send("end");
  assert.deepEqual(await ended, [0, null]);
});

const ends = [
  { name: "a process that is ended at once", end: "process.exit(0);" },
  { name: "a process that has nothing more to do", end: "" },
  { name: "a log that is closed", end: "await log.close(); process.exit(0);" },
];
for (const { name, end } of ends) {
  test(`the last decisions of ${name} are written`, async (t) => {
    const [imports = ""] = SCRIPT.split("for (let turns");
    const child = start(t, `${imports} log.decisions(decisions, "x"); ${end}`);
    assert.ok(child.stdout);
    let lines = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      JSON.parse(line);
      lines += 1;
    }
    assert.equal(lines, 100);
  });
}
