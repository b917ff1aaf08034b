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
  /** Which Notation: its version, and how many there were before. */
  readonly notation: string;
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
  readonly notation: string;
  readonly ground: Ground | Settled;
}

/** Finds what applies to a key, once for each snapshot. */
export function createGrounds(options: GroundsOptions): Grounds {
  const { trust } = options;
  const found = new WeakMap<KnownKey, Found>();
  // Verdicts outlive an absent binary: they were reached by the version that was seen last.
  let version = "";
  // A version that comes back is another one: what was begun under it may have been run by the one between.
  let changes = 0;
  let current = "";

  function currentNotation(): string {
    const state = options.notation();
    if (state.version !== undefined && state.version !== version) {
      ({ version } = state);
      current = `${version} ${(changes += 1)}`;
    }
    return current;
  }

  function of(known: KnownKey): Ground | Settled {
    const snapshot = trust.policy(known.key.policy);
    if (snapshot === undefined) return NO_POLICY;
    if (snapshot === "never") return BAD_POLICY;
    const notation = currentNotation();
    const before = found.get(known);
    if (before?.snapshot === snapshot && before.notation === notation) return before.ground;
    const ground = find(known, snapshot, notation);
    found.set(known, { snapshot, notation, ground });
    return ground;
  }

  return {
    of,
    isInForce(known, ground) {
      const current = of(known);
      if ("kind" in current) return false;
      return (
        current.snapshot.epoch === ground.snapshot.epoch && current.notation === ground.notation
      );
    },
  };
}

function find(known: KnownKey, snapshot: TrustSnapshot, notation: string): Ground | Settled {
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
    notation,
    cacheKeyOf(digest) {
      if (last?.digest !== digest) {
        // A blank and a line break are in none of the parts.
        const under = `${policy} ${snapshot.epoch} ${level ?? "own"} ${notation}`;
        last = { digest, cacheKey: `${name}@${digest}\n${under}` };
      }
      return last.cacheKey;
    },
  };
}
