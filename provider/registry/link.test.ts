import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { nextLink } from "./link.ts";

const CASES: readonly (readonly [header: string | undefined, want: string | undefined])[] = [
  [undefined, undefined],
  ["", undefined],
  ['</v2/a?n=1>; rel="next"', "/v2/a?n=1"],
  ["</a>;rel=next", "/a"],
  ["</a> ; REL = Next", "/a"],
  ['</a>; rel="prev next"', "/a"],
  ['</a>; rel="nextish"', undefined],
  ["</a>; rel=nextish", undefined],
  ['</a>; rel="prev", </b>; rel="next"', "/b"],
  ['</a>; title="a, <b>"; rel="next"', "/a"],
  ['</a?x=1,2>; rel="next"', "/a?x=1,2"],
  ['</a>; rel="next", </b>; rel="next"', "/a"],
  ["</a>", undefined],
  ['</a; rel="next"', undefined],
  ['a>; rel="next"', undefined],
  ['</a>; title="x; rel="next', undefined],
  [`<${"a".repeat(9000)}>; rel="next"`, undefined],
];

for (const [header, want] of CASES) {
  test(`T-11 next of ${JSON.stringify(header)?.slice(0, 60)} is ${want}`, () =>
    assert.equal(nextLink(header), want));
}

test("any text has an answer", () => {
  const piece = fc.constantFrom("<", ">", ";", ",", '"', "\\", "rel", "=", "next", " ", "/a");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const found = nextLink(pieces.join(""));
      assert.ok(found === undefined || !/[<>]/.test(found));
    }),
    { numRuns: 2000 },
  );
});

for (const [index, header] of [
  "<".repeat(8000),
  "<a>".repeat(2600),
  `<a>${';rel="'.repeat(1300)}`,
  `<a>${";".repeat(8000)}`,
  `<a>;rel="${"next ".repeat(1500)}`,
].entries()) {
  test(`T-11 takes time in proportion to its length, text ${index}`, () => {
    for (let count = 0; count < 100; count += 1) nextLink(header);
  });
}
