import { type LookupAddress, lookup as systemLookup } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { setImmediate } from "node:timers/promises";
import { rootCertificates } from "node:tls";
import { Client, Pool, type Dispatcher } from "undici";
import { errorCode } from "../lib/error-code.ts";
import { undecided, type Undecided } from "../verdict/verdict.ts";
import type { IsOpenAddress } from "./address.ts";
import { failureOf, ForbiddenAddressError } from "./failure.ts";

/** Bytes of any body at most; what a request asks for may be less. */
export const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** Bytes kept of a body that only explains a status other than 200. */
const MAX_EXPLANATION_BYTES = 16 * 1024;

const MAX_HEADER_BYTES = 16 * 1024;

/** Milliseconds until a connection, with its TLS handshake, must stand. */
const CONNECT_MS = 1000;

/** Idle connections are kept for the next burst; a registry that says less is heard. Milliseconds. */
const KEEP_ALIVE_MS = 60_000;

export interface HttpOptions {
  /** Origin that `ca` alone is trusted for; elsewhere it stands beside the public authorities. */
  readonly endpoint: URL;
  /** PEM. */
  readonly ca?: string;
  readonly connections: number;
  /** Milliseconds for one exchange, from the first byte sent to the last byte read. */
  readonly requestTimeoutMs: number;
  readonly isOpenAddress: IsOpenAddress;
  /** How names become addresses; the system's way unless given. */
  readonly resolve?: Resolve;
}

/** All addresses of a name. @see node:dns `lookup` with `all` */
export type Resolve = (
  hostname: string,
  options: { readonly all: true; readonly family: number },
  callback: (error: Error | null, addresses: readonly LookupAddress[]) => void,
) => void;

interface HttpRequest {
  /** The caller has checked the host against the configuration; the address is checked here. */
  readonly url: URL;
  readonly accept?: string;
  /** Only for the host that it was made for. */
  readonly authorization?: string | undefined;
  /** Bytes of a body of status 200 at most; {@link MAX_BODY_BYTES} is the most that can be asked for. */
  readonly limit: number;
  readonly signal: AbortSignal;
}

/** A reply that was read to its end, of any status. */
export interface Reply {
  readonly status: number;
  /** Value of a header, several lines joined by `, `. @param name lower case */
  header(name: string): string | undefined;
  /** Whole for status 200; otherwise its first 16 KiB. */
  readonly body: Uint8Array;
}

/** Speaks HTTP for one registry: its endpoint, and the hosts that it may send us to. */
export interface Http {
  /**
   * GETs what is there, without following redirects or expanding anything.
   * @returns the reply, or undecided `REGISTRY_UNREACHABLE` (no connection, no answer in time) or `REGISTRY_ERROR`
   *   (more than was asked for, encoded, not HTTP); rejects with the signal's reason
   */
  get(request: HttpRequest): Promise<Reply | Undecided>;
  /** Ends every connection; what is under way ends as unreachable. */
  close(): Promise<void>;
}

export function createHttp(options: HttpOptions): Http {
  const { endpoint, connections, requestTimeoutMs, isOpenAddress } = options;
  // One for each origin that the configuration names, so there are few.
  const pools = new Map<string, { readonly pool: Pool; hasAnswered: boolean }>();
  const lookup = createLookup(options.resolve ?? systemLookup, isOpenAddress);

  const settingsOf = (origin: string): Client.Options => ({
    // HTTP/2 would share one connection among all slots, and a slow body would hold up the others.
    allowH2: false,
    pipelining: 1,
    headersTimeout: requestTimeoutMs,
    bodyTimeout: requestTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    maxResponseSize: MAX_BODY_BYTES,
    connect: {
      timeout: Math.min(CONNECT_MS, requestTimeoutMs),
      lookup,
      minVersion: "TLSv1.2",
      // Not left to NODE_TLS_REJECT_UNAUTHORIZED.
      rejectUnauthorized: true,
      ...authoritiesFor(origin),
    },
  });

  const authoritiesFor = (origin: string): { ca?: string[] } => {
    if (options.ca === undefined) return {};
    return { ca: origin === endpoint.origin ? [options.ca] : [...rootCertificates, options.ca] };
  };

  const poolOf = (origin: string) => {
    const known = pools.get(origin);
    if (known !== undefined) return known;
    const made = {
      pool: new Pool(origin, { ...settingsOf(origin), connections }),
      hasAnswered: false,
    };
    pools.set(origin, made);
    return made;
  };

  /** A kept connection may have been closed by the server while our request was on its way; one that is new cannot. */
  const exchange = async (
    request: HttpRequest,
    signal: AbortSignal,
  ): Promise<Reply | Undecided> => {
    const state = poolOf(request.url.origin);
    const couldBeStale = state.hasAnswered;
    try {
      const reply = await receive(state.pool, request, signal);
      state.hasAnswered = true;
      return reply;
    } catch (error) {
      if (!couldBeStale || !isClosedConnection(error)) throw error;
    }
    const fresh = new Client(request.url.origin, settingsOf(request.url.origin));
    try {
      return await receive(fresh, request, signal);
    } finally {
      await fresh.destroy();
    }
  };

  return {
    async get(request) {
      request.signal.throwIfAborted();
      if (!isOpenHost(request.url, isOpenAddress)) return failureOf(new ForbiddenAddressError());
      // undici's own time-outs are coarse and start anew with every chunk; this one is neither.
      const ending = new AbortController();
      const timer = setTimeout(() => ending.abort(), requestTimeoutMs);
      const abort = (): void => ending.abort();
      request.signal.addEventListener("abort", abort, { once: true });
      try {
        return await exchange(request, ending.signal);
      } catch (error) {
        request.signal.throwIfAborted();
        return ending.signal.aborted
          ? undecided("REGISTRY_UNREACHABLE", "the registry did not answer in time")
          : failureOf(error);
      } finally {
        clearTimeout(timer);
        request.signal.removeEventListener("abort", abort);
      }
    },
    async close() {
      const open = [...pools.values()];
      pools.clear();
      await Promise.all(open.map(({ pool }) => pool.destroy()));
    },
  };
}

/** One exchange on a connection of the dispatcher. Throws what undici throws. */
async function receive(
  dispatcher: Dispatcher,
  { url, accept, authorization, limit }: HttpRequest,
  signal: AbortSignal,
): Promise<Reply | Undecided> {
  const { statusCode, headers, body } = await dispatcher.request({
    method: "GET",
    path: `${url.pathname}${url.search}`,
    headers: {
      "user-agent": "notation-gatekeeper-provider",
      "accept-encoding": "identity",
      accept: accept ?? "*/*",
      ...(authorization !== undefined && { authorization }),
    },
    signal,
  });
  // A body that is destroyed says so by an event that would otherwise end the process.
  body.on("error", () => {});
  const header = (name: string): string | undefined => {
    const value = headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  };
  const refuse = (sentence: string): Undecided => {
    body.destroy();
    return undecided("REGISTRY_ERROR", sentence);
  };
  if (header("content-encoding") !== undefined) {
    return refuse("the registry sent an encoded body, which was not asked for");
  }
  const isWhole = statusCode === 200;
  const room = isWhole ? Math.min(limit, MAX_BODY_BYTES) : MAX_EXPLANATION_BYTES;
  const tooLarge = `the registry sent more than ${room} bytes`;
  if (isWhole && Number(header("content-length") ?? 0) > room) return refuse(tooLarge);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError("a body without an encoding comes as buffers");
    size += chunk.length;
    if (size <= room) {
      chunks.push(chunk);
      continue;
    }
    if (isWhole) return refuse(tooLarge);
    chunks.push(chunk.subarray(0, chunk.length - (size - room)));
    body.destroy();
    break;
  }
  // undici takes the connection back after this turn; a request before would open another one.
  await setImmediate();
  return { status: statusCode, header, body: Buffer.concat(chunks) };
}

/** Leaves only addresses that may be connected to, each time a connection is opened: a name may change its mind. */
function createLookup(resolve: Resolve, isOpenAddress: IsOpenAddress): LookupFunction {
  return (hostname, options, callback) => {
    const family = options.family === "IPv4" ? 4 : options.family === "IPv6" ? 6 : options.family;
    resolve(hostname, { all: true, family: family ?? 0 }, (error, addresses) => {
      if (error !== null) return callback(error, "");
      const open = addresses.filter(({ address }) => isOpenAddress(address));
      const [first] = open;
      if (first === undefined) return callback(new ForbiddenAddressError(), "");
      return options.all ? callback(null, open) : callback(null, first.address, first.family);
    });
  };
}

/** Nobody looks up a literal address, so it is checked here. The URL parser has made one spelling of `0x7f.1` and the like. */
function isOpenHost({ hostname }: URL, isOpenAddress: IsOpenAddress): boolean {
  const address = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
  return isIP(address) === 0 || isOpenAddress(address);
}

const CLOSED_CODES: ReadonlySet<string | undefined> = new Set([
  "UND_ERR_SOCKET",
  "ECONNRESET",
  "EPIPE",
]);

const isClosedConnection = (error: unknown): boolean => CLOSED_CODES.has(errorCode(error));
