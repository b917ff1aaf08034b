import { X509Certificate } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pushSamples } from "../demo/images.ts";
import { createNotationHome, type NotationHome } from "../demo/notation.ts";
import { createProviderAuthority, type Authority } from "../gatekeeper/certificates.ts";
import { createMount, type Mount } from "../gatekeeper/mount.ts";
import { startOlareg, type Olareg } from "../registry/olareg.ts";
import { statement, writeTrust } from "../signing/trust.ts";
import type { Lifetime } from "./lifetime.ts";
import { startClusterProvider, type ClusterProvider, type ProviderSettings } from "./provider.ts";

/** Images that lie in the registry, `127.0.0.1:<port>/team/<name>:v1`. */
export interface Samples {
  readonly signed: string;
  readonly unsigned: string;
  /** Signed by a key that the trust policy does not know. */
  readonly stranger: string;
  /** The signature has an expiry, which has passed. */
  readonly expired: string;
  /** The signature was made for another image. */
  readonly tampered: string;
}

/** Where images come from, and who vouches for them. */
export interface Supply {
  readonly registry: Olareg;
  readonly samples: Samples;
  /** The real Notation, with {@link keys}. */
  readonly notation: NotationHome;
  /** Names of its keys; the trust policy knows the first. */
  readonly keys: { readonly trusted: string; readonly stranger: string };
  /** The self-signed certificate of the trusted key, DER, as `writeTrust` takes it. */
  readonly certificate: Buffer;
  /** What the provider was started with. */
  readonly settings: ProviderSettings;
  readonly provider: ClusterProvider;
  /** Where the provider finds the authority of its callers, as `ca.crt`. */
  readonly clientCa: Mount;
}

const KEYS = { trusted: "trusted.example", stranger: "stranger.example" } as const;

/** Starts the registry, puts the samples into it, and starts the provider, which trusts one of the two keys, strictly. */
export async function startSupply(
  { state, logs, parts, adopt, step }: Lifetime,
  callers: Authority,
  overrides: ProviderSettings["overrides"],
): Promise<Supply> {
  const registry = parts.use(await startOlareg({ tls: true }));
  adopt(registry.pid);
  const notation = await createNotationHome(join(state, "notation"), registry.ca ?? "");
  const certificate = new X509Certificate(await notation.generateKey(KEYS.trusted)).raw;
  await notation.generateKey(KEYS.stranger);
  const pushed = await pushSamples({ registry, notation, keys: KEYS, step: () => undefined });
  step("the registry has images, and some have signatures");

  const trust = join(state, "trust");
  writeTrust(trust, {
    statements: [statement({ trustStores: ["ca:example"] })],
    stores: { "ca:example": [certificate] },
  });
  const ca = join(state, "registry-ca.crt");
  await writeFile(ca, registry.ca ?? "");
  const settings: ProviderSettings = {
    trust,
    registries: [{ host: registry.host, ca, allowedAddresses: ["127.0.0.0/8"] }],
    ...(overrides !== undefined && { overrides }),
  };
  const clientCa = parts.use(await createMount({ "ca.crt": callers.ca }));
  const provider = await startClusterProvider({
    directory: join(state, "provider"),
    logs,
    settings,
    authority: await createProviderAuthority(),
    clientCa,
    onStart: adopt,
  });
  parts.use(provider);
  step("the provider is ready");
  const samples = Object.fromEntries(
    pushed.map(({ image }) => [/\/team\/(\w+):/.exec(image)?.[1], image]),
  ) as unknown as Samples;
  return { registry, samples, notation, keys: KEYS, certificate, settings, provider, clientCa };
}
