/**
 * The provider's judge with the pinned Notation, for tests of what the two say together.
 *
 * - `createRealJudge(t, policy, options)`: asks about one subject, under a trust policy of the test's
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import type { TestContext } from "node:test";
import type { EnvelopeType } from "../../provider/evidence/evidence.ts";
import type { Descriptor } from "../../provider/image/descriptor.ts";
import { digestOf } from "../../provider/image/digest.ts";
import {
  createNotation,
  type Notation,
  type NotationOptions,
} from "../../provider/notation/judge.ts";
import type { Judgement } from "../../provider/notation/judgement.ts";
import type { AskedLevel } from "../../provider/verdict/verdict.ts";
import { JWS } from "../signing/envelope.ts";
import { NOTATION } from "../signing/notation.ts";
import { createSnapshot, type SnapshotOptions } from "./trust-snapshot.ts";

/** What every question is about. */
export const SUBJECT: Descriptor = {
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  digest: digestOf("a manifest"),
  size: 10,
};

const never = new AbortController().signal;

/** One question: an envelope, and what is otherwise than usual. */
export interface Asked {
  readonly envelope: Buffer;
  readonly mediaType?: EnvelopeType;
  readonly plugin?: string | undefined;
  readonly policy?: Partial<SnapshotOptions>;
  readonly signal?: AbortSignal;
}

/** The judge, and where it writes. */
export interface RealJudge {
  readonly notation: Notation;
  /** Holds `layouts` and, unless another directory was given for caches, `crl`. */
  readonly runtime: string;
  readonly ask: (level: AskedLevel, asked: Asked) => Promise<Judgement>;
}

/** @param trust the policy of every question that brings none of its own */
export async function createRealJudge(
  t: TestContext,
  trust: Partial<SnapshotOptions>,
  options: Partial<NotationOptions> = {},
): Promise<RealJudge> {
  const runtime = mkdtempSync(join(tmpdir(), "runtime-"));
  t.after(() => rmSync(runtime, { recursive: true, force: true }));
  const notation = await createNotation({
    binary: NOTATION,
    plugins: [],
    pluginConfig: [],
    runtimeDirectory: runtime,
    cacheDirectory: runtime,
    concurrency: 2,
    maxWaiting: 10,
    graceMs: 50,
    outputBytes: 65_536,
    now: () => performance.now(),
    ...options,
  });
  t.after(() => notation.close());
  return {
    notation,
    runtime,
    async ask(level, { envelope, mediaType = JWS, plugin, policy = {}, signal = never }) {
      using snapshot = createSnapshot({ level, ...trust, ...policy });
      return await notation.judge(
        {
          repository: { registry: "registry.test", repository: "team/app" },
          subject: SUBJECT,
          envelope: {
            kind: "envelope",
            signature: digestOf("signature"),
            mediaType,
            bytes: envelope,
            claims: {
              signer: { scheme: "notary.x509", subject: "CN=app" },
              ...(plugin !== undefined && { plugin }),
            },
          },
          trust: snapshot,
          statement: snapshot.only,
          level: undefined,
        },
        signal,
      );
    },
  };
}

/** `passed`, with the codes of its warnings, or the reason. */
export function codeOf(judgement: Judgement): string {
  if (judgement.kind !== "passed") return judgement.reason;
  const warnings = judgement.warnings.map(
    ({ check, message }) => ` ${check} ${message.split(":")[0]}`,
  );
  return `passed${warnings.join("")}`;
}
