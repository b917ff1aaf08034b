import { errorCode } from "../lib/error-code.ts";
import { carryOut, type Lives } from "./carry-out.ts";
import { ApiFailure, type Failure, type Objects, type Places } from "./objects.ts";
import {
  type FoundSecret,
  isTrusted,
  type Observed,
  plan,
  type PlanSettings,
  type ProviderObject,
  type Write,
} from "./plan.ts";
import { bundleOf, type State } from "./state.ts";

/** What was done in the cluster, or could not be. */
export type CertificatesEvent =
  /** @property state as it is now */
  | { readonly kind: "changed"; readonly change: Write["kind"]; readonly state: State }
  /** @property isRepair whether somebody else had changed it, or it follows a change of ours */
  | { readonly kind: "applied"; readonly provider: string; readonly isRepair: boolean }
  /** @property error what nobody foresaw */
  | {
      readonly kind: "failed";
      readonly failure: Failure;
      readonly problem: string;
      readonly error?: unknown;
    }
  /** All is as it should be. */
  | { readonly kind: "good" };

export interface ReconcilerOptions {
  readonly objects: Objects;
  readonly places: Pick<Places, "providers">;
  readonly lives: Lives;
  readonly settings: PlanSettings;
  /** Milliseconds since the epoch. */
  readonly wallNow: () => number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly observe: (event: CertificatesEvent) => void;
}

/** What a look at the cluster came to. */
export interface Outcome {
  readonly failures: readonly { readonly failure: Failure; readonly problem: string }[];
  /** When to look again at the latest, milliseconds since the epoch. */
  readonly againAt: number;
}

export interface Reconciler {
  /** Brings the cluster to what it should be. Never rejects. */
  pass(signal: AbortSignal): Promise<Outcome>;
  /** What the replica serves with: the last good state, and the last good client CA. */
  readonly current: () => { readonly state?: State; readonly clientCA?: string };
}

/** Changes that one pass makes at most; what is left comes with the next. */
const MAX_WRITES = 4;

/** Milliseconds that this clock may differ from the API server's for certificates to be made by it. */
const MAX_SKEW_MS = 300_000;

/** @throws whatever is no {@link ApiFailure} */
async function orFailure<T>(work: () => Promise<T>): Promise<T | ApiFailure> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ApiFailure) return error;
    throw error;
  }
}

export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { objects, places, lives, settings, wallNow, now, observe } = options;
  let remembered: State | undefined;
  let clientCA: string | undefined;
  /** Since when the Secret has been missing, or no state. */
  let lostSince: number | undefined;
  /** The bundle that Gatekeeper goes by, and since when it was seen to. */
  let trusted: { readonly bundle: string; readonly since: number } | undefined;
  /** Bundles as they were right, by Provider. */
  const seen = new Map<string, string>();

  const look = async (signal: AbortSignal) => {
    // In this order: whoever applies a bundle on condition of the version of the object then knows a Secret that is no older.
    const read = await orFailure(async () => await objects.readProviders(signal));
    const [providers, unread] = read instanceof ApiFailure ? [undefined, read] : [read];
    const { found, at } = await objects.readSecret(signal);
    const skewMs = at === undefined ? 0 : Math.abs(wallNow() - at);
    if (found?.kind === "state") {
      lostSince = undefined;
      remembered = found.state;
      const trustedForMs = watchTrust(found.state, providers);
      return { secret: found, providers, unread, remembered, trustedForMs, skewMs };
    }
    lostSince ??= now();
    const forMs = now() - lostSince;
    const secret: FoundSecret =
      found === undefined ? { kind: "absent", forMs } : { ...found, forMs };
    return { secret, providers, unread, remembered, trustedForMs: 0, skewMs };
  };

  /** @returns for how many milliseconds the CAs of this state have been trusted, as far as it was seen */
  const watchTrust = (state: State, providers: Observed["providers"]): number => {
    const bundle = bundleOf(state);
    if (providers === undefined || !isTrusted(state, providers)) trusted = undefined;
    else if (trusted?.bundle !== bundle) trusted = { bundle, since: now() };
    return trusted === undefined ? 0 : now() - trusted.since;
  };

  /** @returns what failed first; one object that cannot be written holds up no other */
  const apply = async (
    {
      repair,
      providers = [],
    }: { repair: readonly ProviderObject[]; providers: Observed["providers"] },
    bundle: string,
    signal: AbortSignal,
  ): Promise<ApiFailure | undefined> => {
    const failures: ApiFailure[] = [];
    for (const provider of repair) {
      const applied = await orFailure(
        async () => await objects.applyBundle(provider, bundle, signal),
      );
      if (applied instanceof ApiFailure) failures.push(applied);
      else if (applied) {
        const isRepair = seen.get(provider.name) === bundle;
        observe({ kind: "applied", provider: provider.name, isRepair });
      }
    }
    for (const { name } of providers) seen.set(name, bundle);
    return failures[0];
  };
  const missing = (providers: readonly ProviderObject[] = []): ApiFailure | undefined => {
    const names = places.providers.filter((name) => !providers.some((each) => each.name === name));
    return names.length === 0 ? undefined : new ApiFailure("provider_missing", names.join(", "));
  };

  /** @returns when to look again, or undefined when a change was made, or lost to another replica */
  const step = async (signal: AbortSignal): Promise<number | undefined> => {
    const observed = await look(signal);
    const { write, repair, againAt } = plan(observed, wallNow(), settings);
    const { secret, providers, unread } = observed;
    const unapplied =
      secret.kind === "state"
        ? await apply({ repair, providers }, bundleOf(secret.state), signal)
        : undefined;
    if (write === undefined) {
      const failure = unread ?? unapplied ?? missing(providers);
      if (failure !== undefined) throw failure;
      return againAt;
    }
    // By a clock that is wrong certificates end that do not, and others are made that nobody takes: that is left to other replicas.
    if (observed.skewMs > MAX_SKEW_MS) {
      const seconds = Math.round(observed.skewMs / 1000);
      throw new ApiFailure("clock", `${seconds} s from the API server's`);
    }
    const state = await carryOut(write, wallNow(), settings.names, lives);
    const version = "version" in write ? write.version : undefined;
    if (await objects.writeSecret(state, version, signal)) {
      remembered = state;
      observe({ kind: "changed", change: write.kind, state });
    }
    return undefined;
  };

  const attempt = async <T>(work: () => Promise<T>): Promise<T | ApiFailure> => {
    try {
      return await work();
    } catch (error) {
      if (error instanceof ApiFailure) {
        observe({ kind: "failed", failure: error.failure, problem: error.message });
        return error;
      }
      // Whoever stopped here would serve on until the certificate ends, and be the last to say so.
      const failure = new ApiFailure("internal", errorCode(error) ?? "unknown");
      observe({ kind: "failed", failure: "internal", problem: failure.message, error });
      return failure;
    }
  };

  const steps = async (signal: AbortSignal): Promise<number> => {
    for (let writes = 0; writes < MAX_WRITES; writes += 1) {
      const againAt = await step(signal);
      if (againAt !== undefined) return againAt;
    }
    return wallNow();
  };

  return {
    async pass(signal) {
      const [ca, againAt] = await Promise.all([
        attempt(async () => await objects.readClientCA(signal)),
        attempt(async () => await steps(signal)),
      ]);
      if (!(ca instanceof ApiFailure)) clientCA = ca;
      const failed = [ca, againAt].filter((each) => each instanceof ApiFailure);
      if (failed.length === 0) observe({ kind: "good" });
      return {
        failures: failed.map(({ failure, message }) => ({ failure, problem: message })),
        againAt: againAt instanceof ApiFailure ? wallNow() : againAt,
      };
    },
    current: () => ({
      ...(remembered !== undefined && { state: remembered }),
      ...(clientCA !== undefined && { clientCA }),
    }),
  };
}
