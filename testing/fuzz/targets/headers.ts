import assert from "node:assert/strict";
import { parseChallenges } from "../../../provider/registry/challenge.ts";
import { nextLink } from "../../../provider/registry/link.ts";
import type { Target } from "../target.ts";

const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

const quote = (value: string): string => `"${value.replaceAll(/["\\]/g, "\\$&")}"`;

/** @returns how many challenges of how many parameters, or that there are none */
function checkChallenges(header: string): string {
  const challenges = parseChallenges(header);
  if (challenges === undefined) return "no challenges";
  assert.ok(challenges.length <= 8);
  for (const { scheme, parameters } of challenges) {
    assert.match(scheme, TOKEN);
    assert.ok(parameters.size <= 16);
    for (const name of parameters.keys()) assert.match(name, TOKEN);
  }
  const written = challenges
    .map(({ scheme, parameters }) => {
      const pairs = [...parameters].map(([name, value]) => `${name}=${quote(value)}`);
      return `${scheme} ${pairs.join(", ")}`.trim();
    })
    .join(", ");
  if (written.length <= 8192) assert.deepEqual(parseChallenges(written), challenges);
  const most = Math.max(0, ...challenges.map(({ parameters }) => parameters.size));
  return `${challenges.length} challenges of ${most} parameters`;
}

function checkLink(header: string): string {
  const target = nextLink(header);
  if (target === undefined) return "no link";
  assert.ok(header.includes(`<${target}>`));
  assert.doesNotMatch(target, /[<>]/);
  const before = `<https://registry.example.com/a,b>; rel="prev"; title="a, <b>", ${header}`;
  if (before.length <= 8192) assert.equal(nextLink(before), target);
  return "a link";
}

/**
 * `WWW-Authenticate` and `Link`. Challenges that are written out anew are read as the same ones, and the next page is exactly what
 * stands in the brackets, whatever links come before.
 */
export const target: Target = {
  name: "headers",
  title:
    "T-11 T-32 T-50 challenges mean the same when they are written out anew, and the next page is what stands in the brackets",
  maxBytes: 9000,
  words: [
    "Bearer ",
    "Basic ",
    "Negotiate ",
    "realm=",
    '"https://auth.example.com/token"',
    'service="registry.example.com"',
    'scope="repository:app:pull"',
    'error="invalid_token"',
    "abc=",
    "==",
    ", ",
    ",",
    "=",
    '"',
    "\\",
    '\\"',
    "<",
    ">",
    "</v2/app/referrers/x?last=a>",
    "; rel=",
    '"next"',
    "next",
    'rel="prev next"',
    "; title=",
    ";",
    "\t",
  ],
  check(input) {
    // HTTP's readers give each byte of a header as one character.
    const header = Buffer.from(input).toString("latin1");
    return `${checkChallenges(header)}, ${checkLink(header)}`;
  },
};
