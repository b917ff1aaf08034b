import assert from "node:assert/strict";
import { test } from "node:test";
import { search } from "./engine.ts";
import { fuzz } from "./fuzz.ts";
import type { Target } from "./target.ts";

/** A module whose target reads text by this function body. */
const moduleOf = (body: string): string => {
  const source = `const check = (input) => { const text = Buffer.from(input).toString("latin1"); ${body} };
export const target = { name: "planted", maxBytes: 1024, words: ["a"], check };`;
  return `data:text/javascript,${encodeURIComponent(source)}`;
};

const corpus = [Buffer.from("aaaa"), Buffer.from("b")];
/** Milliseconds: short for readers that never end, and too long to matter for the others. */
const [IMPATIENT, PATIENT] = [2000, 60_000];
const planted = [
  {
    name: "an assertion behind four steps, each an outcome of its own",
    body: `for (const [at, letter] of [..."FUZZ"].entries()) if (text[at] !== letter) return String(at);
      throw new Error("the planted bug");`,
    problem: "the planted bug",
    input: "FUZZ",
  },
  {
    name: "T-50 time that grows with the square of the length",
    body: `let sum = 0; for (const x of text) for (const y of text) sum += x === y ? 1 : 2; return String(sum > 0);`,
    problem: "its time grows faster than its length",
  },
  {
    name: "T-50 a pattern that searches for ever",
    body: `return String(/^(?:a+)+$/.test(text + "!"));`,
    problem: "its reader does not end",
    patienceMs: IMPATIENT,
  },
  {
    name: "T-24 a member put into a prototype",
    body: `if (text.includes("c")) Object.prototype.c = 1; return "";`,
    problem: "a prototype has a new member",
  },
  {
    name: "T-52 a reader that fills the memory",
    body: `if (text.includes("c")) { const all = []; for (;;) all.push(new Array(1e6).fill({})); } return "";`,
    problem: "its reader uses up the memory",
  },
];
for (const { name, body, problem, input, patienceMs = PATIENT } of planted) {
  test(`finds ${name}`, async () => {
    const module = moduleOf(body);
    const { finding } = await fuzz({
      module,
      corpus,
      seed: 1,
      seconds: 60,
      patienceMs,
      heapMb: 128,
    });
    assert.equal(finding?.problem, problem);
    if (input !== undefined) assert.equal(Buffer.from(finding?.input ?? []).toString(), input);
  });
}

test("says nothing against a reader that takes time in proportion to its length", async () => {
  const body = `let sum = 0; for (const x of text) sum += x.charCodeAt(0); return String(sum > 0);`;
  const result = await fuzz({ module: moduleOf(body), corpus, seed: 1, seconds: 3 });
  assert.equal(result.finding, undefined);
  assert.ok("runs" in result && result.runs > 1000);
});

test("keeps inputs that reach new code, the same ones for the same seed", async () => {
  const { parseStrictJson } = await import("../../provider/lib/strict-json.ts");
  const target: Target = {
    name: "json",
    title: "any text",
    maxBytes: 100,
    words: ["{", "}", '"a":1', "[", "]", ",", "null"],
    // No outcome tells them apart: only the code that ran does.
    check(input) {
      parseStrictJson(input);
      return "read";
    },
  };
  const keep = async (seed: number) => {
    let batches = 0;
    const goesOn = (): boolean => (batches += 1) <= 4;
    return await search({ target, corpus, seed, goesOn, running: () => undefined });
  };
  const { kept, blocks, outcomes } = await keep(1);
  assert.ok(kept.length > 0);
  assert.ok(blocks > 0);
  assert.deepEqual(outcomes, ["read"]);
  assert.deepEqual((await keep(1)).kept, kept);
});
