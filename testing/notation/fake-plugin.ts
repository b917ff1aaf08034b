import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A directory for `NOTATION_LIBEXEC` with plugins that are shell scripts. */
export interface FakePlugins extends AsyncDisposable {
  /** Has `plugins/<name>/notation-<name>` in it; scripts may write here, it is `$here` to them. */
  readonly directory: string;
}

export interface FakePlugin {
  readonly name: string;
  /** Shell for `get-plugin-metadata`; a plugin that judges identity and revocation unless said otherwise. */
  readonly metadata?: string;
  /** Shell for `verify-signature`; everything is well unless said otherwise. */
  readonly verify?: string;
}

/** Result of one capability in the answer to `verify-signature`. */
export interface PluginResult {
  readonly success: boolean;
  readonly reason: string;
}

const GOOD: PluginResult = { success: true, reason: "as it should be" };

/** Shell: the answer of a plugin that judges identity and revocation. */
export function answers({
  identity = GOOD,
  revocation = GOOD,
  processed = [],
}: {
  readonly identity?: PluginResult;
  readonly revocation?: PluginResult;
  /** Names of the attributes that the plugin understood. */
  readonly processed?: readonly string[];
}): string {
  return says({
    verificationResults: {
      "SIGNATURE_VERIFIER.TRUSTED_IDENTITY": identity,
      "SIGNATURE_VERIFIER.REVOCATION_CHECK": revocation,
    },
    processedAttributes: processed,
  });
}

/** Shell: prints one JSON document and ends well. */
export const says = (value: unknown): string =>
  `cat <<'ANSWER'\n${JSON.stringify(value)}\nANSWER\nexit 0`;

/** Shell: the answer to `get-plugin-metadata`, with what is said otherwise. */
export const metadataOf = (changes: Readonly<Record<string, unknown>>): string =>
  says({
    name: "com.example.plugin",
    description: "a double",
    version: "1.0.0",
    url: "https://plugin.test",
    supportedContractVersions: ["1.0"],
    capabilities: ["SIGNATURE_VERIFIER.TRUSTED_IDENTITY", "SIGNATURE_VERIFIER.REVOCATION_CHECK"],
    ...changes,
  });

export async function createFakePlugins(plugins: readonly FakePlugin[]): Promise<FakePlugins> {
  const directory = await mkdtemp(join(tmpdir(), "fake-plugins-"));
  for (const { name, metadata = metadataOf({ name }), verify = answers({}) } of plugins) {
    const folder = join(directory, "plugins", name);
    mkdirSync(folder, { recursive: true });
    const file = join(folder, `notation-${name}`);
    const script = [
      "#!/bin/sh",
      `here='${directory}'`,
      'if [ "$1" = get-plugin-metadata ]; then',
      metadata,
      "fi",
      verify,
    ];
    writeFileSync(file, `${script.join("\n")}\n`);
    chmodSync(file, 0o755);
  }
  return {
    directory,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}
