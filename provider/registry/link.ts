/** Bounds far above what registries send. */
const MAX_LENGTH = 8192;

// One link: a target in angle brackets and its parameters, up to the next comma outside of quotes. Linear: every
// alternative begins with another character.
const LINK = /[ \t,]*<(?<target>[^<>]*)>(?<parameters>(?:[^",]|"[^"\\]*(?:\\.[^"\\]*)*")*)/gsy;
const IS_NEXT = /;[ \t]*rel[ \t]*=[ \t]*(?:next|"(?:[^"]* )?next(?: [^"]*)?")[ \t]*(?:;|$)/i;

/**
 * Target of the link whose relation is `next`, as it was sent.
 * @returns undefined when there is none, or the header does not follow the grammar up to it
 * @see RFC 8288 3
 */
export function nextLink(header: string | undefined): string | undefined {
  if (header === undefined || header.length > MAX_LENGTH) return undefined;
  for (const { groups } of header.matchAll(LINK)) {
    if (IS_NEXT.test(groups?.["parameters"] ?? "")) return groups?.["target"];
  }
  return undefined;
}
