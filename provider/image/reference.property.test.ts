import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { digestOf } from "./digest.ts";
import { formatReference, nameOf, parseReference, type Reference } from "./reference.ts";

const digest = digestOf("");

// Near misses: pieces of the grammar in any order, and names with a piece thrown in.
const pieces = [
  ..."a 0 Z . _ __ - : / @ [ ] ? % \n \u3002 sha256: docker.io/ index.docker.io/ localhost/ [::1]".split(
    " ",
  ),
  " ",
  digest,
  digest.slice("sha256:".length),
];
const piece = fc.constantFrom(...pieces);
const name = fc.constantFrom(
  "nginx",
  "docker.io/nginx:1",
  `a/b@${digest}`,
  "localhost:5000/x",
  "[::1]:80/a/b:c",
  "111122223333.dkr.ecr.eu-west-1.amazonaws.com/prod/app:v1",
);
const nearMiss = fc.oneof(
  fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join("")),
  fc.tuple(name, fc.nat({ max: 60 }), fc.nat({ max: 2 }), piece).map(([text, at, cut, part]) => {
    return text.slice(0, at) + part + text.slice(at + cut);
  }),
);

test("what is accepted keeps its meaning when it is written out and read again", () => {
  fc.assert(
    fc.property(nearMiss, (text) => {
      const reference = parseReference(text);
      fc.pre(reference !== undefined);
      assert.deepEqual(parseReference(formatReference(reference)), reference);
    }),
    { numRuns: 2_000, maxSkipsPerRun: 100 },
  );
});

test("what is accepted is printable, bounded, and has a registry in lower case", () => {
  fc.assert(
    fc.property(nearMiss, (text) => {
      const reference = parseReference(text);
      fc.pre(reference !== undefined);
      assert.match(formatReference(reference), /^[!-~]+$/);
      assert.ok(nameOf(reference).length <= 255);
      assert.equal(reference.registry, reference.registry.toLowerCase());
      assert.ok(reference.tag !== undefined || reference.digest !== undefined);
    }),
    { numRuns: 2_000, maxSkipsPerRun: 100 },
  );
});

const registry = fc
  .tuple(
    fc.oneof(
      fc.domain().map((domain) => domain.toLowerCase()),
      fc.ipV4(),
      fc.constantFrom("localhost", "docker.io", "[fd00::2]"),
    ),
    fc.option(fc.integer({ min: 1, max: 65_535 })),
  )
  .map(([host, port]) => (port === null ? host : `${host}:${port}`));
const repository = fc
  .array(fc.stringMatching(/^[a-z0-9]{1,8}(?:(?:\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}$/), {
    minLength: 2,
    maxLength: 5,
  })
  .map((components) => components.join("/"));
const tag = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/);
const anyDigest = fc.uint8Array({ maxLength: 4 }).map((bytes) => digestOf(bytes));
const anyReference: fc.Arbitrary<Reference> = fc.oneof(
  fc.record({ registry, repository, tag }, { noNullPrototype: true }),
  fc.record({ registry, repository, digest: anyDigest }, { noNullPrototype: true }),
  fc.record({ registry, repository, tag, digest: anyDigest }, { noNullPrototype: true }),
);

test("every reference is read as it was written", () => {
  fc.assert(
    fc.property(anyReference, (reference) => {
      fc.pre(nameOf(reference).length <= 255);
      assert.deepEqual(parseReference(formatReference(reference)), reference);
    }),
    { numRuns: 1_000 },
  );
});

test("any text is read without an exception", () => {
  const text = fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme-composite" }));
  fc.assert(
    fc.property(text, (text) => {
      assert.doesNotThrow(() => parseReference(text));
    }),
    { numRuns: 2_000 },
  );
});

// Where a pattern has two ways through the same text it tries them all once the end does not fit: with
// hundreds of characters this would not come to an end.
for (const part of [
  "a",
  "a-",
  "-",
  "a.",
  "a_",
  "a/",
  ":",
  "[:",
  "0",
  "1.",
  "sha256:",
  "a:",
  "a1-",
]) {
  for (const length of [500, 1_048_576]) {
    test(`T-50 ${length} characters of ${part} are refused without searching`, () => {
      const text = part.repeat(length).slice(0, length);
      for (const before of ["", "g.io/", "g.io/a:", "[", "g.io:"]) {
        for (const end of ["!", "\n", "@/", "-/!"]) {
          assert.equal(parseReference(before + text + end), undefined);
        }
      }
    });
  }
}

test("T-50 no pattern is shown a text that is longer than any reference", (t) => {
  // RegExp.prototype.test calls exec as well.
  const exec = t.mock.method(RegExp.prototype, "exec");
  parseReference("nginx");
  assert.notEqual(exec.mock.callCount(), 0);
  exec.mock.resetCalls();
  for (const text of ["a".repeat(1_048_576), `g.io/${"a".repeat(508)}`, `${"a.".repeat(256)}/`]) {
    assert.equal(parseReference(text), undefined);
  }
  assert.equal(exec.mock.callCount(), 0);
});
