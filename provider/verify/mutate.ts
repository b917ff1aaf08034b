import { nameOf, parseReference, type Reference } from "../image/reference.ts";
import { isRefusal, rejected, type Refusal, type Rejected } from "../verdict/verdict.ts";
import type { Descriptor } from "../image/descriptor.ts";
import type { Pin, PinBatch } from "./decision.ts";
import type { Tags } from "./tags.ts";
import type { Waiting } from "./waiting.ts";

export interface PinOptions {
  readonly tags: Pick<Tags, "peek" | "resolve">;
  readonly allows: (registry: string) => boolean;
  readonly waiting: Waiting;
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
export function createPinBatch({ tags, allows, waiting, keepTag, now }: PinOptions): PinBatch {
  /**
   * The normalised name, not the one that was written: a runtime that looks short names up in a list of its own would
   * otherwise pull the digest from a registry that nobody asked.
   */
  const pinned = (reference: Reference, resolved: Descriptor | Refusal): Result => {
    if (isRefusal(resolved)) return resolved;
    const tag = keepTag && reference.tag !== undefined ? `:${reference.tag}` : "";
    return { kind: "pinned", image: `${nameOf(reference)}${tag}@${resolved.digest}` };
  };
  /** What can be said without asking; otherwise the reference to resolve. */
  const settle = (key: string): { result: Result } | { reference: Reference; tag: string } => {
    const reference = parseReference(key);
    if (reference === undefined) return { result: NOT_AN_IMAGE_NAME };
    const { tag, digest } = reference;
    if (digest !== undefined || tag === undefined || !allows(reference.registry)) {
      return { result: { kind: "pinned", image: key } };
    }
    const known: Descriptor | Rejected | undefined = tags.peek(reference, tag);
    return known === undefined ? { reference, tag } : { result: pinned(reference, known) };
  };

  return async (keys, signal) => {
    const began = now();
    const round = waiting.open(signal);
    const pins = [...new Set(keys)].map(async (key): Promise<Pin> => {
      const settled = settle(key);
      if ("result" in settled) return { key, result: settled.result, durationMs: now() - began };
      const { reference, tag } = settled;
      const resolved = await round.wait(
        async (caller) => await tags.resolve(reference, tag, caller),
      );
      return { key, result: pinned(reference, resolved), durationMs: now() - began };
    });
    try {
      return await Promise.all(pins);
    } finally {
      round.close();
    }
  };
}
