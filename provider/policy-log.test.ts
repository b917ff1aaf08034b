import assert from "node:assert/strict";
import { test } from "node:test";
import { createPolicyLog } from "./policy-log.ts";
import type { PolicyState } from "./trust/trust.ts";

const record = () => {
  const lines: unknown[] = [];
  const write =
    (level: string) =>
    (message: string, fields = {}) =>
      void lines.push({ level, message, ...fields });
  const tell = createPolicyLog({ info: write("info"), warn: write("warn"), error: write("error") });
  return (states: readonly PolicyState[]): readonly unknown[] => {
    tell(states);
    return lines.splice(0);
  };
};
const good: PolicyState = { name: "default", state: "current", problems: [] };
const bad: PolicyState = {
  name: "default",
  state: "stale",
  problems: [{ severity: "error", path: "trustpolicy.json", message: "is no JSON" }],
};
const inForce = { level: "info", message: "a trust policy is in force", policy: "default" };

test("F-44 a policy that is refused is an error with its problems, once, and its return is told", () => {
  const tell = record();
  assert.deepEqual(tell([good]), [{ ...inForce, state: "current", problems: [] }]);
  const other = { ...good, name: "prod" };
  assert.deepEqual(tell([bad, other]), [
    {
      level: "error",
      message: "a trust policy was refused",
      policy: "default",
      state: "stale",
      problems: ["error: trustpolicy.json: is no JSON"],
    },
    { ...inForce, policy: "prod", state: "current", problems: [] },
  ]);
  assert.deepEqual(tell([good, other]), [{ ...inForce, state: "current", problems: [] }]);
});

test("a policy whose file was taken away is told", () => {
  const tell = record();
  tell([good, { ...good, name: "prod" }]);
  assert.deepEqual(tell([good]), [
    { level: "warn", message: "a trust policy is gone", policy: "prod" },
  ]);
});

test("a change of what policies say, with the same states, is told without a name", () => {
  const tell = record();
  tell([good]);
  assert.deepEqual(tell([{ ...good }]), [
    { level: "info", message: "the trust policies in force have changed" },
  ]);
});

test("of many problems a line names the first, and no name of a policy is taken for a member", () => {
  const tell = record();
  const problems = Array.from({ length: 500 }, () => bad.problems).flat();
  const [line] = tell([{ ...bad, name: "__proto__", problems }]);
  assert.equal(JSON.stringify(line).match(/is no JSON/g)?.length, 20);
});
