import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

/** A patch of git with a head: what is wrong, the tests to run, and a pattern of the titles of which one must turn red. */
export interface Defect {
  readonly name: string;
  /** Absolute path of the patch. */
  readonly file: string;
  readonly why: string;
  /** Paths from the root of the checkout. */
  readonly tests: readonly string[];
  readonly red: RegExp;
}

const DEFECTS = fileURLToPath(new URL("../defects", import.meta.url));

/** Every deliberate defect, by its name's order. @throws with the path of a patch whose head lacks a line */
export function readDefects(): readonly Defect[] {
  const files = readdirSync(DEFECTS).filter((name) => name.endsWith(".patch"));
  return files.toSorted().map((name) => readDefect(join(DEFECTS, name)));
}

function readDefect(file: string): Defect {
  const [head = ""] = readFileSync(file, "utf8").split("diff --git");
  const member = (name: string): string => {
    const found = new RegExp(`^${name}: (.+)$`, "m").exec(head)?.[1];
    if (found === undefined) throw new Error(`${file} has no line "${name}:"`);
    return found;
  };
  return {
    name: basename(file, ".patch"),
    file,
    why: head.split("\n", 1)[0] ?? "",
    tests: member("Tests").split(" "),
    red: new RegExp(member("Red")),
  };
}
