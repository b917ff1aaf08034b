// The gate: every check that a change must pass, the cheapest first, the same at a desk and in CI.
import { performance } from "node:perf_hooks";
import { runPart } from "./run-part.ts";

interface Part {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}

const TEST = [
  "node",
  "--import=./tools/test-ends.ts",
  "--test",
  "--test-reporter=spec",
  "--test-timeout=120000",
] as const;

/** The longest part takes seven minutes on two cores. */
const LIMIT_MS = 30 * 60_000;
const GRACE_MS = 20_000;

const PARTS: readonly Part[] = [
  { name: "format", command: ["prettier", "--check", "--log-level", "warn", "."] },
  { name: "lint", command: ["oxlint", "--deny-warnings"] },
  { name: "types", command: ["tsc"] },
  { name: "unused", command: ["knip"] },
  // One process for all of them: starting one per file costs more than the tests.
  {
    name: "unit tests",
    command: [
      ...TEST,
      "--test-isolation=none",
      "{provider,testing,bench,tools}/**/!(*.integration).test.ts",
    ],
  },
  // Processes and servers of one file must not disturb those of another.
  {
    name: "integration tests",
    command: [
      ...TEST,
      "--test-concurrency=2",
      "{provider,testing,bench,tools}/**/*.integration.test.ts",
    ],
  },
  // As many at once as there are cores, a minute each: longer than the other tests may take.
  { name: "fuzz", command: [...TEST, "--test-timeout=900000", "testing/fuzz/targets.fuzz.ts"] },
  // One control plane at a time: each wants both cores.
  {
    name: "end-to-end tests",
    command: [...TEST, "--test-concurrency=1", "e2e/**/*.e2e.test.ts"],
  },
];

/** Counts of node's own closing lines (`ℹ pass 12`); a part that is no test run has none. */
function count(output: string, word: string): number {
  const found = new RegExp(`^ℹ ${word} (\\d+)$`, "m").exec(output);
  return Number(found?.[1] ?? 0);
}

/** A test that did not run hides a gap: skipped, todo and cancelled tests fail the part, and so does none at all. */
function flaw(part: Part, output: string): string | undefined {
  if (!part.command.includes("--test")) return undefined;
  if (count(output, "tests") === 0) return "no test ran";
  const unrun = ["skipped", "todo", "cancelled"].filter((word) => count(output, word) > 0);
  return unrun.length > 0 ? `there are ${unrun.join(" and ")} tests` : undefined;
}

const interruption = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(name, () => interruption.abort());
}
const bounds = { limitMs: LIMIT_MS, graceMs: GRACE_MS, signal: interruption.signal };

const only = process.argv.slice(2);
let passed = 0;
let failed = 0;
let broken: string | undefined;
for (const part of PARTS) {
  if (only.length > 0 && !only.includes(part.name)) continue;
  const start = performance.now();
  const ending = await runPart(part.command, bounds);
  const { output } = ending;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const problem = ending.problem ?? flaw(part, output);
  const tests = count(output, "tests");
  passed += count(output, "pass");
  failed += count(output, "fail");
  const detail = tests > 0 ? `, ${count(output, "pass")} of ${tests} tests` : "";
  process.stdout.write(
    `${problem === undefined ? "✔" : "✖"} ${part.name} (${seconds} s${detail})\n`,
  );
  if (problem !== undefined) {
    process.stdout.write(`${output}\n${part.name}: ${problem}\n`);
    broken = part.name;
    break;
  }
}
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = broken === undefined ? 0 : 1;
