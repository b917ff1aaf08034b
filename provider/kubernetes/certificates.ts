import { setTimeout as sleep } from "node:timers/promises";
import { untilAborted } from "../lib/deadline.ts";
import type { MaterialSource, PemTexts } from "../lib/material-source.ts";
import type { KubernetesClient } from "./client.ts";
import type { Lives } from "./carry-out.ts";
import { createObjects, type Places } from "./objects.ts";
import { createReconciler, type CertificatesEvent } from "./reconcile.ts";
import { sortedNames } from "./state.ts";

/** Bounds of the work; milliseconds. */
export interface CertificatesLimits {
  /** Between two looks at the cluster at the most, whatever is told of changes. */
  readonly rereadEveryMs: number;
  /** Between two looks at the least, however many changes are told of. */
  readonly spacingMs: number;
  /** The first pause after a failure; each doubles. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  readonly patienceMs: number;
  readonly handoverMs: number;
  readonly deferenceMs: number;
  readonly overlapMs: number;
  readonly backdateMs: number;
}

const LIMITS: CertificatesLimits = {
  rereadEveryMs: 30_000,
  spacingMs: 1_000,
  firstPauseMs: 500,
  longestPauseMs: 30_000,
  patienceMs: 900_000,
  // Well beyond `spec.timeout` of a Provider, which bounds Gatekeeper's calls.
  handoverMs: 10_000,
  deferenceMs: 10_000,
  overlapMs: 600_000,
  backdateMs: 300_000,
};

export interface CertificatesOptions extends Places, Pick<Lives, "authorityMs" | "servingMs"> {
  readonly client: KubernetesClient;
  /** DNS names and IP addresses of the serving certificate. */
  readonly names: readonly string[];
  readonly observe: (event: CertificatesEvent) => void;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Milliseconds since the epoch. */
  readonly wallNow: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly limits?: Partial<CertificatesLimits>;
}

export interface CertificatesState {
  /** When the CA in force ends; undefined while there is none. */
  readonly authorityEnds: Date | undefined;
  /** Milliseconds since the last look at which all was as it should be; undefined before the first. */
  readonly ageMs: number | undefined;
  /** What failed at the last look, with the API's reason. */
  readonly problem: string | undefined;
}

/** Certificates that the provider makes itself and shares with the other replicas through the cluster. */
export interface Certificates extends AsyncDisposable {
  /** What to serve with. It keeps the last good certificates, whatever becomes of the API server. */
  readonly source: MaterialSource;
  /** Resolves when there is something to serve with. @throws the signal's reason; what fails is part of the state */
  ready(signal: AbortSignal): Promise<void>;
  state(): CertificatesState;
}

/**
 * Begins to look after the certificates, and goes on until it is disposed of. It looks at the cluster at an interval, and soon
 * after a watch told of a change: what a watch says is never believed, so an event that was missed or came twice does no harm.
 */
export function createCertificates(options: CertificatesOptions): Certificates {
  const { client, observe, now, wallNow, random } = options;
  const limits = { ...LIMITS, ...options.limits };
  const { authorityMs, servingMs } = options;
  const objects = createObjects(client, options);
  const reconciler = createReconciler({
    objects,
    places: options,
    lives: { authorityMs, servingMs, backdateMs: limits.backdateMs, overlapMs: limits.overlapMs },
    settings: {
      names: sortedNames(options.names),
      jitter: random(),
      patienceMs: limits.patienceMs,
      handoverMs: limits.handoverMs,
      overlapMs: limits.overlapMs,
      deferenceMs: limits.deferenceMs,
    },
    wallNow,
    now,
    observe,
  });
  const end = new AbortController();
  const listeners = new Set<() => void>();
  const first = Promise.withResolvers<void>();
  let texts: PemTexts | undefined;
  let lastGood: number | undefined;
  let problem: string | undefined;
  let nudged = new AbortController();

  const publish = (): void => {
    const { state, clientCA } = reconciler.current();
    if (state === undefined || clientCA === undefined) return;
    const { certificate, key } = state.serving;
    const isSame =
      texts?.certificate === certificate && texts.key === key && texts.clientCA === clientCA;
    if (isSame) return;
    texts = { certificate, key, clientCA };
    first.resolve();
    for (const listener of listeners) listener();
  };
  /** Doubles with each failure in a row, and is another one in each replica. */
  const pauseAfter = (failures: number): number =>
    Math.min(limits.longestPauseMs, limits.firstPauseMs * 2 ** Math.min(failures - 1, 16)) *
    (0.5 + random() / 2);

  const look = async (): Promise<void> => {
    let failures = 0;
    while (!end.signal.aborted) {
      nudged = new AbortController();
      const outcome = await reconciler.pass(end.signal);
      publish();
      const [failed] = outcome.failures;
      problem = failed && `${failed.failure}: ${failed.problem}`;
      failures = failed === undefined ? 0 : failures + 1;
      if (failed === undefined) lastGood = now();
      const untilDue = Math.min(outcome.againAt - wallNow(), limits.rereadEveryMs);
      await pause(limits.spacingMs, end.signal);
      await pause(
        failed === undefined ? untilDue - limits.spacingMs : pauseAfter(failures),
        AbortSignal.any([end.signal, nudged.signal]),
      );
    }
  };
  const watch = async (path: string): Promise<void> => {
    let failures = 0;
    while (!end.signal.aborted) {
      const began = now();
      await client.watch(path, () => nudged.abort(), end.signal);
      // One that held for a while has ended as watches do. What it missed is told by the next one, which begins with what there is.
      failures = now() - began > limits.rereadEveryMs ? 1 : failures + 1;
      await pause(pauseAfter(failures), end.signal);
    }
  };
  const work = Promise.all([look(), ...objects.watched.map(watch)]);
  // Nobody waits for it but the end.
  work.catch(first.reject);

  return {
    source: {
      async read() {
        await first.promise;
        if (texts === undefined) throw new Error("there is no certificate");
        return texts;
      },
      watch(onChange) {
        listeners.add(onChange);
        return { [Symbol.dispose]: () => void listeners.delete(onChange) };
      },
    },
    async ready(signal) {
      await untilAborted(first.promise, signal);
    },
    state: () => {
      const ends = reconciler.current().state?.authority.ends;
      return {
        authorityEnds: ends === undefined ? undefined : new Date(ends),
        ageMs: lastGood === undefined ? undefined : now() - lastGood,
        problem,
      };
    },
    async [Symbol.asyncDispose]() {
      end.abort();
      await work.catch(() => undefined);
    },
  };
}

/** Waits, unless a signal ends it. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // A wait that was ended is over, which is all that matters.
  if (ms > 0) await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);
}
