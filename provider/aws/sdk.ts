import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";

/** Milliseconds until a connection must stand, and between two bytes of an exchange. */
const CONNECT_MS = 1000;

/** Connections of all clients together. */
const MAX_SOCKETS = 16;

/** The SDK would write its warnings to the console. */
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

export interface SdkOptions {
  /** Milliseconds that one attempt may take. */
  readonly requestTimeoutMs: number;
  /** Roots for endpoints of one's own, PEM; the public ones are then not trusted. */
  readonly ca?: string;
}

/** What every client of the SDK gets. */
export interface SdkSettings {
  readonly logger: typeof SILENT;
  readonly maxAttempts: number;
  readonly requestHandler: {
    readonly httpAgent: HttpAgent;
    readonly httpsAgent: HttpsAgent;
    readonly connectionTimeout: number;
    readonly requestTimeout: number;
    readonly socketTimeout: number;
    readonly throwOnRequestTimeout: boolean;
  };
}

/** Bounds of all calls to AWS, and the connections that they share. Agents of their own know no proxy of the environment. */
export function createSdk({ requestTimeoutMs, ca }: SdkOptions): Disposable & {
  readonly settings: SdkSettings;
} {
  const httpAgent = new HttpAgent({ keepAlive: true, maxSockets: MAX_SOCKETS });
  const httpsAgent = new HttpsAgent({
    keepAlive: true,
    maxSockets: MAX_SOCKETS,
    minVersion: "TLSv1.2",
    // Not left to NODE_TLS_REJECT_UNAUTHORIZED.
    rejectUnauthorized: true,
    ...(ca !== undefined && { ca }),
  });
  return {
    settings: {
      logger: SILENT,
      // Attempts are ours, who know the deadline.
      maxAttempts: 1,
      requestHandler: {
        httpAgent,
        httpsAgent,
        connectionTimeout: Math.min(CONNECT_MS, requestTimeoutMs),
        requestTimeout: requestTimeoutMs,
        socketTimeout: requestTimeoutMs,
        // Without it the SDK warns and waits on.
        throwOnRequestTimeout: true,
      },
    },
    [Symbol.dispose]() {
      httpAgent.destroy();
      httpsAgent.destroy();
    },
  };
}
