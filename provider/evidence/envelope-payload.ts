import { Buffer } from "node:buffer";
import { isObject } from "../lib/strict-json.ts";
import { EnvelopeProblem, jsonMembers, membersOf } from "./envelope-parts.ts";
import type { Claims } from "./evidence.ts";

/** User metadata that a signature may carry: it travels in answers, of which Gatekeeper keeps every one. */
export const MAX_METADATA = { entries: 64, bytes: 8192 } as const;

const DESCRIPTOR = ["mediaType", "digest", "size", "annotations"];

/**
 * Reads the signed payload. Whether it speaks of our image is compared by Notation, member by member.
 * @returns the user metadata: the annotations of the artifact
 * @see Notary Project signature specification, "Payload"
 */
export function readPayload(bytes: Uint8Array): Pick<Claims, "metadata"> | EnvelopeProblem {
  const payload = jsonMembers(bytes, "the payload", ["targetArtifact"]);
  if (payload instanceof EnvelopeProblem) return payload;
  const artifact = membersOf(payload.get("targetArtifact"), "the target artifact", DESCRIPTOR);
  if (artifact instanceof EnvelopeProblem) return artifact;
  const [mediaType, digest, size] = DESCRIPTOR.map((name) => artifact.get(name));
  if (typeof mediaType !== "string" || typeof digest !== "string" || !Number.isSafeInteger(size)) {
    return new EnvelopeProblem("the target artifact is not a descriptor");
  }
  const annotations = artifact.get("annotations");
  return annotations === undefined ? {} : readMetadata(annotations);
}

function readMetadata(annotations: unknown): Pick<Claims, "metadata"> | EnvelopeProblem {
  if (!isObject(annotations)) return new EnvelopeProblem("the metadata is not an object");
  const entries: [string, string][] = [];
  let bytes = 0;
  for (const [name, value] of Object.entries(annotations)) {
    if (typeof value !== "string") return new EnvelopeProblem("the metadata is not all text");
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
    entries.push([name, value]);
  }
  if (entries.length > MAX_METADATA.entries || bytes > MAX_METADATA.bytes) {
    const { entries: most, bytes: room } = MAX_METADATA;
    return new EnvelopeProblem(`the metadata has more than ${most} entries or ${room} bytes`);
  }
  // Entries become own members, whatever their names are: nothing of the prototype can be reached.
  return entries.length === 0 ? {} : { metadata: Object.fromEntries(entries) };
}
