import { createSigningAuthority, profileArn, pushSigned } from "../aws/envelopes.ts";
import { createSigner } from "../aws/signer.ts";
import { startAws, type Aws } from "../aws/wire.ts";
import type { Olareg } from "../registry/olareg.ts";
import type { Sample } from "./images.ts";

/** AWS on loopback, and two images that its Signer signed, one of them with a job that is revoked. */
export interface AwsSamples extends AsyncDisposable {
  readonly aws: Aws;
  readonly samples: readonly Sample[];
  /** Of the authority, DER. */
  readonly root: Buffer;
  readonly profile: string;
  /** `registry/repository` of the two. */
  readonly repositories: readonly string[];
}

/** AWS cannot sign for a registry on loopback, so an authority that stands for its own signs as it does. */
export async function pushAwsSamples(
  registry: Olareg,
  step: (text: string) => void,
): Promise<AwsSamples> {
  const signer = createSigner();
  const aws = await startAws({ services: [signer.service] });
  const authority = await createSigningAuthority();
  const push = async (repository: string): Promise<string> => {
    step(`push ${repository}:v1, signed as AWS Signer signs`);
    return (await pushSigned(authority, { registry, repository })).signed.job;
  };
  await push("aws/signed");
  const job = await push("aws/revoked");
  step("revoke the job that signed aws/revoked:v1");
  signer.revokeJob(job);
  const repositories = ["aws/signed", "aws/revoked"].map((name) => `${registry.host}/${name}`);
  const stories = ["signed by AWS Signer", "its signing job revoked"];
  return {
    aws,
    root: authority.root,
    profile: profileArn(),
    repositories,
    samples: repositories.map((name, index) => ({
      image: `${name}:v1`,
      story: stories[index] ?? "",
    })),
    [Symbol.asyncDispose]: async () => await aws[Symbol.asyncDispose](),
  };
}
