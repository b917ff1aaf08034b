import type { Descriptor } from "../image/descriptor.ts";
import { digestOf, isDigest } from "../image/digest.ts";
import { foldName, isObject, JsonProblem } from "../lib/strict-json.ts";
import { rejected, type Refusal } from "../verdict/verdict.ts";
import type { Reply } from "./http.ts";
import { mediaTypeOf, SUBJECT_TYPES } from "./media-type.ts";
import { parseDocument, registryError, unexpected } from "./problem.ts";

/**
 * The descriptor of the manifest in a reply: its type as the registry says it, size and digest as they were counted.
 * A document that two readers could take for two things is refused, because one of them is the runtime.
 * @param name tag or digest that was asked for
 * @see GHSA-qq97-vm5h-rrhg, "Ambiguous OCI manifest parsing"
 */
export function readSubject(reply: Reply, name: string): Descriptor | Refusal {
  if (reply.status === 404) {
    return rejected("IMAGE_NOT_FOUND", "the registry does not have this image");
  }
  if (reply.status !== 200) return unexpected(reply);
  const digest = digestOf(reply.body);
  // A header of another algorithm or spelling is another digest than the one that we can vouch for.
  const declared = reply.header("docker-content-digest") ?? digest;
  if (declared !== digest || (isDigest(name) && name !== digest)) {
    return registryError("the registry sent a manifest that does not have the digest it should");
  }
  const mediaType = mediaTypeOf(reply);
  if (mediaType === undefined) return registryError("the registry did not say what it sent");
  const needed = SUBJECT_TYPES.get(mediaType);
  if (needed === undefined) {
    return rejected("NOT_AN_IMAGE", "this is neither an image manifest nor an image index");
  }
  const value = parseDocument(reply.body);
  if (value instanceof JsonProblem || !isObject(value)) {
    return registryError("the registry sent a manifest that is not strict JSON");
  }
  const members = new Map(Object.entries(value));
  const own = members.get("mediaType");
  if (own !== undefined && own !== mediaType) {
    return registryError("the registry sent a manifest under another media type than its own");
  }
  // Go's reader would take `Layers` for `layers`, so names count without regard to case.
  const names = new Set([...members.keys()].map(foldName));
  const foreign = needed === "layers" ? "manifests" : "layers";
  if (names.has(foreign) || !Array.isArray(members.get(needed))) {
    return rejected("NOT_AN_IMAGE", "this can be read as an image and as an index, or as neither");
  }
  return { mediaType, digest, size: reply.body.length };
}
