/** Something that a person has to mend, and where. */
interface Located {
  readonly path: string;
  readonly message: string;
  /** Line of the configuration file. */
  readonly line?: number;
  readonly severity?: "error" | "warning";
}

/** One line each, on standard error: where, and what. */
export function printProblems(problems: readonly Located[]): void {
  process.stderr.write(formatProblems(problems));
}

/** `error: server.deadline: is a duration with a unit … (line 3)` */
export const formatProblems = (problems: readonly Located[]): string =>
  problems
    .map(({ path, message, line, severity = "error" }) => {
      const where = line === undefined ? "" : ` (line ${line})`;
      return `${severity}: ${path}: ${message}${where}\n`;
    })
    .join("");
