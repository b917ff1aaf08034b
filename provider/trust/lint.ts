import { resolve } from "node:path";
import { readTrust } from "./read.ts";
import type { Problem } from "./trust.ts";
import { createView, machineFiles, type Files } from "./view.ts";

/**
 * Every problem of a trust directory as it is now: of each policy, and of the stores that it names.
 * @param allowWeak policies that may be weaker than strict without a warning
 */
export async function lint(
  directory: string,
  allowWeak: readonly string[],
  files: Files = machineFiles,
): Promise<readonly Problem[]> {
  const view = createView(resolve(directory), files);
  const { policies, gap } = await readTrust(view, { allowWeak, today: new Date() });
  const found = [...policies.values()].flatMap(({ problems }) => problems);
  return gap === undefined ? found : [gap, ...found];
}
