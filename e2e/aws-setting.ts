// What the scenarios of AWS share: a cluster whose provider asks an AWS on loopback, and images that AWS Signer signed.
import {
  createSigningAuthority,
  pushSigned,
  signerTrust,
  type SignedEnvelope,
  type SigningAuthority,
  type SignOptions,
} from "../testing/aws/envelopes.ts";
import { createEcrDouble, type EcrDouble } from "../testing/aws/ecr.ts";
import { createSigner, type Signer } from "../testing/aws/signer.ts";
import { variablesOf } from "../testing/aws/keys.ts";
import { startAws, type Aws } from "../testing/aws/wire.ts";
import type { Cluster } from "../testing/cluster/cluster.ts";
import type { ProviderSettings } from "../testing/cluster/provider.ts";
import { writeTrust } from "../testing/signing/trust.ts";
import { constraintOver, enforce, open, startE2e } from "./setting.ts";

/** Seconds that Gatekeeper keeps an answer. */
export const CACHE = 1;

export interface AwsClusterOptions {
  /** More for the provider, merged over what leads it to the AWS on loopback. */
  readonly settings?: (parts: {
    readonly cluster: Cluster;
    readonly aws: Aws;
    readonly ecr: EcrDouble;
  }) => Promise<Partial<ProviderSettings>> | Partial<ProviderSettings>;
  /** Default the answers that {@link CACHE} says. */
  readonly responseCacheTtl?: string;
}

export interface AwsCluster extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly aws: Aws;
  readonly signer: Signer;
  readonly ecr: EcrDouble;
  readonly authority: SigningAuthority;
  /** An image that nobody has asked about yet, signed by AWS Signer as the trust policy wants it. */
  push(options?: Omit<SignOptions, "subject"> & { readonly host?: string }): Promise<AwsImage>;
}

export interface AwsImage {
  /** By digest. */
  readonly image: string;
  readonly repository: string;
  readonly signed: SignedEnvelope;
}

/** Starts a cluster that trusts the profile the profile of {@link signerTrust}, strictly. */
export async function startAwsCluster(options: AwsClusterOptions = {}): Promise<AwsCluster> {
  await using parts = new AsyncDisposableStack();
  const signer = createSigner();
  const ecr = createEcrDouble();
  const aws = parts.use(await startAws({ services: [signer.service, ecr.service] }));
  const authority = await createSigningAuthority();
  const { responseCacheTtl = `${CACHE}s` } = options;
  const cluster = parts.use(await startE2e({ gatekeeper: { responseCacheTtl } }));
  writeTrust(cluster.settings.trust, signerTrust(authority));
  const settings = await options.settings?.({ cluster, aws, ecr });
  const { overrides, environment } = settings ?? {};
  await cluster.provider.restart({
    ...settings,
    overrides: {
      ...overrides,
      aws: { ...overrides?.["aws"], endpoints: aws.endpoints },
    },
    environment: {
      ...variablesOf(aws.credentials),
      ...environment,
    },
  });
  let images = 0;
  const owned = parts.move();
  return {
    cluster,
    aws,
    signer,
    ecr,
    authority,
    async push({ host = cluster.registry.host, ...how } = {}) {
      const repository = `aws/app-${(images += 1)}`;
      const place = { registry: cluster.registry, repository };
      const { subject, signed } = await pushSigned(authority, place, how);
      return { image: `${host}/${repository}@${subject.digest}`, repository, signed };
    },
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

export const LEVELS = ["strict", "permissive", "audit"] as const;

/**
 * A namespace under each level. In those that only log, a second constraint tells whoever creates a Pod which checks failed.
 * @returns its names, by level
 */
export async function guardLevels(
  cluster: Cluster,
): Promise<Readonly<Record<(typeof LEVELS)[number], string>>> {
  const names = { strict: "", permissive: "", audit: "" };
  for (const level of LEVELS) {
    const namespace = await open(cluster);
    const parameters = { rules: [{ images: ["*"], level }] };
    await enforce(cluster, constraintOver(namespace, { parameters }));
    if (level !== "strict") {
      const telling = constraintOver(namespace, {
        parameters: { ...parameters, warnings: "violate" },
        action: "warn",
      });
      await enforce(cluster, {
        ...telling,
        metadata: { ...telling.metadata, name: `${namespace}-warnings` },
      });
    }
    names[level] = namespace;
  }
  return names;
}
