import { spawn } from "node:child_process";

/** How a command ended. */
export interface Ending {
  /** Both streams together, of all its processes. */
  readonly output: string;
  /** Why it is no success, in words. */
  readonly problem?: string;
}

export interface Bounds {
  /** Milliseconds that the command has. */
  readonly limitMs: number;
  /** Milliseconds between the first signal and the last one, and for what outlives the command. */
  readonly graceMs: number;
  /** Ends it early, as the limit does. */
  readonly signal?: AbortSignal;
}

/**
 * Runs a command in a process group of its own, and ends that group when the time is over: what waits for ever must not
 * hold up those who wait for it, and what it wrote by then says where it hangs. Node's test runner names at SIGINT the
 * files that are under way.
 */
export async function runPart(
  [program, ...args]: readonly [string, ...string[]],
  { limitMs, graceMs, signal }: Bounds,
): Promise<Ending> {
  const child = spawn(program, args, { detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
  const timers: NodeJS.Timeout[] = [];
  let problem: string | undefined;

  const interrupt = (why: string): void => {
    problem ??= why;
    signalGroup(child.pid, "SIGINT");
    timers.push(setTimeout(() => signalGroup(child.pid, "SIGKILL"), graceMs));
  };
  const onAbort = (): void => interrupt("it was interrupted");
  timers.push(setTimeout(() => interrupt(`it took more than ${limitMs / 1000} s`), limitMs));
  signal?.addEventListener("abort", onAbort);
  await new Promise<void>((resolve) => {
    child.on("error", ({ message }) => {
      problem = `${program}: ${message}`;
      resolve();
    });
    child.on("exit", (code, by) => {
      if (code !== 0) problem ??= `it failed (${code ?? by})`;
      // Whoever still holds its output is not of its group, or is about to end.
      timers.push(
        setTimeout(() => {
          problem ??= "it left a process behind that holds its output";
          child.stdout.destroy();
          child.stderr.destroy();
        }, graceMs),
      );
    });
    child.on("close", () => resolve());
  });
  for (const timer of timers) clearTimeout(timer);
  signal?.removeEventListener("abort", onAbort);
  const output = Buffer.concat(chunks).toString();
  return { output, ...(problem !== undefined && { problem }) };
}

function signalGroup(pid: number | undefined, name: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, name);
  } catch {
    // Nothing of it is left.
  }
}
