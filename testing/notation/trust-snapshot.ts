import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { actionsOf } from "../../provider/trust/policy-level.ts";
import {
  FORM_OVERRIDE,
  type Form,
  type Override,
  type Statement,
  type TrustSnapshot,
} from "../../provider/trust/trust.ts";
import type { AskedLevel, Level } from "../../provider/verdict/verdict.ts";
import { writeTrust, type TrustContent, type TrustStatement } from "../signing/trust.ts";

/** A snapshot with one statement, for tests of Notation that need no trust directory that is watched. */
export interface FixedSnapshot extends TrustSnapshot, Disposable {
  /** The one statement. */
  readonly only: Statement;
  /** How many directories are open now. */
  opened(): number;
}

export interface SnapshotOptions {
  readonly level: Level;
  readonly override?: Override;
  /** Default `*`. */
  readonly registryScopes?: readonly string[];
  readonly trustStores?: readonly string[];
  readonly trustedIdentities?: readonly string[];
  readonly stores?: TrustContent["stores"];
}

/**
 * Writes one directory for each level and form that is asked for; the file `form` in it says which, for doubles of
 * Notation that want to know.
 */
export function createSnapshot(options: SnapshotOptions): FixedSnapshot {
  const { level: own, override = {}, stores = {} } = options;
  const { registryScopes = ["*"], trustStores = ["ca:example"] } = options;
  const { trustedIdentities = ["*"] } = options;
  const root = mkdtempSync(join(tmpdir(), "snapshot-"));
  let openNow = 0;
  const only: Statement = {
    name: "example",
    level: own,
    registryScopes,
    trustStores,
    trustedIdentities,
    actions: (level) => actionsOf(level ?? own, override),
  };

  function write(directory: string, level: AskedLevel | undefined, form: Form): void {
    const statement: TrustStatement = {
      name: only.name,
      registryScopes: only.registryScopes,
      signatureVerification: {
        level: level ?? own,
        override: { ...override, ...FORM_OVERRIDE[form] },
      },
      trustStores,
      trustedIdentities,
    };
    writeTrust(directory, { statements: [statement], stores });
    writeFileSync(join(directory, "form"), form);
  }

  return {
    name: "default",
    epoch: "0".repeat(64),
    only,
    statement: () => only,
    open(level, form) {
      const path = join(root, `${level ?? "own"}-${form}`);
      if (!existsSync(path)) write(path, level, form);
      openNow += 1;
      return {
        path,
        [Symbol.dispose]: () => {
          openNow -= 1;
        },
      };
    },
    opened: () => openNow,
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}
