import { X509Certificate } from "node:crypto";
import { resolve } from "node:path";
import type { Config } from "../config/schema.ts";
import { validityOf } from "../lib/validity.ts";
import { parseProfile, type SigningProfile } from "../signer/arn.ts";
import { lint } from "../trust/lint.ts";
import { readTrust } from "../trust/read.ts";
import type { SnapshotContent } from "../trust/snapshot.ts";
import { createView, machineFiles } from "../trust/view.ts";
import { oneLine } from "../verdict/verdict.ts";
import { error, ok, warning, type Finding } from "./finding.ts";
import { endOf } from "./time.ts";
import type { Trial } from "./trial.ts";

const SUBJECT = "trust.directory";

/** Days before its end in which a certificate is named: time enough to get another one. */
const SOON_DAYS = 30;

/** Policies without errors, with the stores that they name. */
export async function readPolicies({ trust }: Config): Promise<readonly SnapshotContent[]> {
  const view = createView(resolve(trust.directory), machineFiles);
  const reading = await readTrust(view, { allowWeak: trust.allowWeak, today: new Date() });
  return [...reading.policies.values()].flatMap(({ content }) => content ?? []);
}

/** The signing profiles of AWS Signer that policies trust, each once. */
export function profilesOf(policies: readonly SnapshotContent[]): readonly SigningProfile[] {
  const identities = policies.flatMap(({ policy }) =>
    policy.statements.flatMap(({ trustedIdentities }) => trustedIdentities),
  );
  const profiles = identities.map(parseProfile).filter((profile) => profile !== undefined);
  return [...new Map(profiles.map((profile) => [profile.arn, profile])).values()];
}

/** The trust directory: every problem of its policies and stores, and certificates that end soon. */
export const trustTrial = ({ trust }: Config, policies: readonly SnapshotContent[]): Trial => ({
  subject: SUBJECT,
  async run() {
    const problems = await lint(trust.directory, trust.allowWeak);
    const found = [
      ...problems.map(({ severity, path, message }) =>
        (severity === "error" ? error : warning)(`trust ${path}`, message),
      ),
      ...endingSoon(policies),
    ];
    if (found.length > 0) return found;
    return [ok(SUBJECT, "policies and trust stores have no problems")];
  },
});

/** Those that have ended already are the linter's. */
function endingSoon(policies: readonly SnapshotContent[]): readonly Finding[] {
  const stores = new Map(policies.flatMap(({ stores: named }) => [...named]));
  return [...stores].flatMap(([store, certificates]) =>
    certificates.flatMap((der) => {
      const certificate = new X509Certificate(Buffer.from(der));
      const { subject } = certificate;
      const end = endOf(validityOf(certificate)?.ends ?? 0, SOON_DAYS);
      const name = oneLine(subject.split("\n").join(", "));
      return end.isSoon && !end.isOver
        ? [warning(`trust store ${store}`, `the certificate of ${name} ${end.text}`)]
        : [];
    }),
  );
}
