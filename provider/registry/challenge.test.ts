import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { parseChallenges } from "./challenge.ts";

type Plain = readonly (readonly [scheme: string, parameters: Readonly<Record<string, string>>])[];

const plain = (header: string): Plain | undefined =>
  parseChallenges(header)?.map(({ scheme, parameters }) => [
    scheme,
    Object.fromEntries(parameters),
  ]);

const CASES: readonly {
  readonly name: string;
  readonly header: string;
  readonly want: Plain | undefined;
}[] = [
  { name: "nothing", header: "", want: [] },
  { name: "commas alone", header: " , ,, ", want: [] },
  { name: "a scheme alone", header: "Basic", want: [["basic", {}]] },
  {
    name: "a realm",
    header: 'Basic realm="a registry"',
    want: [["basic", { realm: "a registry" }]],
  },
  {
    name: "what registries send",
    header:
      'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push"',
    want: [
      [
        "bearer",
        {
          realm: "https://auth.example/token",
          service: "registry.example",
          scope: "repository:a/b:pull,push",
        },
      ],
    ],
  },
  {
    name: "names in any case",
    header: 'BEARER Realm="x",SERVICE=y',
    want: [["bearer", { realm: "x", service: "y" }]],
  },
  {
    name: "blanks around equals and commas",
    header: 'Bearer realm = "x" ,\tservice\t=\ty , ',
    want: [["bearer", { realm: "x", service: "y" }]],
  },
  {
    name: "escapes",
    header: String.raw`Basic realm="a \"b\" \\ \c"`,
    want: [["basic", { realm: 'a "b" \\ c' }]],
  },
  {
    name: "several challenges",
    header: 'Negotiate, Basic realm="a, b=c", Bearer realm=x,service=y, Digest',
    want: [
      ["negotiate", {}],
      ["basic", { realm: "a, b=c" }],
      ["bearer", { realm: "x", service: "y" }],
      ["digest", {}],
    ],
  },
  {
    name: "a token in place of parameters",
    header: "Negotiate abc+/==, Basic realm=x",
    want: [
      ["negotiate", {}],
      ["basic", { realm: "x" }],
    ],
  },
  {
    name: "a realm with a challenge in it",
    header: 'Basic realm="Bearer realm=x"',
    want: [["basic", { realm: "Bearer realm=x" }]],
  },
  {
    name: "a parameter called __proto__",
    header: "Basic __proto__=x",
    want: [["basic", JSON.parse('{"__proto__":"x"}')]],
  },
  { name: "a parameter without a scheme", header: 'realm="x"', want: undefined },
  { name: "a parameter twice", header: "Bearer realm=x,Realm=y", want: undefined },
  { name: "a quote that does not close", header: 'Bearer realm="x', want: undefined },
  { name: "an escape at the end", header: 'Bearer realm="x\\', want: undefined },
  { name: "parameters without a comma", header: "Bearer realm=x service=y", want: undefined },
  { name: "two words", header: "Bearer realm service", want: undefined },
  { name: "a value that is empty", header: "Bearer realm=,service=x", want: undefined },
  { name: "a URL without quotes", header: "Bearer realm=https://x", want: undefined },
  { name: "text behind a quote", header: 'Bearer realm="x"y', want: undefined },
  { name: "no token", header: "(Bearer)", want: undefined },
  {
    name: "nine challenges",
    header: Array.from({ length: 9 }, () => "Basic").join(","),
    want: undefined,
  },
  {
    name: "17 parameters",
    header: `Basic ${Array.from({ length: 17 }, (_, index) => `p${index}=x`).join(",")}`,
    want: undefined,
  },
  { name: "8193 characters", header: `Basic realm="${"x".repeat(8179)}"`, want: undefined },
];

for (const { name, header, want } of CASES) {
  test(`${want === undefined ? "refuses" : "reads"} ${name}`, () =>
    assert.deepEqual(plain(header), want));
}

const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/);
const parameters = fc.uniqueArray(
  fc.tuple(token, fc.string({ unit: "binary-ascii", maxLength: 20 })),
  {
    selector: ([name]) => name.toLowerCase(),
    maxLength: 5,
  },
);
const quote = (text: string): string => `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;

test("reads back whatever was written by the grammar", () => {
  const challenges = fc.array(fc.tuple(token, parameters), { maxLength: 8 });
  fc.assert(
    fc.property(challenges, (written) => {
      const header = written
        .map(([scheme, values]) =>
          [scheme, values.map(([name, value]) => `${name}=${quote(value)}`).join(", ")]
            .join(" ")
            .trim(),
        )
        .join(", ");
      const read = parseChallenges(header)?.map(({ scheme, parameters }) => [
        scheme,
        [...parameters],
      ]);
      const want = written.map(([scheme, values]) => [
        scheme.toLowerCase(),
        values.map(([name, value]) => [name.toLowerCase(), value]),
      ]);
      assert.deepEqual(read, want);
    }),
  );
});

test("any text has an answer", () => {
  const piece = fc.constantFrom(
    "Basic",
    "Bearer",
    "realm",
    "=",
    '"',
    "\\",
    ",",
    " ",
    "\t",
    "x",
    "==",
    "\n",
    "é",
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join("")),
  );
  fc.assert(
    fc.property(text, (header) => {
      const challenges = parseChallenges(header);
      assert.ok(challenges === undefined || challenges.length <= 8);
    }),
    { numRuns: 2000 },
  );
});

const COSTLY = [
  "a".repeat(8000),
  `Basic ${"a".repeat(8000)}`,
  `Basic ${" ".repeat(8000)}x`,
  ",".repeat(8000),
  `Basic realm="${"\\".repeat(8000)}`,
  "a ".repeat(4000),
  `Basic ${"=".repeat(8000)}`,
];

for (const [index, header] of COSTLY.entries()) {
  test(`F-10 takes time in proportion to its length, text ${index}`, () => {
    // Quadratic time over 8,000 characters, 500 times, would take minutes.
    for (let count = 0; count < 500; count += 1) parseChallenges(header);
  });
}
