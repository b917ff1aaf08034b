import { randomUUID } from "node:crypto";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEcrDouble, type EcrDouble } from "../testing/aws/ecr.ts";
import { startEcrRegistry, type EcrRegistry } from "../testing/aws/ecr-registry.ts";
import { createSigningAuthority, jobArn, profileArn } from "../testing/aws/envelopes.ts";
import { createSigner } from "../testing/aws/signer.ts";
import { createSts } from "../testing/aws/sts.ts";
import { pass, type AwsAnswer } from "../testing/aws/answers.ts";
import { variablesOf } from "../testing/aws/keys.ts";
import { startAws, type Aws } from "../testing/aws/wire.ts";
import {
  startProvider,
  type ProviderOptions,
  type RunningProvider,
} from "../testing/provider/start.ts";
import { slow, type Answer } from "../testing/registry/answers.ts";
import { startMade, type Made } from "../testing/registry/made.ts";
import { createAuthority } from "../testing/signing/authority.ts";
import { jws } from "../testing/signing/envelope.ts";
import { statement, writeTrust, type TrustStatement } from "../testing/signing/trust.ts";

/** How an image is signed: by AWS Signer, by a job of its that is revoked, by ourselves, by nobody whom we trust, not at all. */
export type Kind = "aws" | "revoked" | "x509" | "stranger" | "unsigned";

export interface AwsSettingOptions {
  readonly kindOf: (index: number) => Kind;
  /** Milliseconds to Amazon ECR, and to AWS Signer. Default none. */
  readonly distanceMs?: { readonly registry: number; readonly signer: number };
  /** Asked at every request to the registry behind ECR: what it answers instead; undefined is its own answer. */
  readonly registryFault?: () => Answer | undefined;
  /** The same of AWS Signer. */
  readonly signerFault?: () => AwsAnswer | undefined;
  /** Of the keys that sign `x509` and `stranger`. Default P-384, as AWS Signer's are. */
  readonly keyType?: "P-256" | "P-384";
  /** Milliseconds since the epoch: the clock on which ECR's tokens and temporary credentials end. Default the machine's. */
  readonly lifeNow?: () => number;
  /** The provider is a role that it assumes by a token in a file, for so many milliseconds each time. Default a user, whose keys do not end. */
  readonly roleLifeMs?: number;
}

/** AWS and an Amazon ECR of as many images as one likes, and a trust policy for them. */
export interface AwsSetting extends AsyncDisposable {
  readonly aws: Aws;
  readonly ecr: EcrDouble;
  readonly registry: EcrRegistry;
  readonly made: Made;
  /** A trust directory. */
  readonly trust: string;
  /** `registry/repository@digest` of an image. */
  readonly key: (index: number) => string;
  /** The same image as `registry/repository:v1`. */
  readonly tag: (index: number) => string;
  /** Writes the trust policy anew. @param more statements beside the one for all images */
  writePolicy(more: readonly TrustStatement[]): void;
  /** Writes another token of the web identity, and AWS takes no other from then on. */
  rotateWebIdentity(): Promise<void>;
  provider(
    options?: Pick<ProviderOptions, "overrides" | "entry" | "authorities">,
  ): Promise<RunningProvider>;
}

/** Of each image a job that does not change, so that questions about it are equal. */
const jobOf = (index: number): string =>
  jobArn({}, `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`);

export async function createAwsSetting(options: AwsSettingOptions): Promise<AwsSetting> {
  const { kindOf, keyType = "P-384", distanceMs, registryFault, signerFault } = options;
  const { lifeNow = Date.now, roleLifeMs } = options;
  await using parts = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "bench-aws-"));
  parts.defer(async () => await rm(directory, { recursive: true, force: true }));

  const authority = await createSigningAuthority();
  const own = await createAuthority({ name: "bench", keyType });
  const signer = await own.issue({ commonName: "bench" });
  const stranger = await (
    await createAuthority({ name: "stranger", keyType })
  ).issue({ commonName: "stranger" });

  const revocations = createSigner();
  const made = parts.use(
    await startMade({
      envelope(subject, index) {
        switch (kindOf(index)) {
          case "aws":
            return authority.sign({ subject, job: jobOf(index) }).bytes;
          case "revoked":
            revocations.revokeJob(jobOf(index));
            return authority.sign({ subject, job: jobOf(index) }).bytes;
          case "x509":
            return jws({ signer, subject });
          case "stranger":
            return jws({ signer: stranger, subject });
          case "unsigned":
            return undefined;
        }
      },
      ...(registryFault !== undefined && { fault: registryFault }),
    }),
  );

  const ecr = createEcrDouble({ now: lifeNow });
  const sts = createSts(roleLifeMs === undefined ? {} : { lifeMs: roleLifeMs });
  const services = [ecr.service, revocations.service, sts.service];
  const aws = parts.use(await startAws({ services, lifeNow }));
  const tokenFile = join(directory, "token");
  const rotateWebIdentity = async (): Promise<void> => {
    const token = randomUUID();
    // As the kubelet does it: never half a token.
    await writeFile(`${tokenFile}.new`, token);
    await rename(`${tokenFile}.new`, tokenFile);
    sts.state.webIdentity = token;
  };
  await rotateWebIdentity();
  const identity =
    roleLifeMs === undefined
      ? variablesOf(aws.credentials)
      : {
          AWS_ROLE_ARN: "arn:aws:iam::111122223333:role/provider",
          AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
        };
  const far: AwsAnswer =
    distanceMs === undefined
      ? pass()
      : async (exchange) => {
          await slow(distanceMs.signer, () => pass()(exchange))(exchange);
        };
  aws.on("GetRevocationStatus", (exchange) => (signerFault?.() ?? far)(exchange));
  const registry = parts.use(
    await startEcrRegistry({
      ecr,
      upstream: made,
      ...(distanceMs !== undefined && { distanceMs: distanceMs.registry }),
    }),
  );

  const trust = join(directory, "trust");
  const writePolicy = (more: readonly TrustStatement[]): void =>
    writeTrust(trust, {
      statements: [
        statement({
          trustStores: ["ca:example", "signingAuthority:aws"],
          trustedIdentities: [profileArn(), "x509.subject: C=US, ST=WA, O=Example"],
        }),
        ...more,
      ],
      stores: { "ca:example": [own.root], "signingAuthority:aws": [authority.root] },
    });
  writePolicy([]);

  const owned = parts.move();
  return {
    aws,
    ecr,
    registry,
    made,
    trust,
    key(index) {
      const { repository, digest } = made.image(index);
      return `${registry.ecrHost}/${repository}@${digest}`;
    },
    tag: (index) => `${registry.ecrHost}/${made.image(index).repository}:v1`,
    writePolicy,
    rotateWebIdentity,
    async provider({ overrides, entry, authorities } = {}) {
      return await startProvider({
        trust,
        readsLog: false,
        ...(entry !== undefined && { entry }),
        ...(authorities !== undefined && { authorities }),
        registries: [registry.entry],
        overrides: {
          ...overrides,
          server: { drainDelay: "0ms", ...overrides?.["server"] },
          aws: {
            accounts: ["111122223333"],
            endpoints: aws.endpoints,
          },
        },
        environment: {
          ...identity,
          AWS_EC2_METADATA_DISABLED: "true",
        },
      });
    },
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}
