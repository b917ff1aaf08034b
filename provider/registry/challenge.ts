/** One challenge of a `WWW-Authenticate` header. */
export interface Challenge {
  /** Lower case: `basic`, `bearer`. */
  readonly scheme: string;
  /** Names in lower case; values as they were meant, without quotes and backslashes. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Bounds far above what registries send. */
const MAX_LENGTH = 8192;
const MAX_CHALLENGES = 8;
const MAX_PARAMETERS = 16;

// Sticky: each matches at one position, no two ways through any of them match the same text.
const SEPARATOR = /[ \t]*(?:,[ \t]*)*/y;
const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const TOKEN68 = /[ \t]+[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y;
const EQUALS = /[ \t]*=[ \t]*/y;
/** The first parameter follows its scheme without a comma. */
const BEFORE_PARAMETER = /[ \t]+(?=[^ \t,="]+[ \t]*=)/y;
const QUOTED = /"[^"\\]*(?:\\.[^"\\]*)*"/y;
const END_OF_ELEMENT = /(?=[ \t]*(?:,|$))/y;

/**
 * Parses `WWW-Authenticate`, several lines of which are joined by commas.
 * @param header of any length and content
 * @returns the challenges in their order; undefined for what does not follow the grammar, or is longer than any registry's
 * @see RFC 9110 11.6.1 and 11.2
 */
export function parseChallenges(header: string): readonly Challenge[] | undefined {
  if (header.length > MAX_LENGTH) return undefined;
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  // A challenge has a token or parameters, not both; undefined while none may come.
  let parameters: Map<string, string> | undefined;
  const scanner = createScanner(header);
  scanner.take(SEPARATOR);
  while (!scanner.atEnd()) {
    const name = scanner.take(TOKEN)?.toLowerCase();
    if (name === undefined) return undefined;
    if (scanner.take(EQUALS) === undefined) {
      // Not a parameter, so a scheme. What follows it after blanks belongs to it.
      parameters = new Map();
      if (challenges.push({ scheme: name, parameters }) > MAX_CHALLENGES) return undefined;
      if (scanner.take(TOKEN68) !== undefined) {
        parameters = undefined;
      } else if (scanner.take(BEFORE_PARAMETER) !== undefined) {
        continue;
      }
    } else {
      const value = scanner.take(TOKEN) ?? unquote(scanner.take(QUOTED));
      if (value === undefined || parameters === undefined || parameters.has(name)) return undefined;
      if (parameters.set(name, value).size > MAX_PARAMETERS) return undefined;
    }
    if (!scanner.sees(END_OF_ELEMENT)) return undefined;
    scanner.take(SEPARATOR);
  }
  return challenges;
}

const unquote = (quoted: string | undefined): string | undefined =>
  quoted?.slice(1, -1).replaceAll(/\\(.)/gs, "$1");

/** Reads a text from left to right by sticky patterns. */
function createScanner(text: string) {
  let position = 0;
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = position;
    return pattern.exec(text)?.[0];
  };
  return {
    atEnd: () => position === text.length,
    sees: (pattern: RegExp) => match(pattern) !== undefined,
    take(pattern: RegExp): string | undefined {
      const found = match(pattern);
      position += found?.length ?? 0;
      return found;
    },
  };
}
