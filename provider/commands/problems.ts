/** Something that a person has to mend, and where. */
interface Located {
  readonly path: string;
  readonly message: string;
  readonly severity?: "error" | "warning";
}

/** One line each, on standard error: where, and what. */
export function printProblems(problems: readonly Located[]): void {
  for (const { path, message, severity = "error" } of problems) {
    process.stderr.write(`${severity}: ${path}: ${message}\n`);
  }
}
