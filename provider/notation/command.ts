import { resolve } from "node:path";
import type { Claims } from "../evidence/evidence.ts";
import type { Question } from "./judgement.ts";
import type { Command } from "./run.ts";

/** What is the same for every run. */
export interface CommandOptions {
  /** Path of the binary; no `PATH` is looked through. It may be missing for a while. */
  readonly binary: string;
  /** For `NOTATION_LIBEXEC`: plugins are at `plugins/<name>/notation-<name>` in it. */
  readonly pluginDirectory?: string;
  /** `--plugin-config` of runs with a plugin: from the configuration, never from a key. */
  readonly pluginConfig: readonly (readonly [name: string, value: string])[];
  /** More environment for a run with a plugin, asked for before each: credentials, and where to ask. A rejection ends the run. */
  readonly pluginEnvironment?:
    ((claims: Claims) => Promise<Readonly<Record<string, string>>>) | undefined;
}

/** Where one run finds what it needs; absolute paths. */
export interface RunDirectories {
  /** Holds `trustpolicy.json` and `truststore/`. */
  readonly trust: string;
  /** The OCI image layout with the one signature; temporary files go here too, so that they go away with it. */
  readonly layout: string;
  /** Its `crl` holds revocation lists, shared by all runs, on the same mount as the layouts (CVE-2024-51491). */
  readonly cache: string;
}

/**
 * The run of `notation verify` that answers a question. The child gets to know what stands here and nothing else. No
 * part of a key is an argument by itself: the repository follows `--scope`, the digest stands after `--`.
 * @see docs/threat-model.md, T-34 and T-35
 */
export async function commandOf(
  { repository, subject, envelope }: Question,
  { trust, layout, cache }: RunDirectories,
  { binary, pluginDirectory, pluginConfig, pluginEnvironment }: CommandOptions,
  /** Of this run alone. */
  runEnvironment: Readonly<Record<string, string>> = {},
): Promise<Command> {
  // Without a plugin in the claims Notation finds none, even if it should read the envelope in another way than we.
  const isPluginNamed = envelope.claims.plugin !== undefined;
  const config = isPluginNamed ? pluginConfig : [];
  return {
    file: resolve(binary),
    args: [
      "verify",
      "-v",
      "--max-signatures",
      "1",
      "--oci-layout",
      "--scope",
      `${repository.registry}/${repository.repository}`,
      ...config.flatMap(([name, value]) => ["--plugin-config", `${name}=${value}`]),
      "--",
      `.@${subject.digest}`,
    ],
    cwd: layout,
    env: {
      ...(isPluginNamed && (await pluginEnvironment?.(envelope.claims))),
      ...(isPluginNamed && runEnvironment),
      ...(isPluginNamed &&
        pluginDirectory !== undefined && { NOTATION_LIBEXEC: resolve(pluginDirectory) }),
      NOTATION_EXPERIMENTAL: "1",
      NOTATION_CONFIG: trust,
      NOTATION_CACHE: cache,
      TMPDIR: layout,
    },
  };
}
