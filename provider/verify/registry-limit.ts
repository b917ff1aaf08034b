import pLimit, { type LimitFunction } from "p-limit";
import type { JudgeSubject } from "./judge-subject.ts";

/**
 * Judges so many images of one registry at once, the others in their turn: of a thousand images at once some are decided
 * soon, instead of all of them late. Each registry has places of its own, so that one that hangs delays no other.
 * @param concurrency images of each registry; there is a limit for each configured registry and no other
 */
export function limitPerRegistry(judgeSubject: JudgeSubject, concurrency: number): JudgeSubject {
  const limits = new Map<string, LimitFunction>();
  const limitOf = (registry: string): LimitFunction => {
    const limit = limits.get(registry) ?? pLimit(concurrency);
    limits.set(registry, limit);
    return limit;
  };
  return async (ground, digest, subject, signal) =>
    await limitOf(ground.key.reference.registry)(
      async () => await judgeSubject(ground, digest, subject, signal),
    );
}
