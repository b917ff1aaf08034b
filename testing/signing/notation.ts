/**
 * Asks the real Notation what it says of one envelope, without any of the provider's code.
 *
 * - `askNotation(options)`: lays the envelope out, runs `notation verify` once, cleans up
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SignedSubject } from "./envelope.ts";
import { type TrustContent, writeTrust } from "./trust.ts";

/** The binary that `make tools` builds. */
export const NOTATION = new URL("../../tools/bin/notation", import.meta.url).pathname;

export interface NotationQuestion {
  readonly subject: SignedSubject;
  readonly mediaType: string;
  readonly envelope: Uint8Array;
  readonly trust: TrustContent;
  /** Default `registry.example/app`. */
  readonly scope?: string;
}

export interface NotationAnswer {
  readonly passed: boolean;
  /** What follows `failed verification with error:`, or the `Error:` line; empty when it passed. */
  readonly reason: string;
  readonly stderr: string;
}

/** Runs Notation on a layout of its own in the temporary directory. */
export async function askNotation(question: NotationQuestion): Promise<NotationAnswer> {
  const directory = mkdtempSync(join(tmpdir(), "ask-notation-"));
  try {
    writeTrust(join(directory, "config"), question.trust);
    const layout = join(directory, "layout");
    writeLayout(layout, question);
    return await verify({ directory, layout }, question);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function writeLayout(layout: string, { subject, mediaType, envelope }: NotationQuestion): void {
  mkdirSync(join(layout, "blobs", "sha256"), { recursive: true });
  const put = (type: string, bytes: Uint8Array) => {
    const hex = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(join(layout, "blobs", "sha256", hex), bytes);
    return { mediaType: type, digest: `sha256:${hex}`, size: bytes.byteLength };
  };
  const config = { ...put("application/vnd.cncf.notary.signature", Buffer.from("{}")) };
  const layer = put(mediaType, envelope);
  const type = "application/vnd.oci.image.manifest.v1+json";
  const manifest = { schemaVersion: 2, mediaType: type, config, layers: [layer], subject };
  const manifests = [subject, put(type, Buffer.from(JSON.stringify(manifest)))];
  writeFileSync(join(layout, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
  writeFileSync(join(layout, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
}

function verify(
  { directory, layout }: { readonly directory: string; readonly layout: string },
  { subject, scope = "registry.example/app" }: NotationQuestion,
): Promise<NotationAnswer> {
  const reference = `.@${subject.digest}`;
  const options = {
    cwd: layout,
    env: {
      NOTATION_EXPERIMENTAL: "1",
      NOTATION_CONFIG: join(directory, "config"),
      NOTATION_CACHE: join(directory, "cache"),
      NOTATION_LIBEXEC: join(directory, "libexec"),
    },
  };
  const args = ["verify", "-v", "--oci-layout", "--scope", scope, "--", reference];
  return new Promise((resolve) => {
    execFile(NOTATION, args, options, (error, stdout, stderr) => {
      const success = `Successfully verified signature for ${reference}`;
      const passed = error === null && stdout.split("\n")[0] === success;
      const reason =
        /failed verification with error: (.*)/.exec(stderr)?.[1] ??
        /^Error: (.*)/m.exec(stderr)?.[1];
      resolve({ passed, reason: passed ? "" : (reason ?? ""), stderr });
    });
  });
}
