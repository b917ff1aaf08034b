/** Bytes of a key that a log line shows. */
const KEY_BYTES = 512;

/** What JSON.stringify already writes safely into one line of any terminal, and is one byte each. */
const PRINTABLE = /^[ -~]*$/;
const UNPRINTABLE = /[^ -~]/g;

/**
 * A JSON string of plain ASCII: what is not printable is an escape, U+2028 and U+2029 and lone surrogates among it, so that
 * no text can begin a line of its own or move a cursor.
 */
export function quote(text: string): string {
  const json = JSON.stringify(text);
  if (PRINTABLE.test(json)) return json;
  return json.replace(
    UNPRINTABLE,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A key as {@link quote} has it, cut at a character to {@link KEY_BYTES} bytes of UTF-8 and then marked with `…`. */
export function quoteKey(key: string): string {
  // Every character is one byte at least, so what is beyond cannot be kept; it need not be looked at.
  if (key.length <= KEY_BYTES && (PRINTABLE.test(key) || Buffer.byteLength(key) <= KEY_BYTES)) {
    return quote(key);
  }
  let kept = "";
  let bytes = 0;
  for (const character of key.slice(0, KEY_BYTES)) {
    bytes += Buffer.byteLength(character);
    if (bytes > KEY_BYTES) break;
    kept += character;
  }
  return quote(`${kept}…`);
}
