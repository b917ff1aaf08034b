import type { Check } from "./http/admin.ts";
import type { CertificateState } from "./http/server.ts";
import type { Notation } from "./notation/judge.ts";
import type { Log } from "./telemetry/log.ts";
import type { Trust } from "./trust/trust.ts";

/** What readiness is made of. */
export interface ReadinessSources {
  readonly isDraining: () => boolean;
  readonly certificates: () => CertificateState;
  readonly notation: Pick<Notation, "state" | "check">;
  readonly trust: Pick<Trust, "states">;
}

/** A serving certificate that ends sooner is named in `/readyz?verbose`, in milliseconds. */
const EXPIRES_SOON_MS = 7 * 24 * 3_600_000;

/** Looks at everything that readiness depends on; costs nothing. */
export function readinessOf(sources: ReadinessSources): readonly Check[] {
  const isDraining = sources.isDraining();
  return [
    { name: "serving", ok: !isDraining, ...(isDraining && { detail: "shutting down" }) },
    certificateCheck(sources.certificates()),
    notationCheck(sources.notation),
    ...trustChecks(sources.trust),
  ];
}

function certificateCheck({ notBefore, notAfter, problem }: CertificateState): Check {
  const today = Date.now();
  const detail = (): string | undefined => {
    if (problem !== undefined) return problem;
    if (today < notBefore.getTime()) return `begins to be valid ${notBefore.toISOString()}`;
    if (notAfter.getTime() - today < EXPIRES_SOON_MS) return `ends ${notAfter.toISOString()}`;
    return undefined;
  };
  const found = detail();
  // An old certificate that serves is better than none: its caller decides.
  return { name: "certificate", ok: true, ...(found !== undefined && { detail: found }) };
}

function notationCheck(notation: ReadinessSources["notation"]): Check {
  const { version, problem } = notation.state();
  // Nobody else may ask: what readiness keeps away are the callers whose keys would look at the binary again.
  if (version === undefined) void notation.check();
  return { name: "notation", ok: version !== undefined, detail: problem ?? `version ${version}` };
}

/** Ready when there is a policy to judge under. A stale one judges on and is named; one that was never good refuses its keys alone. */
function trustChecks(trust: ReadinessSources["trust"]): readonly Check[] {
  const states = trust.states();
  const hasPolicy = states.some(({ state }) => state !== "never");
  const overall = {
    name: "trust",
    ok: hasPolicy,
    ...(!hasPolicy && { detail: "no trust policy is in force" }),
  };
  return [
    overall,
    ...states.map(({ name, state, problems }): Check => {
      const first = problems.find(({ severity }) => severity === "error");
      const why = first === undefined ? "" : `: ${first.path}: ${first.message}`;
      return { name: `trust/${name}`, ok: true, detail: `${state}${why}` };
    }),
  ];
}

/**
 * Writes whether all is well to the log, at the first look at the checks and whenever that has changed since the look before.
 * @returns the look
 */
export function announceChanges(
  checks: () => readonly Check[],
  log: Pick<Log, "info" | "warn">,
  fields: { readonly url: string; readonly admin: string },
): () => readonly Check[] {
  let wasReady: boolean | undefined;
  return () => {
    const found = checks();
    const failed = found.filter(({ ok }) => !ok);
    const isReady = failed.length === 0;
    if (isReady !== wasReady) {
      if (isReady) log.info("ready", fields);
      for (const { name: reason, detail: problem } of failed) {
        log.warn("not ready", { reason, ...(problem !== undefined && { problem }) });
      }
    }
    wasReady = isReady;
    return found;
  };
}
