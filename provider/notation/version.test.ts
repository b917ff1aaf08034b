import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeVersion } from "./version.ts";

const output = (version: string) =>
  `Notation - a tool to sign and verify artifacts.\n\nVersion:     ${version}\nGo version:  go1.26.8\n`;

const usable = [
  { printed: "v1.3.2", want: "1.3.2" },
  { printed: "1.3.2", want: "1.3.2" },
  { printed: "v1.3.2+unreleased", want: "1.3.2" },
  { printed: "v1.3.10", want: "1.3.10" },
  { printed: "v1.10.0", want: "1.10.0" },
  { printed: "v1.4.0-rc.1", want: "1.4.0" },
];
for (const { printed, want } of usable) {
  test(`T-04 version ${printed} is usable as ${want}`, () =>
    assert.deepEqual(judgeVersion(output(printed)), { version: want, problem: undefined }));
}

const unusable = [
  { name: "an older patch", text: output("v1.3.1"), want: /1\.3\.1 is too old/ },
  { name: "an older minor", text: output("v1.2.9"), want: /too old/ },
  { name: "an older major", text: output("v0.99.99"), want: /too old/ },
  { name: "a pre-release of the oldest", text: output("v1.3.2-rc.1"), want: /too old/ },
  { name: "the next major", text: output("v2.0.0"), want: /not supported/ },
  { name: "its pre-release", text: output("v2.0.0-alpha.1"), want: /not supported/ },
  { name: "a later major", text: output("v3.1.4"), want: /not supported/ },
  { name: "no number", text: output("unreleased"), want: /does not say its version/ },
  { name: "two numbers", text: output("v1.3"), want: /does not say its version/ },
  { name: "numbers without end", text: output(`v1.3.${"2".repeat(50)}`), want: /does not say/ },
  { name: "another program", text: "git version 2.47.3\n", want: /does not say its version/ },
  { name: "another line", text: "Go version:  1.3.2\n", want: /does not say its version/ },
  { name: "silence", text: "", want: /does not say its version/ },
];
for (const { name, text, want } of unusable) {
  test(`T-04 ${name} is not usable, and it is said why`, () => {
    const { version, problem = "" } = judgeVersion(text);
    assert.equal(version, undefined);
    assert.match(problem, want);
  });
}
