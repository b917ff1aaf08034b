// A minute of searching for each reader of foreign input, in the gate. The seed is the commit, so that who looks at a red gate sees
// the same search; the next commit searches elsewhere.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { describe, test } from "node:test";
import { loadTargets } from "./fuzz.ts";
import { run } from "./run.ts";

const SECONDS = 60;

/** A checkout without git, such as an archive, has one seed for ever. */
function seedOfCommit(): number {
  try {
    const head = execFileSync("git", ["rev-parse", "HEAD"], { cwd: import.meta.dirname });
    return Number.parseInt(head.toString().slice(0, 8), 16);
  } catch {
    return 1;
  }
}

const seed = seedOfCommit();
const targets = await loadTargets();

describe(
  "no input that is found in a minute breaks what holds:",
  { concurrency: availableParallelism() },
  () => {
    for (const { name, title } of targets) {
      test(`${title} (${name})`, async (t) => {
        const { line, problem } = await run({ name, seconds: SECONDS, seed, remembers: false });
        t.diagnostic(line);
        assert.equal(problem, undefined);
      });
    }
  },
);
