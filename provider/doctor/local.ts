import { accessSync, constants, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RUNTIME_DIRECTORY, type Config } from "../config/schema.ts";
import { readMaterial } from "../http/material.ts";
import { now } from "../lib/clock.ts";
import { errorCode } from "../lib/error-code.ts";
import { certificateFiles, type TlsFiles } from "../http/certificate-files.ts";
import { certificatesOf } from "../lib/pem.ts";
import { validityOf } from "../lib/validity.ts";
import { createRunner } from "../notation/run.ts";
import { createVersion } from "../notation/version.ts";
import { createOwnDirectory } from "../own-directory.ts";
import { usesOwnPlugin } from "../signer-parts.ts";
import { oneLine } from "../verdict/verdict.ts";
import { error, ok, warning, type Finding } from "./finding.ts";
import { sentenceOf } from "./sentence.ts";
import { endOf } from "./time.ts";
import type { Trial } from "./trial.ts";

/** Days before its end in which a certificate is named: whoever renews it has done so by then. */
const SOON_DAYS = 7;

const SERVING = "server.tls";
const CLIENT_CA = "server.tls.clientCA";

/** What the provider needs of the machine that it runs on. */
export function localTrials(config: Config): readonly Trial[] {
  const { tls } = config.server;
  return [
    { subject: "notation.binary", run: async (signal) => [await notation(config, signal)] },
    ...programsOf(config).map(([subject, file]) => ({
      subject,
      run: () => Promise.resolve([program(subject, file)]),
    })),
    // The provider's own certificates are made where it runs.
    ...(tls === undefined ? [] : [{ subject: SERVING, run: async () => await serving(tls) }]),
    { subject: "runtimeDirectory", run: () => Promise.resolve([runtime(config)]) },
  ];
}

/** Bytes of Notation's answer that are read. */
const OUTPUT_BYTES = 4096;

async function notation({ notation: options }: Config, signal: AbortSignal): Promise<Finding> {
  const { check } = createVersion({
    binary: options.binary,
    directory: tmpdir(),
    runner: createRunner({ graceMs: options.grace, outputBytes: OUTPUT_BYTES, now }),
    deadline: () => signal,
    now,
  });
  const { version, problem } = await check();
  return version === undefined
    ? error("notation.binary", problem ?? "does not say its version")
    : ok("notation.binary", `is Notation ${version}`);
}

/** Programs that Notation starts: the launcher of the built-in plugin or AWS's own, or what a directory of plugins holds. */
function programsOf(config: Config): readonly (readonly [subject: string, file: string])[] {
  const { signer, notation: options } = config;
  if (usesOwnPlugin(config)) {
    return signer.plugin === "builtin"
      ? [["signer.launcher", signer.launcher]]
      : [["signer.plugin", signer.plugin]];
  }
  const directory = options.pluginDirectory;
  if (directory === undefined) return [];
  return options.plugins.map((name) => [
    `notation.plugins ${name}`,
    join(directory, "plugins", name, `notation-${name}`),
  ]);
}

function program(subject: string, file: string): Finding {
  try {
    if (statSync(file).isDirectory()) return error(subject, `is a folder: ${file}`);
    accessSync(file, constants.X_OK);
    return ok(subject, "can be started");
  } catch (problem) {
    const code = errorCode(problem) ?? "unknown";
    return error(subject, `cannot be started (${code}): ${file}`);
  }
}

async function serving(tls: TlsFiles): Promise<readonly Finding[]> {
  const material = await readMaterial(certificateFiles(tls));
  if (material.kind === "bad") return [error(SERVING, material.problem)];
  const [leaf] = certificatesOf(material.cert);
  const names = oneLine(leaf?.subjectAltName?.replaceAll("DNS:", "") ?? "no name");
  const end = endOf(material.notAfter.getTime(), SOON_DAYS);
  const sentence = `certificate and key fit, for ${names}; the certificate ${end.text}`;
  const level = end.isOver ? error : end.isSoon ? warning : ok;
  const authorities = material.roots.map((root) => endOf(validityOf(root)?.ends ?? 0, SOON_DAYS));
  return [
    level(SERVING, sentence, end.isSoon ? "renew it" : undefined),
    ...authorities
      .filter(({ isSoon }) => isSoon)
      .map(({ isOver, text }) => (isOver ? error : warning)(CLIENT_CA, `an authority ${text}`)),
  ];
}

function runtime({ runtimeDirectory }: Config): Finding {
  const subject = "runtimeDirectory";
  try {
    using own = createOwnDirectory(runtimeDirectory);
    return own.isMemory
      ? ok(subject, "can be written, and is in memory")
      : warning(
          subject,
          "can be written, and is on a disk, which every verification waits for",
          "mount a memory file system",
        );
  } catch (problem) {
    // Made for the service: elsewhere it need not be there.
    const level = runtimeDirectory === RUNTIME_DIRECTORY ? warning : error;
    return level(subject, sentenceOf(problem));
  }
}
