import type { Descriptor } from "../image/descriptor.ts";
import { nameOf, parseReference, type Reference } from "../image/reference.ts";
import { isRefusal, rejected, type Refusal } from "../verdict/verdict.ts";
import type { Pin, PinBatch } from "./decision.ts";
import type { Failure } from "./failure.ts";
import { taggedOf, type Tags } from "./tags.ts";
import type { Round, Waiting } from "./waiting.ts";

export interface PinOptions {
  readonly tags: Pick<Tags, "peek" | "resolve">;
  /** Whether the configuration names a registry. */
  readonly allows: (registry: string) => boolean;
  readonly waiting: Waiting;
  readonly failure: Failure;
  /** Keeps the tag beside the digest, for readers: every runtime takes the digest. */
  readonly keepTag: boolean;
  readonly now: () => number;
}

type Result = Pin["result"];

const NOT_AN_IMAGE_NAME = rejected(
  "INVALID_REFERENCE",
  "not an image; a mutation takes images without options",
);

/**
 * Pins images to the digests that their tags name now. An image that has a digest, or whose registry is not
 * configured, stays as it is.
 */
export function createPinBatch(options: PinOptions): PinBatch {
  const { tags, allows, waiting, failure, keepTag, now } = options;

  /**
   * The normalised name, not the one that was written: a runtime that looks short names up in a list of its own would
   * otherwise pull the digest from a registry that nobody asked.
   */
  function pinned(reference: Reference, resolved: Descriptor | Refusal): Result {
    if (isRefusal(resolved)) return resolved;
    const tag = keepTag && reference.tag !== undefined ? `:${reference.tag}` : "";
    return { kind: "pinned", image: `${nameOf(reference)}${tag}@${resolved.digest}` };
  }

  async function pin(key: string, round: Round): Promise<Result> {
    const reference = parseReference(key);
    if (reference === undefined) return NOT_AN_IMAGE_NAME;
    if (reference.digest !== undefined || !allows(reference.registry)) {
      return { kind: "pinned", image: key };
    }
    const tagged = taggedOf(reference);
    const known = tags.peek(tagged);
    if (known !== undefined) return pinned(reference, known);
    const wait = round.wait(async ({ signal }) => await tags.resolve(tagged, signal));
    return pinned(reference, await wait);
  }

  return async (keys, signal, began = now()) => {
    const round = waiting.open(signal, began);
    const pins = Array.from(new Set(keys), async (key): Promise<Pin> => {
      const result = await pin(key, round).catch((error) => failure(error));
      return { key, result, durationMs: now() - began };
    });
    // None of them rejects, so the round is over when all are.
    const answers = await Promise.all(pins);
    round.close();
    return answers;
  };
}
