import assert from "node:assert/strict";
import { test } from "node:test";
import { readEnvironment } from "./environment.ts";

const pathsOf = (environment: NodeJS.ProcessEnv, flags: readonly string[] = []) =>
  readEnvironment(environment, flags).map(({ path }) => path);

for (const name of ["NODE_TLS_REJECT_UNAUTHORIZED", "SSLKEYLOGFILE", "NODE_DEBUG"]) {
  test(`${name} in the environment is a problem, whatever its value`, () =>
    assert.deepEqual(pathsOf({ [name]: "" }), [`environment ${name}`]));
}

for (const { options, problems } of [
  { options: "", problems: 0 },
  { options: "--max-old-space-size=512  --report-exclude-env", problems: 0 },
  { options: "--max-old-space-size-percentage=60", problems: 0 },
  { options: "--disallow-code-generation-from-strings --report-compact", problems: 0 },
  { options: "--report-filename=stderr", problems: 0 },
  { options: "--report-filename=/files/report", problems: 1 },
  { options: "--tls-keylog=/tmp/keys", problems: 1 },
  { options: "--require ./agent.js", problems: 2 },
  { options: "--inspect=0.0.0.0:9229 --insecure-http-parser", problems: 2 },
  { options: "--tls-min-v1.0", problems: 1 },
  { options: "--unhandled-rejections=none", problems: 1 },
]) {
  test(`NODE_OPTIONS="${options}" has ${problems} problems`, () =>
    assert.equal(pathsOf({ NODE_OPTIONS: options }).length, problems));
}

for (const { flag, isRefused } of [
  { flag: "--inspect-brk=0.0.0.0", isRefused: true },
  { flag: "--inspect", isRefused: true },
  { flag: "--inspect-port=9229", isRefused: false },
  { flag: "--tls-keylog=/tmp/keys", isRefused: true },
  { flag: "--insecure-http-parser", isRefused: true },
  { flag: "--tls-min-v1.1", isRefused: true },
  { flag: "--tls-min-v1.2", isRefused: false },
  { flag: "--no-addons", isRefused: false },
]) {
  test(`node ${flag} is ${isRefused ? "refused" : "taken"}`, () =>
    assert.deepEqual(pathsOf({}, [flag]), isRefused ? ["command line of node"] : []));
}

for (const { node, isRefused } of [
  { node: "26.10.0", isRefused: false },
  { node: "26.12.1", isRefused: false },
  { node: "27.0.0", isRefused: false },
  { node: "26.9.11", isRefused: true },
  { node: "26.9", isRefused: true },
  { node: "24.99.0", isRefused: true },
  { node: "", isRefused: true },
]) {
  test(`H-1 Node "${node}" is ${isRefused ? "refused" : "taken"}`, () =>
    assert.deepEqual(
      readEnvironment({}, [], node).map(({ path }) => path),
      isRefused ? ["node"] : [],
    ));
}

test("the value of a flag or of a variable stands in no problem", () => {
  const problems = readEnvironment(
    { NODE_OPTIONS: "--require=hunter2", SSLKEYLOGFILE: "hunter2" },
    ["--tls-keylog=hunter2"],
  );
  assert.equal(problems.length, 3);
  assert.doesNotMatch(JSON.stringify(problems), /hunter2/);
});

test("an ordinary environment has no problem", () =>
  assert.deepEqual(pathsOf({ PATH: "/bin", HTTPS_PROXY: "http://proxy" }), []));
