import type { SignerClient } from "@aws-sdk/client-signer";
import QuickLRU from "quick-lru";
import type { SigningProfile } from "./arn.ts";
import type { GetRevocationStatus } from "./ask.ts";
import { isExpired } from "./failure.ts";
import { PLATFORM } from "./question.ts";

/** Credentials of AWS as its SDK has them. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

export interface SignerClientOptions {
  /** Asked before each call, so it remembers them; the SDK's own chain if it is absent. */
  readonly credentials?: () => Promise<AwsCredentials>;
  /**
   * Replaces credentials that AWS no longer takes.
   * @returns whether there are others now
   */
  readonly replaceCredentials?: (refused: AwsCredentials, signal: AbortSignal) => Promise<boolean>;
  /** Profile of the SDK's own chain. */
  readonly profile?: string;
  /** Asked in place of the region of a signature's profile. */
  readonly region?: string;
  /**
   * `https://host` in place of AWS's own in a region; nothing is put before its host. From static configuration alone: whoever is
   * there says what is revoked.
   */
  readonly endpoint?: (region: string) => string | undefined;
  readonly useFips?: boolean;
  readonly useDualStack?: boolean;
  /** Roots for an endpoint of one's own, PEM; the public ones are then not trusted. */
  readonly ca?: string;
  /** Milliseconds to connect. */
  readonly connectMs: number;
}

/** AWS Signer in each region, over kept connections. */
export interface SignerClients extends Disposable {
  /** One attempt: one request, and a second one where the credentials had to be replaced. */
  readonly call: GetRevocationStatus;
  /**
   * What Signer says of a profile: `Active`, `Canceled` or `Revoked`. Needs a permission of its own, and the owner's.
   * @throws what the SDK throws
   */
  profileStatus(profile: SigningProfile, signal: AbortSignal): Promise<string | undefined>;
}

/** Regions with connections; a cluster signs in a few. */
const MAX_CLIENTS = 8;

/** Connections to one region; more questions than these are never asked at once. */
const MAX_SOCKETS = 64;

/** The SDK would write its warnings to the console. */
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/** Nothing is loaded and nobody is called before the first question. */
export function createSignerClients(options: SignerClientOptions): SignerClients {
  const clients = new QuickLRU<string, Promise<SignerClient>>({
    maxSize: MAX_CLIENTS,
    onEviction: (_, client) => void client.then((made) => made.destroy()),
  });

  function clientOf(region: string): Promise<SignerClient> {
    const known = clients.get(region);
    if (known !== undefined) return known;
    const made = createClient(region, options);
    clients.set(region, made);
    return made;
  }

  return {
    call: async (question, abortSignal) => {
      // 45 ms at the first use; who verifies nothing of AWS Signer never pays them.
      const { GetRevocationStatusCommand } = await import("@aws-sdk/client-signer");
      const client = await clientOf(options.region ?? question.region);
      const send = async (): Promise<readonly string[] | undefined> => {
        const command = new GetRevocationStatusCommand({
          signatureTimestamp: new Date(question.signatureTimestamp),
          platformId: PLATFORM,
          profileVersionArn: question.profileVersionArn,
          jobArn: question.jobArn,
          certificateHashes: [...question.certificateHashes],
        });
        const { revokedEntities } = await client.send(command, { abortSignal });
        return textsOf(revokedEntities);
      };
      // Asked for before they are used, so that they are the ones that are refused, or older ones.
      const used = await options.credentials?.();
      try {
        return await send();
      } catch (error) {
        if (used === undefined || !isExpired(error)) throw error;
        const hasOthers = await options.replaceCredentials?.(used, abortSignal);
        if (hasOthers !== true) throw error;
        return await send();
      }
    },
    async profileStatus({ region, account, name }, abortSignal) {
      const { GetSigningProfileCommand } = await import("@aws-sdk/client-signer");
      const client = await clientOf(options.region ?? region);
      const command = new GetSigningProfileCommand({ profileName: name, profileOwner: account });
      return (await client.send(command, { abortSignal })).status;
    },
    [Symbol.dispose]() {
      for (const client of clients.values()) void client.then((made) => made.destroy());
      clients.clear();
    },
  };
}

async function createClient(region: string, options: SignerClientOptions): Promise<SignerClient> {
  const { credentials, profile, ca, connectMs } = options;
  const endpoint = options.endpoint?.(region);
  const { useFips = false, useDualStack = false } = options;
  const { SignerClient } = await import("@aws-sdk/client-signer");
  return new SignerClient({
    region,
    logger: SILENT,
    // Retries are ours, who know the deadline.
    maxAttempts: 1,
    // The time of a whole call is the signal's.
    requestHandler: {
      connectionTimeout: connectMs,
      // Agents of its own know no proxy of the environment, and this is not left to NODE_TLS_REJECT_UNAUTHORIZED.
      httpsAgent: {
        keepAlive: true,
        maxSockets: MAX_SOCKETS,
        minVersion: "TLSv1.2",
        rejectUnauthorized: true,
        ...(ca !== undefined && { ca }),
      },
    },
    useFipsEndpoint: useFips,
    useDualstackEndpoint: useDualStack,
    // The SDK would put `data-` before the host.
    ...(endpoint !== undefined && { endpoint, disableHostPrefix: true }),
    ...(profile !== undefined && { profile }),
    ...(credentials !== undefined && { credentials: always(credentials) }),
  });
}

/** The SDK hands on what it was sent, whatever its types say. An answer without the list, or with another, is no answer. */
const textsOf = (list: unknown): readonly string[] | undefined =>
  Array.isArray(list) && list.every((entry) => typeof entry === "string") ? list : undefined;

/** The SDK would keep credentials that do not say when they expire for ever, unless whoever gives them remembers them himself. */
const always = (credentials: () => Promise<AwsCredentials>): (() => Promise<AwsCredentials>) =>
  Object.assign(async () => await credentials(), { memoized: true });
