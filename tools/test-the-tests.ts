// `make test-the-tests`: puts each deliberate defect of `defects/` into a copy of the checkout, and demands that a test by the
// name that the defect gives turns red. `make test-the-tests ARGS="old-tls"` tries some of them.
import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { readDefects } from "./defects.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Milliseconds: a defect may make a test hang, which is red too. */
const TEST_MS = 30_000;
const RUN_MS = 90_000;

interface Run {
  readonly code: number;
  readonly output: string;
}

async function run(cwd: string, program: string, ...args: readonly string[]): Promise<Run> {
  const options = { cwd, timeout: RUN_MS, maxBuffer: 64 * 1024 * 1024 };
  return await new Promise((resolve) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, output: stdout + stderr });
    });
  });
}

/** Titles of the tests that failed. */
async function failures(copy: string, tests: readonly string[]): Promise<readonly string[]> {
  const timeout = `--test-timeout=${TEST_MS}`;
  const { output } = await run(copy, "node", "--test", "--test-reporter=tap", timeout, ...tests);
  return output
    .matchAll(/^ *not ok \d+ - (.*?)(?: # .*)?$/gm)
    .map(([, title = ""]) => title.replaceAll("\\#", "#"))
    .filter((title) => !title.endsWith(".test.ts"))
    .toArray();
}

const asked = process.argv.slice(2);
const defects = readDefects().filter(({ name }) => asked.length === 0 || asked.includes(name));
const directory = await mkdtemp(join(tmpdir(), "defects-"));
const copy = join(directory, "checkout");
let missed = 0;
try {
  const { code, output } = await run(ROOT, "git", "clone", "--quiet", "--local", ROOT, copy);
  if (code !== 0) throw new Error(output);
  await symlink(join(ROOT, "node_modules"), join(copy, "node_modules"));
  await cp(join(ROOT, "tools/bin"), join(copy, "tools/bin"), { recursive: true });
  process.stdout.write("| defect | | red | s |\n| --- | --- | --- | --- |\n");
  for (const { name, file, why, tests, red } of defects) {
    const began = performance.now();
    const applied = await run(copy, "git", "apply", "--recount", file);
    const failed = applied.code === 0 ? await failures(copy, tests) : [];
    const caught = failed.filter((title) => red.test(title));
    if (caught.length === 0) missed += 1;
    const verdict =
      applied.code === 0
        ? (caught[0] ?? `**not caught**; red were: ${failed.join("; ") || "none"}`)
        : `**does not apply**: ${applied.output.split("\n", 1)[0]}`;
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    process.stdout.write(`| ${name} | ${why} | ${verdict.replaceAll("|", "\\|")} | ${seconds} |\n`);
    await run(copy, "git", "checkout", "--quiet", ".");
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}
process.stdout.write(`\n${defects.length - missed} of ${defects.length} defects were caught\n`);
process.exitCode = missed === 0 && defects.length > 0 ? 0 : 1;
