import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { capture, type Capture } from "./capture.ts";

const cases = [
  { name: "fewer bytes than the limit", chunks: ["abc"], want: "abc", isComplete: true },
  { name: "exactly the limit", chunks: ["ab", "cde"], want: "abcde", isComplete: true },
  { name: "one byte more", chunks: ["ab", "cdef"], want: "abcde", isComplete: false },
  { name: "no byte", chunks: [], want: "", isComplete: true },
];
for (const { name, chunks, want, isComplete } of cases) {
  test(`${name}: keeps "${want}", ${isComplete ? "complete" : "cut"}`, async () => {
    const stream = new PassThrough();
    let overflows = 0;
    const kept = capture(stream, 5, () => (overflows += 1));
    for (const chunk of chunks) stream.write(chunk);
    stream.end();
    await kept.closed;
    assert.deepEqual(
      [kept.text(), kept.isComplete(), overflows],
      [want, isComplete, isComplete ? 0 : 1],
    );
  });
}

const ends = [
  {
    name: "a stream that breaks",
    end: (stream: PassThrough) => stream.destroy(new Error("broken pipe")),
  },
  { name: "a stream that we close", end: (_: PassThrough, kept: Capture) => kept.close() },
];
for (const { name, end } of ends) {
  test(`${name} is not complete`, async () => {
    const stream = new PassThrough();
    const kept = capture(stream, 5, () => assert.fail("there was no more"));
    end(stream, kept);
    await kept.closed;
    assert.equal(kept.isComplete(), false);
  });
}

test("a character that the limit cuts does no harm", async () => {
  const stream = new PassThrough();
  const kept = capture(stream, 2, () => undefined);
  stream.end("€");
  await kept.closed;
  assert.equal(kept.text(), "\ufffd");
});
