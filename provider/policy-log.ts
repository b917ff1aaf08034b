import { isDeepStrictEqual } from "node:util";
import type { Log } from "./telemetry/log.ts";
import type { PolicyState, Problem } from "./trust/trust.ts";

/** Problems of a policy that one line names; `config check` names them all. */
const MAX_PROBLEMS = 20;

/**
 * Writes a line for each policy whose state or problems are others than before.
 * @returns what is to be told of every change, with the states of all policies
 */
export function createPolicyLog(
  log: Pick<Log, "info" | "warn" | "error">,
): (states: readonly PolicyState[]) => void {
  let before: ReadonlyMap<string, PolicyState> = new Map();
  return (states) => {
    const after = new Map(states.map((each) => [each.name, each]));
    const changed = states.filter((each) => !isDeepStrictEqual(before.get(each.name), each));
    const gone = [...before.keys()].filter((name) => !after.has(name));
    for (const { name: policy, state, problems } of changed) {
      const fields = { policy, state, problems: problems.slice(0, MAX_PROBLEMS).map(toText) };
      if (state === "current") log.info("a trust policy is in force", fields);
      else log.error("a trust policy was refused", fields);
    }
    for (const policy of gone) log.warn("a trust policy is gone", { policy });
    // The states are told for a reason: what a policy says, or a certificate in its stores, is another.
    if (changed.length + gone.length === 0) log.info("the trust policies in force have changed");
    before = after;
  };
}

const toText = ({ severity, path, message }: Problem): string => `${severity}: ${path}: ${message}`;
