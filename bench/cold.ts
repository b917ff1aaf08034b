import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readEnvelope } from "../provider/evidence/envelope.ts";
import { writeLayout } from "../provider/evidence/layout.ts";
import { digestOf } from "../provider/image/digest.ts";
import { isRefusal } from "../provider/verdict/verdict.ts";
import { ROOT, type RunningProvider } from "../testing/provider/start.ts";
import { pass, slow } from "../testing/registry/answers.ts";
import { startUnruly } from "../testing/registry/unruly.ts";
import { JWS, jws } from "../testing/signing/envelope.ts";
import { pushSigned, type SignedImage } from "./images.ts";
import { collectedShare, vitalsOf } from "./processes.ts";
import type { Row } from "./report.ts";
import type { Setting } from "./setting.ts";
import { measure, quantile } from "./statistics.ts";

/** Ready layouts judged by bare processes: what the machine gives when nothing else is done. */
async function bareNotation(setting: Setting, runs: number, concurrency: number): Promise<number> {
  const parent = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "bench-"));
  try {
    const layouts = Array.from({ length: runs }, (_, index) => {
      const subject = {
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        digest: digestOf(String(index)),
        size: 100,
      };
      const bytes = jws({ signer: setting.signer, subject });
      const claims = readEnvelope(JWS, bytes);
      if (isRefusal(claims)) throw new Error(claims.sentence);
      const envelope = {
        kind: "envelope",
        signature: subject.digest,
        mediaType: JWS,
        bytes,
        claims,
      } as const;
      return {
        path: writeLayout(parent, subject, envelope).path,
        reference: `.@${subject.digest}`,
      };
    });
    const env = {
      NOTATION_EXPERIMENTAL: "1",
      NOTATION_CONFIG: setting.trust,
      NOTATION_CACHE: join(parent, "cache"),
    };
    const { perSecond } = await measure(layouts, concurrency, async ({ path, reference }) => {
      const args = [
        "verify",
        "-v",
        "--oci-layout",
        "--scope",
        "bench.example/app",
        "--",
        reference,
      ];
      await new Promise<void>((resolve, reject) => {
        execFile(join(ROOT, "tools/bin/notation"), args, { cwd: path, env }, (error) => {
          if (error === null) resolve();
          else reject(error);
        });
      });
    });
    return perSecond;
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
}

/** Asks for one image and insists that it is verified. */
const askFor = (provider: RunningProvider, host: string, by: "digest" | "tag") => {
  const caller = provider.caller();
  return async ({ repository, tag, digest }: SignedImage): Promise<void> => {
    const key =
      by === "digest" ? `${host}/${repository}@${digest}` : `${host}/${repository}:${tag}`;
    const { response, raw } = await caller.ask([key]);
    if (response.response.items[0]?.error !== undefined || response.response.items.length !== 1) {
      throw new Error(`not verified: ${raw}`);
    }
  };
};

/** Cold verifications a second, beside bare processes on the same machine in the same run. */
export async function coldRate(setting: Setting, progress: (text: string) => void): Promise<Row[]> {
  const rates: number[] = [];
  for (const concurrency of [2, 4, 8]) {
    progress(`bare Notation processes, ${concurrency} at once`);
    rates.push(await bareNotation(setting, 300, concurrency));
  }
  const bare = Math.max(...rates);

  progress("push 600 signed images");
  const images = await pushSigned(setting.registry, setting.signer, "cold/app", 600);
  let best = { perSecond: 0, p50: 0, p95: 0, resident: 0, concurrency: 0, loop: "", share: 0 };
  for (const concurrency of [4, 8]) {
    progress(`cold verifications, ${concurrency} requests at once`);
    await using provider = await setting.provider();
    const before = await vitalsOf(provider);
    const { times, perSecond } = await measure(
      images,
      concurrency,
      askFor(provider, setting.registry.host, "digest"),
    );
    const after = await vitalsOf(provider);
    if (perSecond > best.perSecond) {
      best = {
        perSecond,
        p50: quantile(times, 0.5),
        p95: quantile(times, 0.95),
        resident: after.residentMiB,
        concurrency,
        loop: `p99 ${after.lagP99Ms.toFixed(1)} ms, longest ${after.lagMaxMs.toFixed(0)} ms`,
        share: collectedShare(before, after),
      };
    }
  }
  const share = best.perSecond / bare;
  return [
    {
      id: "bare",
      what: "`notation verify --oci-layout` on ready layouts, ES384, best of 2, 4 and 8 at once",
      measured: `${bare.toFixed(0)}/s`,
      target: "",
      met: undefined,
      limit: "both cores, P-384 arithmetic and process starts",
    },
    {
      id: "cold",
      what: `600 distinct signed images by digest, ES384, ${best.concurrency} requests at once`,
      measured: `${best.perSecond.toFixed(0)}/s, ${(share * 100).toFixed(0)} % of bare; p50 ${best.p50.toFixed(0)} ms, p95 ${best.p95.toFixed(0)} ms`,
      target: "≥ 75 % of bare",
      met: share >= 0.75,
      limit:
        "both cores, shared with registry and caller: 12 of some 19 ms of processor time an image are Notation's own",
    },
    {
      id: "loop",
      what: "delay of the event loop beyond its timer's grain while that many processes are started, and garbage collection",
      measured: `${best.loop}; ${(best.share * 100).toFixed(1)} % of the time for garbage`,
      target: "< 5 % for garbage",
      met: best.share < 0.05,
      limit: "another process starts them; the two cores are theirs",
    },
    {
      id: "memory",
      what: "resident memory of the Node process after the cold load",
      measured: `${best.resident.toFixed(0)} MiB`,
      target: "≤ 200 MiB",
      met: best.resident <= 200,
      limit: "Node, its libraries and their code",
    },
  ];
}

/** One cold image with a registry that is so far away: shows the serial round trips. */
export async function coldLatency(
  setting: Setting,
  progress: (text: string) => void,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const by of ["digest", "tag"] as const) {
    const p50s = new Map<number, number>();
    for (const latency of [0, 25, 100]) {
      progress(`one cold image by ${by}, registry ${latency} ms away`);
      const images = await pushSigned(setting.registry, setting.signer, `far/${by}-${latency}`, 21);
      await using far = await startUnruly({ upstream: setting.registry });
      if (latency > 0) far.on(/./, slow(latency, pass()));
      await using provider = await setting.provider({ registry: far });
      const ask = askFor(provider, far.host, by);
      // The first one opens connections and loads code.
      const [first, ...others] = images;
      if (first !== undefined) await ask(first);
      const { times } = await measure(others, 1, ask);
      const p50 = quantile(times, 0.5);
      p50s.set(latency, p50);
      const trips = latency === 0 ? undefined : (p50 - (p50s.get(0) ?? 0)) / latency;
      const goal = by === "digest" ? 3 : 4;
      rows.push({
        id: `cold ${latency} ms`,
        what: `one cold image by ${by}, registry ${latency} ms away`,
        measured: `p50 ${p50.toFixed(0)} ms, p95 ${quantile(times, 0.95).toFixed(0)} ms${trips === undefined ? "" : `: ${trips.toFixed(1)} round trips`}`,
        target: trips === undefined ? "" : `≤ ${goal} serial round trips`,
        met: trips === undefined ? undefined : trips <= goal + 0.25,
        limit: latency === 0 ? "one Notation process" : "the distance to the registry",
      });
    }
  }
  return rows;
}
