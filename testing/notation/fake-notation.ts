import { chmodSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SUCCEEDS } from "./behaviours.ts";

/** A program that is started as Notation is and does what a script says. */
export interface FakeNotation extends AsyncDisposable {
  /** Absolute path of the program; in a directory of its own, where the scripts may write. */
  readonly path: string;
  readonly directory: string;
  /** Replaces the program by one that behaves in another way, in one step. */
  behave(behaviour: Behaviour): void;
  /** How often `verify` was started. */
  runs(): number;
  /** What a script wrote into a file of the directory; empty when there is none. */
  read(name: string): string;
}

export interface Behaviour {
  /** What `notation version` prints as its version: `v1.3.2`. */
  readonly version?: string;
  /** Lines of POSIX shell for `notation verify`; `$reference` is its last argument, `$here` the directory. */
  readonly verify?: string;
  /** First line of the program, `#!/bin/sh` unless the interpreter is what is wrong. */
  readonly interpreter?: string;
}

/** Starts in a millisecond or two: a shell script, no Node. */
export async function createFakeNotation(behaviour: Behaviour = {}): Promise<FakeNotation> {
  const directory = await mkdtemp(join(tmpdir(), "fake-notation-"));
  const path = join(directory, "notation");

  function read(name: string): string {
    try {
      return readFileSync(join(directory, name), "utf8");
    } catch {
      return "";
    }
  }

  function behave({ version = "v1.3.2", verify = SUCCEEDS, interpreter = "#!/bin/sh" }: Behaviour) {
    const script = [
      interpreter,
      `here='${directory}'`,
      `if [ "$1" = version ]; then`,
      "  printf 'Notation - a tool to sign and verify artifacts.\\n\\nVersion:     '",
      '  cat "$here/version"',
      "  exit 0",
      "fi",
      'for reference in "$@"; do :; done',
      'echo run >> "$here/runs"',
      verify,
    ];
    writeFileSync(join(directory, "version"), `${version}\n`);
    // A program that is being written cannot be started, and one that was replaced is another file.
    writeFileSync(`${path}.new`, `${script.join("\n")}\n`);
    chmodSync(`${path}.new`, 0o755);
    renameSync(`${path}.new`, path);
  }

  behave(behaviour);
  return {
    path,
    directory,
    behave,
    runs: () => read("runs").split("\n").length - 1,
    read,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}
