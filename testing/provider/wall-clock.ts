/**
 * Another time of day for a Node process that is not ours to hand a clock: loaded before everything else, it adds to the
 * time of day the milliseconds that stand in the file `TEST_WALL_CLOCK`. Ages are untouched.
 *
 *   const clock = createWallClock(join(directory, "wall-clock"));
 *   startProvider({ ..., preload: clock.preload, environment: clock.environment });
 *   clock.set(120_000);     // two minutes ahead
 */
import { readFileSync, writeFileSync } from "node:fs";

const VARIABLE = "TEST_WALL_CLOCK";

export interface WallClock {
  /** What the process has to load before everything else, and its environment. */
  readonly preload: string;
  readonly environment: Readonly<Record<string, string>>;
  /** @param ms milliseconds ahead of the machine, or behind it */
  set(ms: number): void;
}

/** @param file where the offset is written */
export function createWallClock(file: string): WallClock {
  const set = (ms: number): void => writeFileSync(file, String(ms));
  set(0);
  return { preload: import.meta.url, environment: { [VARIABLE]: file }, set };
}

const file = process.env[VARIABLE];
if (file !== undefined) {
  const machine = Date.now;
  Date.now = () => machine() + Number(readFileSync(file, "utf8"));
}
