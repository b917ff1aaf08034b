import { createByDue } from "./by-due.ts";

/** Bounds of {@link createTurns}. */
export interface TurnOptions {
  /** Pieces of work at once. */
  readonly concurrency: number;
  /** Pieces of work that may wait; of one more the least urgent is answered `full`. */
  readonly maxWaiting: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** Those who wait for a result, each until a deadline. They come and go. */
export interface Demand {
  /**
   * The deadline that counts, in monotonic milliseconds: the earliest that is not before `enough`, or else the latest. A result for
   * which people come again and again would otherwise always be as short of time as the first of them. Infinity while nobody waits,
   * -Infinity for what is made ahead of those who will ask: it has up to every second turn.
   */
  dueAt(enough: number): number;
  /** Calls back when somebody has come or gone. @returns stops that */
  watch(onChange: () => void): () => void;
}

/** Of work that nobody waits for. */
export const NOBODY_WAITS: Demand = { dueAt: () => Infinity, watch: () => () => undefined };

/** How long work may wait, and how urgent it is meanwhile. */
export interface Patience {
  /** When it aborts, work that was not begun never is. */
  readonly signal: AbortSignal;
  readonly demand: Demand;
}

/** A place that work has. */
export interface Turn {
  /** Says that nothing is done in this turn: how long it took tells nothing of others. */
  pass(): void;
}

/**
 * Does the work when its turn comes. Work that was begun keeps its place until it settles, so it has to look at the signal itself.
 * @returns what the work returned, or `full` when it had to make room; rejects with the signal's reason when the work was not begun
 */
export type TakeTurn = <T>(
  work: (turn: Turn) => Promise<T>,
  patience: Patience,
) => Promise<T | "full">;

/** Work that waits for its turn. */
interface Waiter {
  readonly demand: Demand;
  /** Called once, unless the time was over before. */
  readonly call: (turn: "begin" | "full") => void;
}

/** How much of the time that work took of late becomes the newest piece's. */
const WEIGHT = 1 / 8;
/** Times that work took of late, of which there has to be one left for work that is to be done in time. */
const MARGIN = 2;

/**
 * Places for work of one kind, and a queue before them that is bounded and in order of urgency: the earliest deadline first, of
 * those who have time enough. Under more load than there is capacity the earliest deadline alone would be the worst order: all
 * would be begun so late that none is in time. Of the others the latest deadline comes first, which has the best chance: where
 * work takes nearly as long as anybody waits, nobody has time enough, and most can be in time all the same. Work that nobody
 * waits for comes last, and is done all the same: its result is kept and answers the retry. What is made ahead must not be late, or
 * those who were always answered at once would wait among all the others; nor may it keep these from their turns.
 */
export function createTurns({ concurrency, maxWaiting, now }: TurnOptions): TakeTurn {
  const queue = createByDue<Waiter>();
  let running = 0;
  let usualMs = 0;
  let wasAhead = false;
  let lookedTo = -Infinity;

  /** Who is due then or later has time enough. */
  const enough = (): number => now() + usualMs * MARGIN;
  /** Of those who are due before then the latest, of equals the oldest. */
  const latestBefore = (due: number) => {
    const last = queue.before(due);
    return last && queue.from(last.due);
  };

  /** Whoever has become short of time since it was last looked may be waited for by somebody else who has more. */
  const lookAgain = (due: number): void => {
    for (const waiter of queue.between(lookedTo, due)) waiter.move(waiter.value.demand.dueAt(due));
    lookedTo = due;
  };

  /** What is made ahead, now and then; the earliest of whoever has time enough, the latest of the others, the oldest of whoever is gone. */
  const mostUrgent = () => {
    const first = queue.from(-Infinity);
    wasAhead = first?.due === -Infinity && !wasAhead;
    if (wasAhead) return first;
    const due = enough();
    lookAgain(due);
    const next = queue.from(due);
    return next === undefined || next.due === Infinity ? (latestBefore(due) ?? next) : next;
  };
  /** The other end of that order; of equals the oldest all the same. */
  const leastUrgent = () => {
    const due = enough();
    lookAgain(due);
    const first = queue.from(-Number.MAX_VALUE);
    const isShort = first !== undefined && first.due < due;
    return queue.from(Infinity) ?? (isShort ? first : latestBefore(Infinity));
  };

  const callNext = (): void => {
    if (running >= concurrency) return;
    const next = mostUrgent();
    if (next === undefined) return;
    next.remove();
    running += 1;
    next.value.call("begin");
  };
  const makeRoom = (): void => {
    if (queue.size <= maxWaiting) return;
    const last = leastUrgent();
    last?.remove();
    last?.value.call("full");
  };

  async function turnOf({ signal, demand }: Patience): Promise<"begin" | "full"> {
    signal.throwIfAborted();
    const { promise, resolve: call, reject } = Promise.withResolvers<"begin" | "full">();
    const waiter = queue.add({ demand, call }, demand.dueAt(enough()));
    const stopWatching = demand.watch(() => waiter.move(demand.dueAt(enough())));
    const leave = (): void => {
      waiter.remove();
      reject(signal.reason);
    };
    signal.addEventListener("abort", leave, { once: true });
    callNext();
    makeRoom();
    return await promise.finally(() => {
      stopWatching();
      signal.removeEventListener("abort", leave);
    });
  }

  return async (work, patience) => {
    if ((await turnOf(patience)) === "full") return "full";
    const began = now();
    let counts = true;
    try {
      return await work({
        pass() {
          counts = false;
        },
      });
    } finally {
      if (counts) usualMs += (now() - began - usualMs) * WEIGHT;
      running -= 1;
      callNext();
    }
  };
}
