import { relative } from "node:path";
import { corpusOf, foundBefore, fuzz, moduleOf, record, remember } from "./fuzz.ts";

/** One target, how long, and from which seed. */
export interface Run {
  readonly name: string;
  readonly seconds: number;
  readonly seed: number;
  /** Whether inputs that earlier runs at this desk kept are read as well, and new ones kept. */
  readonly remembers: boolean;
}

/** What to print of a run. */
export interface RunReport {
  readonly line: string;
  /** What was found, and the file that it was written to. */
  readonly problem?: string;
}

/** Searches one target, and writes what it finds to a file among its corpus. */
export async function run({ name, seconds, seed, remembers }: Run): Promise<RunReport> {
  const before = remembers ? await foundBefore(name) : new Map<string, Uint8Array>();
  const corpus = [...(await corpusOf(name)).values(), ...before.values()];
  const result = await fuzz({ module: moduleOf(name), corpus, seed, seconds });
  const line =
    "runs" in result
      ? `${name}, seed ${seed}: ${result.runs} inputs, ${result.blocks} blocks, ${result.outcomes.length} outcomes, ${result.kept.length} kept`
      : `${name}, seed ${seed}`;
  if (remembers && "kept" in result) await remember(name, result.kept);
  if (result.finding === undefined) return { line };
  const path = await record(name, result.finding.input);
  return { line, problem: `${result.finding.problem}\ninput: ${relative(process.cwd(), path)}` };
}
