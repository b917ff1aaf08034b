// `make fuzz`: ten minutes for each reader; `make fuzz ARGS="policy jws 60"` an hour for each of two, `ARGS="--seed=7"` another search.
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import pLimit from "p-limit";
import { targetNames } from "./fuzz.ts";
import { run } from "./run.ts";

const { values, positionals } = parseArgs({
  options: { seed: { type: "string" } },
  allowPositionals: true,
});
const known = await targetNames();
const asked = positionals.filter((word) => known.includes(word));
const [minutes = "10", ...others] = positionals.filter((word) => !known.includes(word));
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
if (others.length > 0 || !(Number(minutes) > 0) || !Number.isInteger(seed)) {
  process.stderr.write(
    `usage: make fuzz ARGS="[TARGET...] [MINUTES] [--seed=NUMBER]"\ntargets: ${known.join(" ")}\n`,
  );
  process.exit(2);
}

const limit = pLimit(availableParallelism());
await Promise.all(
  (asked.length > 0 ? asked : known).map((name) =>
    limit(async () => {
      const seconds = Number(minutes) * 60;
      const { line, problem } = await run({ name, seconds, seed, remembers: true });
      process.stdout.write(
        `${problem === undefined ? "✔" : "✖"} ${line}\n${problem === undefined ? "" : `${problem}\n`}`,
      );
      if (problem !== undefined) process.exitCode = 1;
    }),
  ),
);
