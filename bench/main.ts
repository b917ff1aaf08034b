// `make bench`: the load targets, measured with the real binaries, as a table and as a dated file.
// `make bench ARGS="cached cold"` runs some of them and writes no file; `--short` makes a tenth of the load, to see that they run.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
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

const rows: Row[] = [];
for (const [name, run] of SECTIONS) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  process.stderr.write(`${name}\n`);
  await using setting = await createSetting();
  const found = await run(setting);
  for (const { id, measured } of found) progress(`${id}: ${measured}`);
  rows.push(...found);
}

const text = `# Load, ${new Date().toISOString().slice(0, 10)}

${machine({ Notation: "1.3.2", olareg: "0.2.2", vegeta: "12.13.0" })}.
Caller, registry and provider share the machine. \`make bench\` prints this table.

${table(rows)}
`;
process.stdout.write(`\n${text}`);
if (asked.length === 0 && !isShort) {
  const directory = join(ROOT, "bench/results");
  await mkdir(directory, { recursive: true });
  const file = join(directory, `${new Date().toISOString().slice(0, 10)}.md`);
  await writeFile(file, text);
  process.stdout.write(`\nwritten to ${file.slice(ROOT.length)}\n`);
}
