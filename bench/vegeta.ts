import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../testing/provider/start.ts";

/** What a load was and what came back. */
export interface LoadResult {
  readonly requests: number;
  /** Requests a second that were answered with 200. */
  readonly throughput: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
  /** Answers that were not 200, and failures of the connection. */
  readonly errors: number;
}

export interface Load {
  readonly url: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** A ProviderRequest, the same for every request. */
  readonly body: string;
  /** Requests under way at once; each begins as another ends. */
  readonly connections: number;
  /** False: a new connection with its handshake for every request, as Gatekeeper did before 3.22. */
  readonly keepAlive: boolean;
  readonly seconds: number;
}

interface VegetaReport {
  readonly latencies: Readonly<Record<"50th" | "95th" | "99th" | "max", number>>;
  readonly requests: number;
  readonly throughput: number;
  readonly success: number;
}

/** Runs a program to its end with `input`, and returns what it printed. */
async function pipe(program: string, args: readonly string[], input?: Buffer): Promise<Buffer> {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(input);
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  if (code !== 0) throw new Error(`${program} ended with ${code}`);
  return Buffer.concat(chunks);
}

const ms = (nanoseconds: number): number => nanoseconds / 1e6;

/** Closed-loop load by vegeta: a fixed number of connections, each as fast as it is answered. */
export async function attack(load: Load): Promise<LoadResult> {
  const vegeta = join(ROOT, "tools/bin/vegeta");
  const directory = await mkdtemp(join(tmpdir(), "bench-"));
  const file = (name: string): string => join(directory, name);
  try {
    await Promise.all([
      writeFile(file("ca.crt"), load.ca),
      writeFile(file("tls.crt"), load.cert),
      writeFile(file("tls.key"), load.key),
      writeFile(file("body.json"), load.body),
      writeFile(
        file("targets"),
        `POST ${load.url}\nContent-Type: application/json\n@${file("body.json")}\n`,
      ),
    ]);
    const count = String(load.connections);
    const flags = [
      `-targets=${file("targets")} -rate=0 -duration=${load.seconds}s`,
      `-workers=${count} -max-workers=${count} -connections=${count}`,
      `-root-certs=${file("ca.crt")} -cert=${file("tls.crt")} -key=${file("tls.key")}`,
      `-http2=false -keepalive=${load.keepAlive}`,
    ];
    const results = await pipe(vegeta, ["attack", ...flags.join(" ").split(" ")]);
    const printed = await pipe(vegeta, ["report", "-type", "json"], results);
    const report = JSON.parse(printed.toString()) as VegetaReport;
    return {
      requests: report.requests,
      throughput: report.throughput,
      p50: ms(report.latencies["50th"]),
      p95: ms(report.latencies["95th"]),
      p99: ms(report.latencies["99th"]),
      max: ms(report.latencies.max),
      errors: Math.round(report.requests * (1 - report.success)),
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
