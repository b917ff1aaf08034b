import type { Descriptor } from "../image/descriptor.ts";
import type { Digest } from "../image/digest.ts";
import { createTurns, type TakeTurn, type TurnOptions } from "../lib/turns.ts";
import { ENDED, OVERLOADED } from "./failure.ts";
import type { Ground } from "./ground.ts";
import type { Judged, JudgeSubject } from "./judge-subject.ts";

/**
 * Judges one subject when its turn comes.
 * @param dueAt until when somebody waits for the verdict, in monotonic milliseconds; Infinity while nobody does
 * @returns undecided `OVERLOADED` at once where it had to make room for somebody who waits. Never rejects
 */
export type JudgeInTurn = (
  ground: Ground,
  digest: Digest,
  known: Descriptor | undefined,
  signal: AbortSignal,
  dueAt: () => number,
) => Promise<Judged>;

/**
 * Judges so many images of one registry at once, the others in their turn: of a thousand images at once some are decided
 * soon, instead of all of them late. Each registry has places of its own, so that one that hangs delays no other.
 * @param options of each registry
 */
export function limitPerRegistry(judgeSubject: JudgeSubject, options: TurnOptions): JudgeInTurn {
  // Of registries of which an image is being judged: who may ask thousands does not ask them all.
  const places = new Map<string, { readonly take: TakeTurn; users: number }>();
  return async (ground, digest, subject, signal, dueAt) => {
    const { registry } = ground.key.reference;
    const place = places.get(registry) ?? { take: createTurns(options), users: 0 };
    places.set(registry, place);
    place.users += 1;
    const work = async (): Promise<Judged> => await judgeSubject(ground, digest, subject, signal);
    try {
      const judged = await place.take(work, { signal, dueAt });
      return judged === "full" ? OVERLOADED : judged;
    } catch (error) {
      // The time was over before the turn came.
      if (signal.aborted) return ENDED;
      throw error;
    } finally {
      place.users -= 1;
      if (place.users === 0) places.delete(registry);
    }
  };
}
