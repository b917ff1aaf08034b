import { DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST } from "../image/media-type.ts";
import type { Reply } from "./http.ts";

/** What a subject may be, and the member that makes it so. Nothing else is an image here. */
export const SUBJECT_TYPES: ReadonlyMap<string, "manifests" | "layers"> = new Map([
  [DOCKER_MANIFEST, "layers"],
  [DOCKER_LIST, "manifests"],
  [OCI_MANIFEST, "layers"],
  [OCI_INDEX, "manifests"],
]);

/** The type of a reply without parameters, as it was sent; undefined when none was. @see RFC 9110 8.3 */
export function mediaTypeOf(reply: Reply): string | undefined {
  const type = reply.header("content-type")?.split(";", 1)[0]?.trim();
  return type === "" ? undefined : type;
}
