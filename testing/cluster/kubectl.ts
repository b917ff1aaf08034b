import { execFile } from "node:child_process";
import { binary } from "./bare-control-plane.ts";

/** What `kubectl` did. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface KubectlOptions {
  readonly kubeconfig: string;
  /** Where it keeps what it learns of the API, which is in the user's home otherwise. */
  readonly home: string;
}

/** Runs the real kubectl; any exit code is an answer. It is given a minute. */
export async function kubectl(
  { kubeconfig, home }: KubectlOptions,
  args: readonly string[],
): Promise<Ran> {
  const env = { PATH: process.env["PATH"], HOME: home, KUBECONFIG: kubeconfig };
  return await new Promise((resolve) => {
    execFile(binary("kubectl"), args, { env, timeout: 60_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, stdout, stderr });
    });
  });
}
