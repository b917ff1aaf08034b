import type { SigningProfile } from "../signer/arn.ts";
import type { SignerClients } from "../signer/client.ts";
import { failureOf } from "../signer/failure.ts";
import type { SignerQuestion } from "../signer/question.ts";
import { error, ok, warning, type Finding } from "./finding.ts";
import type { Trial } from "./trial.ts";

/** AWS Signer in each region that policies trust a profile of, and each of these profiles. */
export function signerTrials(
  profiles: readonly SigningProfile[],
  clients: SignerClients,
  timeoutMs: number,
): readonly Trial[] {
  const regions = new Map(profiles.map((profile) => [profile.region, profile]));
  return [
    ...[...regions].map(([region, profile]) => ({
      subject: `aws signer ${region}`,
      run: async (signal: AbortSignal) => [await revocation(profile, clients, timeoutMs, signal)],
    })),
    ...profiles.map((profile) => ({
      subject: profile.arn,
      run: async (signal: AbortSignal) => [await status(profile, clients, timeoutMs, signal)],
    })),
  ];
}

/** A question about a job that there is not: whether it may be asked is known before it is looked for. */
const madeUp = ({ partition, region, account, arn }: SigningProfile): SignerQuestion => ({
  key: arn,
  partition,
  region,
  profileVersionArn: `${arn}/0000000000`,
  jobArn: `arn:${partition}:signer:${region}:${account}:/signing-jobs/00000000-0000-0000-0000-000000000000`,
  signatureTimestamp: Date.now(),
  certificateHashes: ["0".repeat(192)],
});

async function revocation(
  profile: SigningProfile,
  clients: SignerClients,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Finding> {
  const subject = `aws signer ${profile.region}`;
  try {
    await clients.call(madeUp(profile), signal);
    return ok(subject, "may be asked what is revoked");
  } catch (problem) {
    if (nameOf(problem) === "ValidationException") {
      return ok(subject, "may be asked what is revoked, and knows nothing of a job made up");
    }
    const { sentence, remedy } = failureOf(problem, timeoutMs).answer;
    return error(subject, sentence, remedy);
  }
}

async function status(
  profile: SigningProfile,
  clients: SignerClients,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Finding> {
  const subject = profile.arn;
  try {
    const told = (await clients.profileStatus(profile, signal)) ?? "";
    switch (told) {
      case "Active":
        return ok(subject, "is active");
      case "Canceled":
        return warning(
          subject,
          "is cancelled: what it signed is verified, and it signs nothing new",
        );
      case "Revoked":
        return error(
          subject,
          "is revoked: its signatures are refused from the time of the revocation on",
          "sign with another profile, and trust that",
        );
      default:
        return warning(subject, "is in a state that is not known here");
    }
  } catch (problem) {
    switch (nameOf(problem)) {
      case "ResourceNotFoundException":
        return error(subject, "does not exist", "correct the ARN in trustedIdentities");
      case "AccessDeniedException":
        return ok(
          subject,
          "is trusted; whether it exists nobody can say without signer:GetSigningProfile, which is not needed otherwise",
        );
      default: {
        const { sentence, remedy } = failureOf(problem, timeoutMs).answer;
        return warning(subject, `could not be looked at: ${sentence}`, remedy);
      }
    }
  }
}

const nameOf = (problem: unknown): string => (problem instanceof Error ? problem.name : "");
