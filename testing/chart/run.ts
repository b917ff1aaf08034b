import { execFile } from "node:child_process";

/** How a program ended. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** The whole environment, beside PATH. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
}

/** Runs a program to its end; any exit code is an answer. It is given two minutes. */
export async function run(
  program: string,
  args: readonly string[],
  { environment = {}, directory }: RunOptions = {},
): Promise<Ran> {
  const options = {
    env: { PATH: process.env["PATH"], ...environment },
    timeout: 120_000,
    maxBuffer: 64 * 1024 * 1024,
    ...(directory !== undefined && { cwd: directory }),
  };
  return await new Promise((resolve) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, stdout, stderr });
    });
  });
}
