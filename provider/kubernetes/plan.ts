import { bundleOf, type Pair, type State } from "./state.ts";

/** A Provider object of Gatekeeper, as far as it matters here. */
export interface ProviderObject {
  readonly name: string;
  /** Its resourceVersion. */
  readonly version: string;
  /** `spec.caBundle` as it stands there. */
  readonly bundle: string;
  /** The CAs of the bundle, each PEM as {@link State} has it, and its end in milliseconds since the epoch. */
  readonly authorities: readonly { readonly certificate: string; readonly ends: number }[];
  /** Whether every process of Gatekeeper that reports goes by the object as it is now. */
  readonly isIngested: boolean;
}

/** The Secret as it was found. */
export type FoundSecret =
  /** @property forMs how long it has been missing, or no state */
  | { readonly kind: "absent"; readonly forMs: number }
  | { readonly kind: "broken"; readonly forMs: number; readonly version: string }
  | { readonly kind: "state"; readonly state: State; readonly version: string };

export interface Observed {
  readonly secret: FoundSecret;
  /**
   * Those that exist; undefined when they could not be read: then whatever depends on whom Gatekeeper trusts waits, and nothing
   * else does. They have to be read before the Secret is: see {@link plan}.
   */
  readonly providers: readonly ProviderObject[] | undefined;
  /** What this replica served with last. */
  readonly remembered: State | undefined;
  /** How many milliseconds {@link isTrusted} has been true of this state. */
  readonly trustedForMs: number;
}

export interface PlanSettings {
  /** DNS names and IP addresses of the serving certificate. */
  readonly names: readonly string[];
  /** From 0 to 1, another one in each replica, so that not all of them renew at once. */
  readonly jitter: number;
  /**
   * Milliseconds from the beginning of a CA's life after which it takes over although Gatekeeper was not seen to have ingested
   * it: before 3.21 it does not say.
   */
  readonly patienceMs: number;
  /** Milliseconds for which a CA is trusted before it takes over: for calls of Gatekeeper's that began under the bundle before. */
  readonly handoverMs: number;
  /** Milliseconds for which a CA stays trusted after the next took over. */
  readonly overlapMs: number;
  /** Milliseconds that a replica which remembers nothing leaves to one that does, when the Secret is gone or broken. */
  readonly deferenceMs: number;
}

/** A change of the Secret, each conditional on the version that it was planned for. */
export type Write =
  /**
   * A CA and a serving certificate of its own, beside nothing. Who is trusted already stays so for a while: replicas that are
   * being replaced by these may still show certificates that somebody else made.
   */
  | {
      readonly kind: "begin";
      readonly version: string | undefined;
      readonly trusted: readonly string[];
    }
  /** What is remembered, over what was broken. */
  | { readonly kind: "restore"; readonly state: State; readonly version: string }
  /** What is remembered and a CA that follows it: to delete the Secret is how one asks for another CA. */
  | { readonly kind: "replace"; readonly state: State }
  /** Another serving certificate of the same CA. */
  | {
      readonly kind: "renew";
      readonly state: State;
      readonly version: string;
      readonly names: readonly string[];
    }
  /** A CA that is to follow. */
  | { readonly kind: "announce"; readonly state: State; readonly version: string }
  /** The CA that follows takes over. */
  | {
      readonly kind: "promote";
      readonly state: State;
      readonly next: Pair;
      readonly version: string;
    }
  /** The CA before is trusted no more. */
  | { readonly kind: "retire"; readonly state: State; readonly version: string };

/** The kinds of {@link Write}: what the metric counts. */
export const CHANGES = [
  "begin",
  "restore",
  "replace",
  "renew",
  "announce",
  "promote",
  "retire",
] as const satisfies readonly Write["kind"][];

export interface Plan {
  readonly write?: Write;
  /** Provider objects whose bundle is another than the state's. */
  readonly repair: readonly ProviderObject[];
  /** When to look again at the latest, milliseconds since the epoch. */
  readonly againAt: number;
}

/**
 * What to do next: one change of the Secret at most, and the Provider objects that differ from it as it stands.
 *
 * All replicas plan alike from the same Secret, and whoever writes first wins. A CA comes in three steps, so that at no time a
 * certificate is shown that Gatekeeper does not trust: it is announced beside the one in force (`next`); when every Provider
 * object names it and Gatekeeper goes by that, it signs, and the one before goes on being trusted (`former`); when all
 * replicas have had the time to leave that one, it is dropped. Whoever reads the objects before the Secret, and applies bundles
 * on condition of the version read, cannot put an old bundle over a newer one.
 */
export function plan(observed: Observed, now: number, settings: PlanSettings): Plan {
  const { secret, providers, remembered } = observed;
  if (secret.kind === "state") {
    const { state } = secret;
    const bundle = bundleOf(state);
    const write = writeOf(secret, observed, now, settings);
    return {
      ...(write !== undefined && { write }),
      repair: (providers ?? []).filter((provider) => provider.bundle !== bundle),
      againAt: nextLook(state, observed, now, settings),
    };
  }
  const none = { repair: [], againAt: Infinity };
  const version = secret.kind === "broken" ? secret.version : undefined;
  if (remembered !== undefined) {
    return version === undefined
      ? { ...none, write: { kind: "replace", state: remembered } }
      : { ...none, write: { kind: "restore", state: remembered, version } };
  }
  if (providers === undefined) return { ...none, againAt: Infinity };
  const left = settings.deferenceMs - secret.forMs;
  const valid = providers.flatMap((each) => each.authorities.filter(({ ends }) => ends > now));
  const trusted = [...new Set(valid.map(({ certificate }) => certificate))];
  return trusted.length > 0 && left > 0
    ? { ...none, againAt: now + left }
    : { ...none, write: { kind: "begin", version, trusted } };
}

/** Whether Gatekeeper goes by the bundle of this state, as every Provider has it. */
export function isTrusted(state: State, providers: readonly ProviderObject[]): boolean {
  const bundle = bundleOf(state);
  return providers.every((provider) => provider.bundle === bundle && provider.isIngested);
}

function writeOf(
  { state, version }: FoundSecret & { readonly kind: "state" },
  observed: Observed,
  now: number,
  settings: PlanSettings,
): Write | undefined {
  const { authority, serving, next, former } = state;
  if (next !== undefined && canTakeOver(state, next, observed, now, settings)) {
    return { kind: "promote", state, next, version };
  }
  // With an end in the past there is nothing left to preserve.
  if (authority.ends <= now) return { kind: "begin", version, trusted: [] };
  const missing = settings.names.filter((name) => !serving.names.includes(name));
  // While replicas of two configurations run side by side, each name of either stays.
  const names = missing.length === 0 ? settings.names : [...serving.names, ...missing];
  // One that is not valid yet was made by a clock that was wrong. What its CA signs is of no use either until that one begins.
  const isAhead = serving.begins > now && authority.begins <= now;
  // No certificate outlives its CA: a renewed one that ends with it would be due again at once.
  const isDue = isAhead || (dueAt(serving, settings) <= now && serving.ends < authority.ends);
  if (missing.length > 0 || isDue) return { kind: "renew", state, version, names };
  if (former !== undefined && !isGrace(former, now, settings)) {
    return { kind: "retire", state, version };
  }
  // One change of CA after the other, so that the bundle never grows.
  const isLeaving = authority.begins > now || dueAt(authority, settings) <= now;
  return next === undefined && former === undefined && isLeaving
    ? { kind: "announce", state, version }
    : undefined;
}

/**
 * Whether the time of a CA that was replaced is neither over nor longer than any replica gives, whose clocks may differ: a time
 * that was written by hand would keep it trusted for as long as it lives, and every change of CA waiting.
 */
const isGrace = (
  { until }: NonNullable<State["former"]>,
  now: number,
  { overlapMs }: PlanSettings,
): boolean => now < until && until <= now + 2 * overlapMs;

function canTakeOver(
  state: State,
  next: Pair,
  { providers, trustedForMs }: Observed,
  now: number,
  { patienceMs, handoverMs }: PlanSettings,
): boolean {
  if (providers === undefined) return state.authority.ends <= now;
  // Nobody trusts the one that has ended, and where no Provider calls there is nobody to wait for.
  if (state.authority.ends <= now || providers.length === 0) return true;
  if (isTrusted(state, providers)) return trustedForMs >= handoverMs;
  const bundle = bundleOf(state);
  return (
    now - next.begins >= patienceMs && providers.every((provider) => provider.bundle === bundle)
  );
}

/** After two thirds of a certificate's life, or a little later. */
const dueAt = ({ begins, ends }: Pair, { jitter }: PlanSettings): number =>
  begins + (ends - begins) * (2 / 3 + jitter / 12);

function nextLook(
  state: State,
  { trustedForMs }: Observed,
  now: number,
  settings: PlanSettings,
): number {
  const { authority, serving, next, former } = state;
  const times = [
    dueAt(serving, settings),
    dueAt(authority, settings),
    authority.ends,
    next === undefined ? 0 : next.begins + settings.patienceMs,
    next === undefined ? 0 : now + settings.handoverMs - trustedForMs,
    former?.until ?? 0,
  ];
  return Math.min(...times.filter((time) => time > now));
}
