import pLimit, { type LimitFunction } from "p-limit";
import type { JudgeSubject } from "./judge-subject.ts";

/**
 * Judges so many images of one registry at once, the others in their turn: of a thousand images at once some are decided
 * soon, instead of all of them late. Each registry has places of its own, so that one that hangs delays no other.
 * @param concurrency places of each registry; their number is that of the configured registries
 */
export function inTurn(judgeSubject: JudgeSubject, concurrency: number): JudgeSubject {
  const places = new Map<string, LimitFunction>();
  const placeOf = (registry: string): LimitFunction => {
    const place = places.get(registry) ?? pLimit(concurrency);
    places.set(registry, place);
    return place;
  };
  return async (ground, digest, subject, signal) =>
    await placeOf(ground.key.reference.registry)(
      async () => await judgeSubject(ground, digest, subject, signal),
    );
}
