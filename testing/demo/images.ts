import { attachSignature, pushImage } from "../registry/push.ts";
import type { Olareg } from "../registry/olareg.ts";
import type { NotationHome } from "./notation.ts";

/** A sample image, as it lies in the registry. */
export interface Sample {
  /** `host:port/repository:tag` */
  readonly image: string;
  /** What was done to it, for the table. */
  readonly story: string;
}
