import type { Config } from "../config/schema.ts";
import { trustTrials } from "./trust.ts";
import type { Trial } from "./trial.ts";

/** Everything that a configuration names, to be tried. */
export const trialsOf = (config: Config): readonly Trial[] => [...trustTrials(config)];
