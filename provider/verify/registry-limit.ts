import type { Descriptor } from "../image/descriptor.ts";
import type { Digest } from "../image/digest.ts";
import { createTurns, type Demand, type TakeTurn, type TurnOptions } from "../lib/turns.ts";
import { ENDED, OVERLOADED } from "./failure.ts";
import type { Ground } from "./ground.ts";
import type { JudgeInPlace, Judged } from "./judge-subject.ts";

/**
 * Judges one subject when its turn comes.
 * @param demand until when somebody waits for the verdict
 * @returns undecided `OVERLOADED` at once where it had to make room for somebody who waits. Never rejects
 */
export type JudgeInTurn = (
  ground: Ground,
  digest: Digest,
  known: Descriptor | undefined,
  signal: AbortSignal,
  demand: Demand,
) => Promise<Judged>;

/** The place that an image has among those of its registry. */
export interface Place {
  /** Until when somebody waits for the image's verdict. */
  readonly demand: Demand;
  /**
   * Gives it to the next image before this one is decided, because this one waits for somebody else, who may take long. It is not
   * taken again. Where too much is held by images that did so, the place is kept.
   * @param bytes that are held meanwhile
   */
  leave(bytes: number): void;
}

export interface RegistryLimit extends TurnOptions {
  /** Bytes that images of one registry may hold without a place. */
  readonly maxBytesAside: number;
}

/** One registry's places. */
interface Places {
  readonly take: TakeTurn;
  users: number;
  bytesAside: number;
}

/**
 * Judges so many images of one registry at once, the others in their turn: of a thousand images at once some are decided
 * soon, instead of all of them late. Each registry has places of its own, so that one that hangs delays no other.
 * @param options of each registry
 */
export function limitPerRegistry(judge: JudgeInPlace, options: RegistryLimit): JudgeInTurn {
  // Of registries of which an image is being judged: who may ask thousands does not ask them all.
  const registries = new Map<string, Places>();
  return async (ground, digest, subject, signal, demand) => {
    const { registry } = ground.key.reference;
    const places = registries.get(registry) ?? {
      take: createTurns(options),
      users: 0,
      bytesAside: 0,
    };
    registries.set(registry, places);
    places.users += 1;
    const { promise: left, resolve: goAside } = Promise.withResolvers<void>();
    let aside = 0;
    const place: Place = {
      demand,
      leave(bytes) {
        if (aside > 0 || places.bytesAside + bytes > options.maxBytesAside) return;
        aside = bytes;
        places.bytesAside += bytes;
        goAside();
      },
    };
    let judging: Promise<Judged> | undefined;
    const work = async (): Promise<void> => {
      judging = judge(ground, digest, subject, signal, place);
      await Promise.race([judging, left]);
    };
    try {
      await places.take(work, { signal, demand });
      return (await judging) ?? OVERLOADED;
    } catch (error) {
      // The time was over before the turn came.
      if (signal.aborted) return ENDED;
      throw error;
    } finally {
      places.bytesAside -= aside;
      places.users -= 1;
      if (places.users === 0) registries.delete(registry);
    }
  };
}
