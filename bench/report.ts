import { cpus, release, totalmem } from "node:os";

/** One figure of the table. */
export interface Row {
  /** Catalogue ID, or what was measured. */
  readonly id: string;
  readonly what: string;
  readonly measured: string;
  /** The gate; empty when the figure is there to be read beside others. */
  readonly target: string;
  readonly met: boolean | undefined;
  /** What limits the figure. */
  readonly limit: string;
}

/** The machine and the versions that the figures belong to. */
export function machine(versions: Readonly<Record<string, string>>): string {
  const [cpu] = cpus();
  const parts = [
    `${cpus().length} × ${cpu?.model.trim() ?? "unknown processor"}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `Linux ${release()}`,
    `Node ${process.versions.node}`,
    ...Object.entries(versions).map(([name, version]) => `${name} ${version}`),
  ];
  return parts.join(", ");
}

/** The rows as a Markdown table; `met` is said in a word, so that it can be searched for. */
export function table(rows: readonly Row[]): string {
  const cells = rows.map(({ id, what, measured, target, met, limit }) => [
    id,
    what,
    measured,
    target,
    met === undefined ? "" : met ? "met" : "missed",
    limit,
  ]);
  const lines = [
    ["id", "what", "measured", "target", "", "what limits it"],
    ["---", "---", "---", "---", "---", "---"],
    ...cells,
  ];
  return lines.map((line) => `| ${line.join(" | ")} |`).join("\n");
}
