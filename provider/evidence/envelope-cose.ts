import { decode, Tokenizer, type DecodeOptions } from "cborg";
import { EnvelopeProblem, type EnvelopeParts, MAX_CERTIFICATES } from "./envelope-parts.ts";

/** Tag 18 and an array of four: all that Notation takes for a COSE_Sign1. @see RFC 9052 4.2 */
const PREFIX = [0xd2, 0x84];

/** Integer labels of the protected header. @see RFC 9052 3.1 */
const ALGORITHM = 1;
const CRITICAL = 2;
const CONTENT_TYPE = 3;
/** Label of the chain in the unprotected header. @see RFC 9360 2 */
const X5CHAIN = 33;

/** ES256, ES384, ES512, PS256, PS384, PS512. @see RFC 9053 2.1, RFC 8230 2 */
const ALGORITHMS = new Set<unknown>([-7, -35, -36, -37, -38, -39]);

/** Items, and so levels of nesting, that one of the two maps can need. The reader recurses over levels. */
const MAX_ITEMS = 500;

/** Last second of the year 9999, the last that RFC 3339 can write. */
const MAX_SECONDS = 253_402_300_799;

/** Tag 1 over seconds since the epoch. @see RFC 8949 3.4.2 */
class EpochTime {
  readonly seconds: unknown;
  constructor(seconds: unknown) {
    this.seconds = seconds;
  }
}

/**
 * Reads a COSE_Sign1 in the shape that Notation writes. Definite lengths and shortest forms only, no
 * label twice, no tag but the outer 18 and 1 over the protected times, text only in well-formed UTF-8.
 * @see Notary Project signature envelope COSE; RFC 9052 4.2
 */
export function readCose(bytes: Uint8Array): EnvelopeParts | EnvelopeProblem {
  if (PREFIX.some((byte, index) => bytes[index] !== byte)) {
    return new EnvelopeProblem("the envelope is not a tagged COSE_Sign1");
  }
  const message = decodeStrictly(bytes.subarray(1));
  if (message instanceof EnvelopeProblem) return message;
  if (!Array.isArray(message)) return new EnvelopeProblem("the envelope is not an array");
  const [guarded, unguarded, payload, signature]: readonly unknown[] = message;
  if (!isBytes(guarded)) return new EnvelopeProblem("the protected header is not a byte string");
  if (!isBytes(payload)) return new EnvelopeProblem("the payload is not a byte string");
  if (!isBytes(signature)) return new EnvelopeProblem("the signature is not a byte string");
  const chain = readUnprotected(unguarded);
  if (chain instanceof EnvelopeProblem) return chain;
  const header = readProtected(guarded);
  return header instanceof EnvelopeProblem ? header : { ...header, payload, chain, time };
}

function readProtected(bytes: Uint8Array) {
  const header = decodeStrictly(bytes, { 1: (content) => new EpochTime(content()) });
  if (header instanceof EnvelopeProblem) return header;
  if (!isMap(header)) return new EnvelopeProblem("the protected header is not a map");
  const attributes = new Map<string, unknown>();
  for (const [label, value] of header) {
    if (typeof label === "string") attributes.set(label, value);
    else if (label !== ALGORITHM && label !== CRITICAL && label !== CONTENT_TYPE) {
      return new EnvelopeProblem("the protected header has a label that Notation does not sign");
    }
  }
  if (!ALGORITHMS.has(header.get(ALGORITHM))) {
    return new EnvelopeProblem("the algorithm is not one that Notation signs with");
  }
  return { contentType: header.get(CONTENT_TYPE), critical: header.get(CRITICAL), attributes };
}

/** Checks what nobody signed, and returns the certificate chain. */
function readUnprotected(header: unknown): readonly Uint8Array[] | EnvelopeProblem {
  if (!isMap(header)) return new EnvelopeProblem("the unprotected header is not a map");
  for (const label of header.keys()) {
    if (typeof label !== "string" && typeof label !== "number") {
      return new EnvelopeProblem("a label is neither an integer nor text");
    }
  }
  const agent = header.get("io.cncf.notary.signingAgent");
  if (agent !== undefined && typeof agent !== "string") {
    return new EnvelopeProblem("the signing agent is not text");
  }
  const token = header.get("io.cncf.notary.timestampSignature");
  if (token !== undefined && !isBytes(token)) {
    return new EnvelopeProblem("the timestamp is not a byte string");
  }
  const chain = header.get(X5CHAIN);
  if (!Array.isArray(chain) || chain.length === 0) {
    return new EnvelopeProblem("there is no certificate chain");
  }
  if (chain.length > MAX_CERTIFICATES) {
    return new EnvelopeProblem(`the chain has more than ${MAX_CERTIFICATES} certificates`);
  }
  return chain.every(isBytes) ? chain : new EnvelopeProblem("a certificate is not a byte string");
}

/** Decodes one item and nothing after it. */
function decodeStrictly(bytes: Uint8Array, tags: NonNullable<DecodeOptions["tags"]> = {}): unknown {
  const options: DecodeOptions = {
    strict: true,
    allowIndefinite: false,
    allowUndefined: false,
    allowBigInt: false,
    allowInfinity: false,
    allowNaN: false,
    useMaps: true,
    rejectDuplicateMapKeys: true,
    retainStringBytes: true,
    tags,
  };
  try {
    return decode(bytes, { ...options, tokenizer: boundedTokenizer(bytes, options) });
  } catch {
    // What the decoder says is about offsets and may quote foreign text.
    return new EnvelopeProblem("not the CBOR that Notation writes");
  }
}

/** The decoder's own tokenizer, which stops after a number of items and at text that is not UTF-8. */
function boundedTokenizer(bytes: Uint8Array, options: DecodeOptions) {
  const tokens = new Tokenizer(bytes, options);
  let items = 0;
  return {
    done: () => tokens.done(),
    pos: () => tokens.pos(),
    next: () => {
      items += 1;
      if (items > MAX_ITEMS) throw new RangeError("too many items");
      const token = tokens.next();
      // The decoder replaces what is not UTF-8 and drops byte order marks; Go would read other names.
      if (token.byteValue !== undefined && typeof token.value === "string") {
        const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
        if (text.decode(token.byteValue) !== token.value) throw new TypeError("not UTF-8");
      }
      return token;
    },
  };
}

function time(value: unknown): number | undefined {
  if (!(value instanceof EpochTime)) return undefined;
  const { seconds } = value;
  const isTime = Number.isSafeInteger(seconds) && typeof seconds === "number";
  return isTime && seconds >= 0 && seconds <= MAX_SECONDS ? seconds * 1000 : undefined;
}

/** A byte string that is not empty. */
const isBytes = (value: unknown): value is Uint8Array =>
  value instanceof Uint8Array && value.byteLength > 0;

const isMap = (value: unknown): value is ReadonlyMap<unknown, unknown> => value instanceof Map;
