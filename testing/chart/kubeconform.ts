import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "../provider/start.ts";
import { run } from "./run.ts";
import { CUSTOM, LOCATION, SCHEMAS } from "./schemas.ts";

/** What kubeconform says of one object. */
interface Finding {
  readonly kind: string;
  readonly name: string;
  readonly status: string;
  readonly msg: string;
}

/**
 * Holds rendered objects against the schemas of a version of Kubernetes, and of the operators' kinds.
 * @param folder for files
 * @returns what does not fit, one line each, and how many objects were looked at
 */
export async function validate(
  version: string,
  text: string,
  folder: string,
): Promise<{ readonly problems: readonly string[]; readonly looked: number }> {
  const file = join(folder, `${version}.yaml`);
  await writeFile(file, text);
  const { stdout, stderr } = await run(join(ROOT, "tools/bin/kubeconform"), [
    "-strict",
    "-verbose",
    "-output=json",
    ...[join(SCHEMAS, version), CUSTOM].map((own) => `-schema-location=${join(own, LOCATION)}`),
    file,
  ]);
  assert.equal(stderr, "");
  const { resources } = JSON.parse(stdout) as { readonly resources: readonly Finding[] };
  const problems = resources
    .filter(({ status }) => status !== "statusValid")
    .map(({ kind, name, msg }) => `${kind} ${name}: ${msg}`);
  return { problems, looked: resources.length };
}
