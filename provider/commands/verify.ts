import { assemble } from "../assemble.ts";
import { readEnvironment } from "../config/environment.ts";
import { loadConfig } from "../config/load.ts";
import { RUNTIME_DIRECTORY } from "../config/schema.ts";
import { createOwnDirectory, createTemporaryDirectory } from "../own-directory.ts";
import type { Decision } from "../verify/decision.ts";
import { formatDecisions, type Output } from "./format.ts";
import { printProblems } from "./problems.ts";
import { createProgress } from "./progress.ts";

export interface VerifyOptions {
  readonly config: string;
  readonly policy?: string;
  readonly level?: string;
  readonly output: Output;
}

/**
 * Verifies images by the configuration and the code of the service; the deadline is that of one verification.
 * @returns the exit code: 0 only if every image was verified; 1 otherwise
 * @throws with a sentence when the runtime directory or a file that the configuration names cannot be had
 */
export async function verifyCommand(
  images: readonly string[],
  options: VerifyOptions,
): Promise<number> {
  const environment = readEnvironment();
  const loaded = loadConfig(options.config);
  if (environment.length > 0 || "problems" in loaded) {
    printProblems([...environment, ...("problems" in loaded ? loaded.problems : [])]);
    return 1;
  }
  const { config } = loaded;
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  // Made for the service: whoever runs this elsewhere may not write there, and need not.
  const isUnwritten = config.runtimeDirectory === RUNTIME_DIRECTORY;
  using directory = isUnwritten
    ? createTemporaryDirectory()
    : createOwnDirectory(config.runtimeDirectory);
  const judging = await assemble({
    config,
    directory,
    deadlineMs: config.verification.deadline,
    observers: {},
  });
  try {
    const keys = new Set(images.map((image) => keyOf(image, options)));
    const progress = createProgress(keys.size, process.stderr);
    const decisions: Decision[] = [];
    const asked = [...keys].map(async (key) => {
      const [decision] = await judging.verifier.decide([key], interrupted.signal);
      progress.step();
      return decision;
    });
    for (const decision of await Promise.all(asked)) if (decision) decisions.push(decision);
    progress.end();
    process.stdout.write(formatDecisions(decisions, options.output, process.stdout));
    return decisions.every(({ verdict }) => verdict.kind === "verified") ? 0 : 1;
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
    await judging.close();
  }
}

/** The key that asks for this policy and level. With an image that has options of its own that is no key, and is rejected as such. */
export function keyOf(
  image: string,
  { policy, level }: Pick<VerifyOptions, "policy" | "level">,
): string {
  const asked = [
    ...(policy === undefined ? [] : [`policy=${policy}`]),
    ...(level === undefined ? [] : [`level=${level}`]),
  ];
  return asked.length === 0 ? image : `${image}?${asked.join("&")}`;
}
