/** Bounds of {@link createTurns}. */
export interface TurnOptions {
  /** Pieces of work at once. */
  readonly concurrency: number;
  /** Pieces of work that may wait; of one more the least urgent is answered `full`. */
  readonly maxWaiting: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** How long work may wait, and how urgent it is meanwhile. */
export interface Patience {
  /** When it aborts, work that was not begun never is. */
  readonly signal: AbortSignal;
  /** Until when somebody waits for the result, in monotonic milliseconds; Infinity while nobody does. */
  readonly dueAt: () => number;
}

/**
 * Does the work when its turn comes. Work that was begun keeps its place until it settles, so it has to look at the signal itself.
 * @returns what the work returned, or `full` when it had to make room; rejects with the signal's reason when the work was not begun
 */
export type TakeTurn = <T>(work: () => Promise<T>, patience: Patience) => Promise<T | "full">;

interface Waiter extends Pick<Patience, "dueAt"> {
  readonly call: (turn: "begin" | "full") => void;
}

/** How much of the time that work took of late becomes the newest piece's. */
const WEIGHT = 1 / 8;
/** Times that work took of late, of which there has to be one left for work that is to be done in time. */
const MARGIN = 2;

/**
 * Places for work of one kind, and a queue before them that is bounded and in order of urgency: the earliest deadline first, of
 * those who can still be answered in time. Under more load than there is capacity the earliest deadline alone would be the
 * worst order: all would be begun so late that none is in time. What is late or given up comes afterwards, because its
 * result is kept and answers the retry.
 */
export function createTurns({ concurrency, maxWaiting, now }: TurnOptions): TakeTurn {
  // Insertion order is age.
  const queue = new Set<Waiter>();
  let running = 0;
  let usualMs = 0;

  /** Lower is more urgent: whoever can be answered in time, whoever is late, whoever is gone. */
  const ranks = ({ dueAt }: Waiter, at: number): readonly [number, number] => {
    const due = dueAt();
    if (due === Infinity) return [2, 0];
    return [due - at >= usualMs * MARGIN ? 0 : 1, due];
  };

  /** The waiter that comes before all others in an order; of equals the oldest. */
  const first = (order: 1 | -1): Waiter | undefined => {
    const at = now();
    let found: { readonly waiter: Waiter; readonly rank: readonly [number, number] } | undefined;
    for (const waiter of queue) {
      const rank = ranks(waiter, at);
      if (found === undefined || compare(rank, found.rank) * order < 0) found = { waiter, rank };
    }
    return found?.waiter;
  };

  const call = (waiter: Waiter | undefined, turn: "begin" | "full"): void => {
    if (waiter === undefined) return;
    queue.delete(waiter);
    if (turn === "begin") running += 1;
    waiter.call(turn);
  };
  const callNext = (): void => {
    if (running < concurrency) call(first(1), "begin");
  };

  async function turnOf({ signal, dueAt }: Patience): Promise<"begin" | "full"> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<"begin" | "full">();
    const waiter: Waiter = { dueAt, call: resolve };
    const leave = (): void => {
      queue.delete(waiter);
      reject(signal.reason);
    };
    signal.addEventListener("abort", leave, { once: true });
    queue.add(waiter);
    callNext();
    if (queue.size > maxWaiting) call(first(-1), "full");
    return await promise.finally(() => signal.removeEventListener("abort", leave));
  }

  return async (work, patience) => {
    if ((await turnOf(patience)) === "full") return "full";
    const began = now();
    try {
      return await work();
    } finally {
      usualMs += (now() - began - usualMs) * WEIGHT;
      running -= 1;
      callNext();
    }
  };
}

const compare = (one: readonly [number, number], other: readonly [number, number]): number =>
  one[0] === other[0] ? one[1] - other[1] : one[0] - other[0];
