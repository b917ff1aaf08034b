import assert from "node:assert/strict";

/** @returns DER of the same certificate with another text in the place of its end, 13 characters as a UTCTime has them */
export function withEnd(der: Uint8Array, text: string): Buffer {
  const changed = Buffer.from(der);
  const [, end] = changed.toString("latin1").matchAll(/\d{12}Z/g);
  assert.ok(end !== undefined && text.length === end[0].length);
  changed.write(text, end.index, "latin1");
  return changed;
}
