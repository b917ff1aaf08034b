import { parseReference, type Reference } from "../image/reference.ts";
import { isName } from "../lib/name.ts";
import { LEVELS, rejected, type AskedLevel, type Rejected } from "../verdict/verdict.ts";

/** What a caller asks: an image, and how it is to be judged. */
export interface Key {
  /** As it was sent. */
  readonly text: string;
  readonly reference: Reference;
  /** Name of a trust policy document; `default` unless the key says another. Whether it exists is not known here. */
  readonly policy: string;
  /** Replaces the level of the statement that applies. */
  readonly level?: AskedLevel;
}

/** Bytes that a key may have; more than the longest image with every option. */
const MAX_BYTES = 1024;

/** Every character that an image or an option can have; each is one byte of UTF-8. */
const PRINTABLE = /^[!-~]+$/;

// One object each, made once: a flood of bad keys allocates nothing, and their answers are encoded once.
const NOT_IMAGE = rejected(
  "INVALID_REFERENCE",
  "not an image: [host[:port]/]repository[:tag][@sha256:digest], all but the tag in lower case",
);
const NOT_OPTION = rejected(
  "INVALID_OPTION",
  "after ? come policy=<name> and level=strict|permissive|audit, each once, joined by &",
);

/** The answer to a text that {@link isKeyText} refuses. */
export const NOT_KEY = rejected(
  "INVALID_REFERENCE",
  "a key is 1 to 1,024 printable ASCII characters",
);

/**
 * Whether a text has the length and the characters of a key: no blank, no control character, nothing beyond ASCII. What
 * passes fits on one line and cannot be mistaken for two.
 */
export const isKeyText = (text: string): boolean =>
  text.length <= MAX_BYTES && PRINTABLE.test(text);

/**
 * Takes a key apart: `<image>[?option=value[&option=value]]`. A `?` is never part of an image, so a plain image is a
 * key, and an image that would run cannot carry an option. Nothing is decoded: no percent signs, no blanks.
 * @param text of any length and content
 * @returns or the verdict that ends the key: rejected `INVALID_REFERENCE` or `INVALID_OPTION`
 */
export function parseKey(text: string): Key | Rejected {
  if (!isKeyText(text)) return NOT_KEY;
  const mark = text.indexOf("?");
  const reference = parseReference(mark === -1 ? text : text.slice(0, mark));
  if (reference === undefined) return NOT_IMAGE;
  if (mark === -1) return { text, reference, policy: "default" };
  const options = parseOptions(text.slice(mark + 1));
  if (options === undefined) return NOT_OPTION;
  return { text, reference, policy: "default", ...options };
}

/** @returns undefined for an unknown, repeated, empty or malformed option; a second `?` is one of these */
function parseOptions(text: string): Partial<Pick<Key, "policy" | "level">> | undefined {
  let policy: string | undefined;
  let level: AskedLevel | undefined;
  for (const option of text.split("&")) {
    const equals = option.indexOf("=");
    const value = option.slice(equals + 1);
    switch (option.slice(0, Math.max(equals, 0))) {
      case "policy":
        if (policy !== undefined || !isName(value)) return undefined;
        policy = value;
        break;
      case "level":
        if (level !== undefined || !isAskedLevel(value)) return undefined;
        level = value;
        break;
      default:
        return undefined;
    }
  }
  return { ...(policy !== undefined && { policy }), ...(level !== undefined && { level }) };
}

/** `skip` is written in a policy by who answers for it, and never asked for. */
const isAskedLevel = (text: string): text is AskedLevel =>
  text !== "skip" && LEVELS.some((level) => level === text);
