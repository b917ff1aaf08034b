import { isObject } from "../lib/strict-json.ts";
import { LEVELS, type Level } from "../verdict/verdict.ts";
import { actionsOf } from "./policy-level.ts";
import { membersOf } from "./policy-members.ts";
import type { Report } from "./policy-report.ts";
import { ACTIONS, CHECKS, type Action, type Check, type Override } from "./trust.ts";

const TIMESTAMP_OPTIONS = ["always", "afterCertExpiry"] as const;

/** How thoroughly a statement verifies. */
export interface Verification {
  /** Undefined when it is none of the four, which was reported. */
  readonly level: Level | undefined;
  readonly override: Override;
  readonly verifyTimestamp: (typeof TIMESTAMP_OPTIONS)[number];
}

/** Reads `signatureVerification`; undefined when it is no object. */
export function readVerification(
  value: unknown,
  path: string,
  report: Report,
): Verification | undefined {
  const known = ["level", "override", "verifyTimestamp"];
  const members = membersOf(value, path, known, report);
  if (members === undefined) return undefined;
  const level = LEVELS.find((known) => known === members.get("level"));
  if (level === undefined) report.error(`${path}.level`, `must be one of ${LEVELS.join(", ")}`);
  const override = readOverride(members.get("override"), `${path}.override`, report);
  const overridden = members.get("override");
  if (level === "skip" && isObject(overridden) && Object.keys(overridden).length > 0) {
    report.error(`${path}.override`, "must be absent with level skip");
  }
  const written = members.get("verifyTimestamp");
  const option = TIMESTAMP_OPTIONS.find((known) => known === written);
  if (members.has("verifyTimestamp")) {
    const at = `${path}.verifyTimestamp`;
    if (option === undefined) report.error(at, `must be one of ${TIMESTAMP_OPTIONS.join(", ")}`);
    else if (level === "skip") report.warning(at, "has no effect with level skip");
  }
  return { level, override, verifyTimestamp: option ?? "always" };
}

function readOverride(value: unknown, path: string, report: Report): Override {
  if (value === undefined) return {};
  const members = membersOf(value, path, CHECKS, report);
  const override: Partial<Record<Check, Action>> = {};
  for (const check of CHECKS) {
    const written = members?.get(check);
    if (!members?.has(check)) continue;
    const action = ACTIONS.find((known) => known === written);
    if (check === "integrity") report.error(`${path}.${check}`, "cannot be overridden");
    else if (action === undefined) {
      report.error(`${path}.${check}`, `must be one of ${ACTIONS.join(", ")}`);
    } else if (action === "skip" && check !== "revocation") {
      report.error(`${path}.${check}`, "cannot be skipped: only revocation can");
    } else override[check] = action;
  }
  return override;
}

const IF_MEANT = "if that is meant, add this policy to trust.allowWeak";

/** Says which member makes a check weaker than enforced. */
export function reportWeakness(
  level: Level,
  override: Override,
  path: string,
  report: Report,
): void {
  const verification = `${path}.signatureVerification`;
  const actions = actionsOf(level, override);
  const weak = CHECKS.filter((check) => actions[check] !== "enforce");
  const byLevel = weak.filter((check) => override[check] === undefined);
  if (level === "skip") {
    report.warning(`${verification}.level`, `skip verifies nothing: ${IF_MEANT}`);
    return;
  }
  if (byLevel.length > 0) {
    const what = byLevel.join(", ");
    report.warning(`${verification}.level`, `${level} only logs ${what}: ${IF_MEANT}`);
  }
  for (const check of weak.filter((check) => override[check] !== undefined)) {
    const does = actions[check] === "skip" ? "is skipped" : "is only logged";
    report.warning(`${verification}.override.${check}`, `${does}: ${IF_MEANT}`);
  }
}
