// `make bench`: the load targets, measured with the real binaries, as a table and as a dated file.
// `make bench ARGS="cached cold"` runs some of them and writes no file; `--short` makes a tenth of the load, to see that they run.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ROOT } from "../testing/provider/start.ts";
import { bareVerify, coldAws, manyAws, slowSigner } from "./aws.ts";
import { audit, cachedRate, manyKeys } from "./cached.ts";
import { coldLatency, coldRate } from "./cold.ts";
import { coldBurst, halfHanging } from "./overload.ts";
import { manyPods } from "./pods.ts";
import { threeReplicas } from "./replicas.ts";
import { machine, table, type Row } from "./report.ts";
import { createSetting, type Setting } from "./setting.ts";
import { quantile } from "./statistics.ts";

const asked = process.argv.slice(2).filter((word) => word !== "--short");
const isShort = process.argv.includes("--short");

/** Part of the load that is made. */
const SHARE = isShort ? 0.1 : 1;
/** Seconds of each closed-loop load. */
const SECONDS = 60 * SHARE;

const progress = (text: string): void => void process.stderr.write(`  ${text}\n`);

/** From the start of the process to its `ready`, and what it takes then. */
async function startUp(setting: Setting): Promise<Row[]> {
  const times: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    await using provider = await setting.provider();
    times.push(provider.startedMs);
  }
  return [
    {
      id: "start",
      what: "from the start of the process to ready, 5 times",
      measured: `p50 ${quantile(times, 0.5).toFixed(0)} ms, slowest ${quantile(times, 1).toFixed(0)} ms`,
      target: "≤ 1,500 ms",
      met: quantile(times, 1) <= 1500,
      limit: "loading code; types are stripped at every start",
    },
  ];
}

const SECTIONS = new Map<string, (setting: Setting) => Promise<Row[]>>([
  ["start", startUp],
  ["cold", async (setting) => await coldRate(setting, progress)],
  ["latency", async (setting) => await coldLatency(setting, progress)],
  ["cached", async (setting) => await cachedRate(setting, SECONDS, progress)],
  ["audit", async (setting) => await audit(setting, progress, SHARE)],
  ["many", async (setting) => await manyKeys(setting, progress)],
  ["aws", async () => await coldAws(progress, SHARE)],
  ["aws-bare", async () => await bareVerify(progress)],
  ["aws-slow", async () => await slowSigner(progress, SHARE)],
  ["aws-many", async () => await manyAws(progress, SHARE)],
  ["half", async (setting) => await halfHanging(setting, progress)],
  ["burst", async (setting) => await coldBurst(setting, progress)],
  ["replicas", async (setting) => await threeReplicas(setting, progress, SHARE)],
  ["pods", async () => await manyPods(progress)],
]);

const unknown = asked.filter((name) => !SECTIONS.has(name));
if (unknown.length > 0) {
  process.stderr.write(
    `no section ${unknown.join(", ")}; there are ${[...SECTIONS.keys()].join(", ")}\n`,
  );
  process.exit(2);
}

/** Real milliseconds that one section may take: the longest, with its clusters, takes eight minutes. */
const PATIENCE_MS = 20 * 60_000;

/** What a section measured, or that it could not: the others are measured all the same. */
async function measured(name: string, run: (setting: Setting) => Promise<Row[]>): Promise<Row[]> {
  const late = setTimeout(() => {
    process.stderr.write(`${name} does not end\n`);
    process.exit(1);
  }, PATIENCE_MS);
  try {
    await using setting = await createSetting();
    return await run(setting);
  } catch (error) {
    progress(String(error));
    const why = String(error).split("\n", 1)[0] ?? "";
    return [
      { id: name, what: "the whole section", measured: why, target: "", met: false, limit: "" },
    ];
  } finally {
    clearTimeout(late);
  }
}

const day = new Date().toISOString().slice(0, 10);
const file = join(ROOT, "bench/results", `${day}.md`);
const isKept = asked.length === 0 && !isShort;
const rows: Row[] = [];
let text = "";
for (const [name, run] of SECTIONS) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  process.stderr.write(`${name}\n`);
  const found = await measured(name, run);
  for (const row of found) progress(`${row.id}: ${row.measured}`);
  rows.push(...found);
  text = `# Load, ${day}

${machine({ Notation: "1.3.2", olareg: "0.2.2", vegeta: "12.13.0" })}.
Caller, registry and provider share the machine. \`make bench\` prints this table.

${table(rows)}
`;
  if (!isKept) continue;
  // After each section, so that what was measured is not lost with what comes later.
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}
process.stdout.write(`\n${text}`);
if (isKept) process.stdout.write(`\nwritten to ${file.slice(ROOT.length)}\n`);
