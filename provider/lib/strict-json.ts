/** Levels of nesting that a document of ours can need; more is refused before anything recurses over it. */
const MAX_DEPTH = 64;

/** Why a text is not the JSON that we accept; made only here, so that no document can pretend to be one. */
export class JsonProblem {
  readonly problem: string;
  constructor(problem: string) {
    this.problem = problem;
  }
}

/** Whether a value is a JSON object, as opposed to a list. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * A name of a member as Go's reader compares it: without regard to case, U+017F an `s` and U+212A a `k`. Upper case comes
 * first: it is what turns U+017F into S; lower case then turns U+212A into k. @see encoding/json, "foldName"
 */
export const foldName = (name: string): string => name.toUpperCase().toLowerCase();

/** Which bytes are quotes, commas or opening brackets. A table, because every byte of a document is looked up. */
const MARKS = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number('",[{'.includes(String.fromCharCode(byte))),
);

// One token that matters: a string (unrolled, so that it is linear), or a bracket, or a comma.
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],]/gs;

/** Names of members that a problem repeats: those that nobody chose for what they do to a line of text. */
const SHOWN = /^"[\x20-\x7e]{0,64}"$/;

/**
 * Parses JSON as one reader would only: JSON.parse decides what is well-formed, and a member that occurs
 * twice in one object is refused, with regard to case and without, because Go's reader takes the last of
 * them ({@link foldName}). Bytes must be UTF-8 without a byte order mark.
 * @param maxMarks quotes, commas and opening brackets that bytes may have. Four megabytes of nothing else hold up
 *   everyone for seconds; to count them takes milliseconds
 */
export function parseStrictJson(input: Uint8Array | string, maxMarks = Infinity): unknown {
  if (typeof input !== "string") {
    let marks = 0;
    for (const byte of input) marks += MARKS[byte] ?? 0;
    if (marks > maxMarks) return new JsonProblem("too many parts");
  }
  let text: string;
  let value: unknown;
  try {
    text =
      typeof input === "string"
        ? input
        : new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(input);
    value = JSON.parse(text);
  } catch (error) {
    return new JsonProblem(error instanceof SyntaxError ? "not JSON" : "not UTF-8");
  }
  return findFlaw(text) ?? value;
}

/** Walks well-formed JSON with a stack of its own, so that depth costs memory and not the call stack. */
function findFlaw(text: string): JsonProblem | undefined {
  // The members seen of each open object, undefined for an open array.
  const open: (Set<string> | undefined)[] = [];
  let isName = false;
  for (const [token] of text.matchAll(TOKEN)) {
    switch (token) {
      case "{":
      case "[":
        if (open.length === MAX_DEPTH) {
          return new JsonProblem(`nested deeper than ${MAX_DEPTH} levels`);
        }
        open.push(token === "{" ? new Set() : undefined);
        isName = token === "{";
        break;
      case "}":
      case "]":
        open.pop();
        isName = false;
        break;
      case ",":
        isName = open.at(-1) !== undefined;
        break;
      default: {
        if (!isName) break;
        isName = false;
        const folded = foldName(String(JSON.parse(token)));
        const seen = open.at(-1);
        if (seen?.has(folded)) {
          const member = SHOWN.test(token) ? `member ${token}` : "a member";
          return new JsonProblem(`${member} occurs twice`);
        }
        seen?.add(folded);
      }
    }
  }
  return undefined;
}
