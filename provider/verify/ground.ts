import type { Digest } from "../image/digest.ts";
import type { NotationState } from "../notation/judgement.ts";
import type { Key } from "../protocol/key.ts";
import type { Statement, Trust, TrustSnapshot } from "../trust/trust.ts";
import { rejected, undecided, type Refusal, type Skipped } from "../verdict/verdict.ts";
import { skipped } from "./facts.ts";
import type { KnownKey } from "./keys.ts";

/** What a key is judged under at this moment. */
export interface Ground {
  readonly key: Key;
  readonly snapshot: TrustSnapshot;
  readonly statement: Statement;
  /** Notation's version. */
  readonly version: string;
  /** Names everything that a verdict about this digest depends on; what differs in any of it differs in the name. */
  cacheKeyOf(digest: Digest): string;
}

/** Verdicts that need nobody's answer. */
export type Settled = Refusal | Skipped;

export interface Grounds {
  /** The policy in force for a key; or the verdict that ends it before anybody is asked. */
  of(known: KnownKey): Ground | Settled;
  /** Whether what was judged under a ground may still be answered. */
  isInForce(known: KnownKey, ground: Ground): boolean;
}

export interface GroundsOptions {
  readonly trust: Pick<Trust, "policy">;
  readonly notation: () => NotationState;
}

const NOT_ALLOWED = rejected(
  "REGISTRY_NOT_ALLOWED",
  "the provider's configuration does not name this registry",
);
const NO_STATEMENT = rejected(
  "NO_TRUST_POLICY",
  "no statement of the trust policy applies to this repository",
);
const NO_POLICY = undecided("UNKNOWN_POLICY", "there is no trust policy of this name");
const BAD_POLICY = undecided("TRUST_UNAVAILABLE", "this trust policy has never been valid");

/** A ground, and what it was found from: it holds for as long as both are the same. */
interface Found {
  readonly snapshot: TrustSnapshot;
  readonly version: string;
  readonly ground: Ground | Settled;
}

/** Finds what applies to a key, once for each snapshot. */
export function createGrounds({ trust, notation }: GroundsOptions): Grounds {
  const found = new WeakMap<KnownKey, Found>();
  // Verdicts outlive an absent binary: they were reached by the version that was seen last.
  let lastVersion = "";

  function of(known: KnownKey): Ground | Settled {
    const snapshot = trust.policy(known.key.policy);
    if (snapshot === undefined) return NO_POLICY;
    if (snapshot === "never") return BAD_POLICY;
    lastVersion = notation().version ?? lastVersion;
    const before = found.get(known);
    if (before?.snapshot === snapshot && before.version === lastVersion) return before.ground;
    const ground = find(known, snapshot, lastVersion);
    found.set(known, { snapshot, version: lastVersion, ground });
    return ground;
  }

  return {
    of,
    isInForce(known, ground) {
      const current = of(known);
      if ("kind" in current) return false;
      return current.snapshot.epoch === ground.snapshot.epoch && current.version === ground.version;
    },
  };
}

function find(known: KnownKey, snapshot: TrustSnapshot, version: string): Ground | Settled {
  const { key, name } = known;
  const statement = snapshot.statement(name);
  if (statement === undefined) return NO_STATEMENT;
  const { policy, level, reference } = key;
  if (statement.level === "skip") return skipped(reference, policy, statement);
  if (!known.isAllowed) return NOT_ALLOWED;
  let last: { readonly digest: Digest; readonly cacheKey: string } | undefined;
  return {
    key,
    snapshot,
    statement,
    version,
    cacheKeyOf(digest) {
      if (last?.digest !== digest) {
        // A blank and a line break are in none of the parts.
        const under = `${policy} ${snapshot.epoch} ${level ?? "own"} ${version}`;
        last = { digest, cacheKey: `${name}@${digest}\n${under}` };
      }
      return last.cacheKey;
    },
  };
}
