/**
 * A provider with AWS around it, for tests: Amazon ECR before a real registry, AWS Signer, STS and the agent of Pod Identity on loopback,
 * and images that AWS Signer signed.
 *
 *   const { push, start } = await setUpAws(t, { hosts: [WEST, OTHER] });
 *   const provider = await start({ environment });
 *   await provider.caller().ask([await push(), await push({ host: OTHER, isSigned: false })]);
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { startProvider, type ProviderOptions, type RunningProvider } from "../provider/start.ts";
import { startOlareg } from "../registry/olareg.ts";
import { pushImage } from "../registry/push.ts";
import { writeTrust } from "../signing/trust.ts";
import { startEcrRegistry, WEST, type EcrRegistry } from "./ecr-registry.ts";
import { createEcrDouble, type EcrDouble } from "./ecr.ts";
import { createSigningAuthority, pushSigned, signerTrust } from "./envelopes.ts";
import { createPodIdentity, type PodIdentity } from "./pod-identity.ts";
import { createSigner, type Signer } from "./signer.ts";
import { createSts, type Sts } from "./sts.ts";
import { startAws, type Aws } from "./wire.ts";

export interface AwsSetting {
  /** Of the test's own. */
  readonly directory: string;
  readonly aws: Aws;
  readonly ecr: EcrDouble;
  readonly signer: Signer;
  readonly sts: Sts;
  readonly agent: PodIdentity;
  /** One for each host. */
  readonly registries: readonly EcrRegistry[];
  /** A new image in all registries, signed unless told otherwise. @returns its name by digest */
  readonly push: (options?: {
    readonly host?: string;
    readonly isSigned?: boolean;
  }) => Promise<string>;
  /** Starts a provider that may ask all registries, with the accounts of their hosts, and trusts whoever signed the images. */
  readonly start: (
    options: Pick<ProviderOptions, "overrides" | "environment" | "preload">,
  ) => Promise<RunningProvider>;
}

/** Ends everything with the test. @param options hosts as images name the registries; default {@link WEST} alone */
export async function setUpAws(
  t: TestContext,
  { hosts = [WEST] }: { readonly hosts?: readonly string[] } = {},
): Promise<AwsSetting> {
  const directory = await mkdtemp(join(tmpdir(), "aws-setting-"));
  t.after(async () => await rm(directory, { recursive: true, force: true }));
  const parts = new AsyncDisposableStack();
  t.after(async () => await parts.disposeAsync());
  const [ecr, signer, sts] = [createEcrDouble(), createSigner(), createSts()];
  const agent = createPodIdentity();
  const services = [ecr, signer, sts, agent].map(({ service }) => service);
  const aws = parts.use(await startAws({ services }));
  const upstream = parts.use(await startOlareg());
  const registries: EcrRegistry[] = [];
  for (const host of hosts) {
    registries.push(parts.use(await startEcrRegistry({ ecr, upstream, host })));
  }
  const authority = await createSigningAuthority();
  const trust = join(directory, "trust");
  writeTrust(trust, signerTrust(authority));

  let images = 0;
  return {
    directory,
    aws,
    ecr,
    signer,
    sts,
    agent,
    registries,
    async push({ host = WEST, isSigned = true } = {}) {
      const place = { registry: upstream, repository: `team/app-${(images += 1)}` };
      const { digest } = isSigned
        ? (await pushSigned(authority, place)).subject
        : await pushImage({ ...place, tag: "v1" });
      return `${host}/${place.repository}@${digest}`;
    },
    async start({ overrides, ...options }) {
      const provider = await startProvider({
        trust,
        registries: registries.map(({ entry }) => entry),
        overrides: {
          // A plugin that is a program of its own takes its time on a busy machine.
          server: { drainDelay: "0ms", deadline: "25s" },
          verification: { deadline: "30s" },
          ...overrides,
          aws: {
            accounts: hosts.map((host) => host.slice(0, host.indexOf("."))),
            endpoints: aws.endpoints,
            ...overrides?.["aws"],
          },
        },
        ...options,
      });
      return parts.use(provider);
    },
  };
}
