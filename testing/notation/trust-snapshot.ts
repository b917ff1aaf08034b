import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Action, Form, Statement, TrustSnapshot } from "../../provider/trust/trust.ts";
import type { AskedLevel, Level } from "../../provider/verdict/verdict.ts";
import { writeTrust, type TrustContent, type TrustStatement } from "../signing/trust.ts";

type Check = keyof ReturnType<Statement["actions"]>;

/** @see Notary Project trust policy, "Signature verification levels" */
const LEVEL_ACTIONS: Readonly<Record<Level, Readonly<Record<Check, Action>>>> = {
  strict: {
    integrity: "enforce",
    authenticity: "enforce",
    authenticTimestamp: "enforce",
    expiry: "enforce",
    revocation: "enforce",
  },
  permissive: {
    integrity: "enforce",
    authenticity: "enforce",
    authenticTimestamp: "log",
    expiry: "log",
    revocation: "log",
  },
  audit: {
    integrity: "enforce",
    authenticity: "log",
    authenticTimestamp: "log",
    expiry: "log",
    revocation: "log",
  },
  skip: {
    integrity: "skip",
    authenticity: "skip",
    authenticTimestamp: "skip",
    expiry: "skip",
    revocation: "skip",
  },
};

/** What each form overrides. */
const FORM_OVERRIDES: Readonly<Record<Form, Readonly<Record<string, Action>>>> = {
  whole: {},
  authentic: { authenticity: "enforce" },
  unrevoked: { revocation: "skip" },
};

/** A snapshot with one statement, for tests of Notation that need no trust directory that is watched. */
export interface FixedSnapshot extends TrustSnapshot, Disposable {
  /** The one statement. */
  readonly only: Statement;
  /** How many directories are open now. */
  opened(): number;
}

export interface SnapshotOptions {
  readonly level: Level;
  readonly override?: Readonly<Record<string, Action>>;
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
    actions: (level = own === "skip" ? undefined : own) => ({
      ...LEVEL_ACTIONS[level ?? "skip"],
      ...override,
    }),
  };

  function write(directory: string, level: AskedLevel | undefined, form: Form): void {
    const statement: TrustStatement = {
      name: only.name,
      registryScopes: only.registryScopes,
      signatureVerification: {
        level: level ?? own,
        override: { ...override, ...FORM_OVERRIDES[form] },
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
