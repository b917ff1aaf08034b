import type { AwsStates } from "./assemble.ts";
import type { AwsHealth } from "./aws-health.ts";
import type { Check } from "./http/admin.ts";
import type { CertificateState } from "./http/server.ts";
import type { CertificatesState } from "./kubernetes/certificates.ts";
import type { Notation } from "./notation/judge.ts";
import type { Log } from "./telemetry/log.ts";
import type { RenewedState } from "./aws/renewed.ts";
import type { Trust } from "./trust/trust.ts";

/** What readiness is made of. */
export interface ReadinessSources {
  readonly isDraining: () => boolean;
  readonly certificates: () => CertificateState;
  /** Of a provider that makes its certificates itself. */
  readonly ownCertificates?: () => CertificatesState;
  readonly notation: Pick<Notation, "state" | "check">;
  readonly trust: Pick<Trust, "states">;
  readonly aws: Pick<AwsStates, "credentials" | "tokens">;
  readonly awsHealth: Pick<AwsHealth, "failing">;
}

/** A serving certificate that ends sooner is named in `/readyz?verbose`, in milliseconds. */
const EXPIRES_SOON_MS = 7 * 24 * 3_600_000;

/** What keeps a provider from serving that has only started: certificates of its own, of which there are none yet. */
export function startingChecks(own?: {
  readonly state: () => CertificatesState;
}): readonly Check[] {
  const detail = own?.state().problem;
  return [
    { name: "serving", ok: false, detail: "starting" },
    ...(own === undefined
      ? []
      : [{ name: "certificates", ok: false, detail: detail ?? "there are none yet" }]),
  ];
}

/** Looks at everything that readiness depends on; costs nothing. */
export function readinessOf(sources: ReadinessSources): readonly Check[] {
  const isDraining = sources.isDraining();
  return [
    { name: "serving", ok: !isDraining, ...(isDraining && { detail: "shutting down" }) },
    certificateCheck(sources.certificates()),
    ...(sources.ownCertificates === undefined
      ? []
      : [ownCertificatesCheck(sources.ownCertificates())]),
    notationCheck(sources.notation),
    ...trustChecks(sources.trust),
    ...awsChecks(sources.aws, sources.awsHealth),
  ];
}

function certificateCheck({ notBefore, notAfter, problem }: CertificateState): Check {
  const today = Date.now();
  const detail = (): string | undefined => {
    if (problem !== undefined) return problem;
    if (today < notBefore.getTime()) return `begins to be valid ${notBefore.toISOString()}`;
    if (notAfter.getTime() < today) return `ended ${notAfter.toISOString()}`;
    if (notAfter.getTime() - today < EXPIRES_SOON_MS) return `ends ${notAfter.toISOString()}`;
    return undefined;
  };
  const found = detail();
  // An old certificate that serves is better than none: its caller decides.
  return { name: "certificate", ok: true, ...(found !== undefined && { detail: found }) };
}

/** A look at the cluster that is older is named in `/readyz?verbose`, in milliseconds. */
const LONG_AGO_MS = 120_000;

/** They never keep a provider from serving: the last good ones are served on. */
function ownCertificatesCheck({ ageMs = Infinity, problem }: CertificatesState): Check {
  const old = ageMs > LONG_AGO_MS ? "the cluster was not read for two minutes" : undefined;
  const detail = problem ?? old;
  return { name: "certificates", ok: true, ...(detail !== undefined && { detail }) };
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

/** Lines about AWS at most: those that fail come first. */
const MAX_AWS_LINES = 64;

/**
 * What is held of AWS, and why what is not. None of it makes a replica unready: another one would be refused as well, and this one
 * still answers for what it has in its cache and for other registries, with a reason for each key that it cannot judge.
 */
function awsChecks(
  aws: ReadinessSources["aws"],
  health: ReadinessSources["awsHealth"],
): readonly Check[] {
  const held = [
    ...aws.credentials().map(({ role, source, ...state }) => ({
      name: role === undefined ? "aws/credentials" : `aws/role/${role}`,
      state,
      what: role === undefined ? `${source}, ` : "",
    })),
    ...aws.tokens().map(({ region, role, ...state }) => ({
      name: `aws/token/${region}${role === undefined ? "" : `/${role}`}`,
      state,
      what: "",
    })),
  ];
  const questions = health
    .failing()
    .filter(({ service, operation }) => service === "signer" || operation === "signingStatus")
    .map(({ service, operation, region = "", sentence }) => ({
      name: `aws/${service}/${operation}/${region}`,
      ok: true,
      detail: `failing: ${sentence}`,
    }));
  const lines = held
    .toSorted((a, b) => Number(b.state.why !== undefined) - Number(a.state.why !== undefined))
    .map(({ name, what, state }) => ({ name, ok: true, detail: `${what}${lifeOf(state)}` }));
  return [...questions, ...lines].slice(0, MAX_AWS_LINES);
}

function lifeOf({ leftMs, why }: RenewedState): string {
  const left =
    leftMs === undefined
      ? undefined
      : leftMs === Infinity
        ? "does not end"
        : `ends in ${Math.floor(leftMs / 60_000)} min`;
  if (why === undefined) return left ?? "is being fetched";
  return left === undefined ? `failing: ${why.sentence}` : `failing, ${left}: ${why.sentence}`;
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
