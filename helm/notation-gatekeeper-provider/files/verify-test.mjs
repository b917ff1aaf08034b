// Verifies one image that must be verified and, if there is a second, one that must be rejected.
import { spawnSync } from "node:child_process";

const [signed, unsigned] = process.argv.slice(1);
const expected = [
  [signed, "verified"],
  [unsigned, "rejected"],
].filter(([image]) => image);
const { stdout, stderr } = spawnSync(
  process.execPath,
  [
    "/app/provider/main.ts",
    "verify",
    "--config=/etc/notation-provider/provider.yaml",
    "--output=json",
    "--",
    ...expected.map(([image]) => image),
  ],
  { encoding: "utf8" },
);
process.stdout.write(`${stdout}${stderr}`);
const outcomes = new Map(JSON.parse(stdout).map(({ key, outcome }) => [key, outcome]));
for (const [image, outcome] of expected) {
  const isAsExpected = outcomes.get(image) === outcome;
  process.stdout.write(`${isAsExpected ? "ok" : "NOT OK"}: ${image} has to be ${outcome}\n`);
  if (!isAsExpected) process.exitCode = 1;
}
