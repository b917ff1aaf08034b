import assert from "node:assert/strict";
import { parseConfig } from "../../provider/config/load.ts";
import type { Config } from "../../provider/config/schema.ts";

/** The least configuration that is taken, with these of its members: for what looks at registries and AWS alone. */
export function configOf(aws: object, registries: readonly object[] = []): Config {
  const loaded = parseConfig(
    JSON.stringify({
      server: { tls: { certificate: "tls.crt", key: "tls.key", clientCA: "ca.crt" } },
      trust: { directory: "trust" },
      notation: { binary: "notation" },
      registries,
      aws,
    }),
  );
  assert.ok("config" in loaded, JSON.stringify(loaded));
  return loaded.config;
}
