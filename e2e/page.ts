import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "../testing/provider/start.ts";

/** A command of a page, and what the page says that it prints. */
export interface Command {
  /** As a shell reads it, without the comment behind it. */
  readonly line: string;
  /** Lines below it, trimmed; none of a block that shows no output. */
  readonly output: readonly string[];
}

/** Commands of a page of Markdown, in its order: of blocks marked `sh` every line, of `console` those after a `$`. */
export async function commandsOf(page: string): Promise<readonly Command[]> {
  const text = await readFile(join(ROOT, page), "utf8");
  const commands: { line: string; output: string[] }[] = [];
  for (const [, kind, block = ""] of text.matchAll(/^```(sh|console)\n(.*?)^```$/gms)) {
    // A backslash ends no line.
    for (const line of block.replaceAll(/\\\n\s*/g, "").split("\n")) {
      const command = kind === "sh" ? line : /^\$ (.*)$/.exec(line)?.[1];
      if (line.trim() === "") continue;
      if (command === undefined) commands.at(-1)?.output.push(line.trim());
      else commands.push({ line: command.replace(/\s+#\s.*$/, "").trim(), output: [] });
    }
  }
  return commands;
}
