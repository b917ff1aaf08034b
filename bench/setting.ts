import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAuthority, type SigningIdentity } from "../testing/signing/authority.ts";
import { startOlareg, type Olareg } from "../testing/registry/olareg.ts";
import { statement, writeTrust } from "../testing/signing/trust.ts";
import {
  startProvider,
  type ProviderOptions,
  type RunningProvider,
} from "../testing/provider/start.ts";

/** What every measurement stands on: a registry, a signer, and a trust policy that trusts it. */
export interface Setting extends AsyncDisposable {
  readonly registry: Olareg;
  /** P-384, as AWS Signer's are: the dearest that is usual. */
  readonly signer: SigningIdentity;
  /** A trust directory. */
  readonly trust: string;
  /** A provider with this setting's registry and trust. @param registry in place of it: one that is slow */
  provider(options?: {
    readonly registry?: { readonly host: string; readonly ca?: string };
    readonly overrides?: ProviderOptions["overrides"];
    readonly notation?: string;
    readonly authorities?: ProviderOptions["authorities"];
  }): Promise<RunningProvider>;
}

export async function createSetting(): Promise<Setting> {
  const directory = await mkdtemp(join(tmpdir(), "bench-"));
  const authority = await createAuthority({ name: "bench", keyType: "P-384" });
  const signer = await authority.issue({ commonName: "bench" });
  const registry = await startOlareg();
  const trust = join(directory, "trust");
  writeTrust(trust, { statements: [statement()], stores: { "ca:example": [authority.root] } });
  return {
    registry,
    signer,
    trust,
    async provider(options = {}) {
      const { host } = options.registry ?? registry;
      return await startProvider({
        trust,
        readsLog: false,
        registries: [{ host, plainHttp: true, allowedAddresses: ["127.0.0.0/8"] }],
        overrides: {
          ...options.overrides,
          server: { drainDelay: "0ms", ...options.overrides?.["server"] },
        },
        ...(options.notation !== undefined && { notation: options.notation }),
        ...(options.authorities !== undefined && { authorities: options.authorities }),
      });
    },
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
