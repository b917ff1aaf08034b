import { createHash } from "node:crypto";
import type { AskedLevel } from "../verdict/verdict.ts";
import { encodePolicy } from "./policy-document.ts";
import { actionsOf } from "./policy-level.ts";
import type { Policy, PolicyStatement } from "./policy.ts";
import type { Runtime, RuntimeDirectory } from "./runtime.ts";
import { encodeStore, pathOfStore, splitStoreName } from "./store.ts";
import type { Form, Statement, TrustDirectory, TrustSnapshot } from "./trust.ts";

/** What a snapshot is made of. */
export interface SnapshotContent {
  readonly name: string;
  readonly policy: Policy;
  /** Certificates, DER, of every store that the policy names: `ca:NAME` → certificates in the order of their bytes. */
  readonly stores: ReadonlyMap<string, readonly Uint8Array[]>;
}

/** A snapshot with what its maker may do with it. */
export interface OwnedSnapshot extends TrustSnapshot {
  /** Another snapshot has taken its place: its directories go when the last handle is disposed of. */
  retire(): void;
}

/**
 * SHA-256, hexadecimal, of what the policy says and of the certificates of the stores that it names. The
 * order of members and the spaces of the document do not count, nor do the names of the stores' files.
 */
export function epochOf({ policy, stores }: SnapshotContent): string {
  const hash = createHash("sha256").update(encodePolicy(policy, undefined, "whole"));
  for (const name of [...stores.keys()].toSorted()) {
    // No two contents may give the same bytes: every part has its length before it.
    const certificates = stores.get(name) ?? [];
    hash.update(`\n${name} ${certificates.length}\n`);
    for (const der of certificates) hash.update(`${der.length} `).update(der);
  }
  return hash.digest("hex");
}

/**
 * Makes a snapshot that lives in memory; a directory of it is made when a run first needs one. A policy has
 * one directory per level and form, and one set of stores that all of them share.
 */
export function createSnapshot(content: SnapshotContent, runtime: Runtime): OwnedSnapshot {
  const epoch = epochOf(content);
  const statements = content.policy.statements.map(toStatement);
  const byScope = new Map(
    statements.flatMap((statement) => statement.registryScopes.map((scope) => [scope, statement])),
  );
  let root: RuntimeDirectory | undefined;
  let opened = new Map<string, string>();
  let handles = 0;
  let isRetired = false;

  const removeIfUnused = () => {
    if (!isRetired || handles > 0) return;
    root?.remove();
    root = undefined;
    opened = new Map();
  };

  const pathOf = (level: AskedLevel | undefined, form: Form): string => {
    const key = `${level ?? "own"}.${form}`;
    const known = opened.get(key);
    if (known !== undefined) return known;
    root ??= runtime.make(epoch.slice(0, 16), storeFiles(content));
    const path = root.add(key, {
      // Notation refuses symbolic links to a store or a certificate, but not to the folder of all stores.
      links: new Map([["truststore", "../truststore"]]),
      files: new Map([["trustpolicy.json", encodePolicy(content.policy, level, form)]]),
    });
    opened.set(key, path);
    return path;
  };

  return {
    name: content.name,
    epoch,
    statement: (scope) => (scope === "*" ? undefined : byScope.get(scope)) ?? byScope.get("*"),
    open(level, form): TrustDirectory {
      handles += 1;
      let path: string;
      try {
        path = pathOf(level, form);
      } catch (error) {
        handles -= 1;
        removeIfUnused();
        throw error;
      }
      let isOpen = true;
      return {
        path,
        [Symbol.dispose]() {
          if (!isOpen) return;
          isOpen = false;
          handles -= 1;
          removeIfUnused();
        },
      };
    },
    retire() {
      isRetired = true;
      removeIfUnused();
    },
  };
}

function toStatement(statement: PolicyStatement): Statement {
  const { name, level, registryScopes, trustStores, trustedIdentities, override } = statement;
  return {
    name,
    level,
    registryScopes,
    trustStores,
    trustedIdentities,
    // A level that is asked for does not reach a repository that is skipped.
    actions: (asked) => actionsOf(level === "skip" ? level : (asked ?? level), override),
  };
}

/** One file per store: fewer to open for Notation, and none of the names that somebody else chose. */
function storeFiles({ stores }: SnapshotContent): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const [text, certificates] of stores) {
    const store = splitStoreName(text);
    if (store === undefined) throw new TypeError(`${text} names no trust store`);
    files.set(`${pathOfStore(store.type, store.name)}/certificates.pem`, encodeStore(certificates));
  }
  return files;
}
