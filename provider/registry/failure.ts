import { errorCode } from "../lib/error-code.ts";
import type { FailureReason } from "../verdict/reasons.ts";
import { undecided, type Undecided } from "../verdict/verdict.ts";

/** A name that has no address that we may connect to, or a literal address of that kind. */
export class ForbiddenAddressError extends Error {
  readonly code = "FORBIDDEN_ADDRESS";
  constructor() {
    super("the address is not open");
    this.name = "ForbiddenAddressError";
  }
}

/** What the codes of Node, OpenSSL and undici mean; the first row that matches. */
const CODES: readonly {
  readonly match: RegExp;
  readonly reason: FailureReason;
  readonly sentence: string;
}[] = [
  {
    match: /^FORBIDDEN_ADDRESS$/,
    reason: "REGISTRY_UNREACHABLE",
    sentence: "the registry's address is in a range that the configuration does not open",
  },
  {
    match: /^UND_ERR_RES_EXCEEDED_MAX_SIZE$/,
    reason: "REGISTRY_ERROR",
    sentence: "the registry sent more than may be read",
  },
  {
    match: /^(?:UND_ERR_HEADERS_OVERFLOW|HPE_HEADER_OVERFLOW)$/,
    reason: "REGISTRY_ERROR",
    sentence: "the registry sent more headers than may be read",
  },
  {
    match: /^(?:HTTPParserError$|HPE_|UND_ERR_INVALID_ARG$)/,
    reason: "REGISTRY_ERROR",
    sentence: "the registry did not speak HTTP",
  },
  {
    match: /^UND_ERR_(?:CONNECT|HEADERS|BODY)_TIMEOUT$|^ETIMEDOUT$/,
    reason: "REGISTRY_UNREACHABLE",
    sentence: "the registry did not answer in time",
  },
  {
    match: /^(?:ENOTFOUND|EAI_|ENODATA)/,
    reason: "REGISTRY_UNREACHABLE",
    sentence: "the registry's name has no address",
  },
  {
    match: /CERT|SIGNATURE|SSL|TLS|^EPROTO$|HOSTNAME_MISMATCH/,
    reason: "REGISTRY_UNREACHABLE",
    sentence: "the registry's TLS certificate or handshake was refused",
  },
  {
    match: /^(?:ECONNRESET|EPIPE|UND_ERR_SOCKET|UND_ERR_RES_CONTENT_LENGTH_MISMATCH)$/,
    reason: "REGISTRY_UNREACHABLE",
    sentence: "the registry closed the connection",
  },
];

/** What an error of a connection says to a user: never the error's own text, which has addresses in it. */
export function failureOf(error: unknown): Undecided {
  // undici's parser gives some of its errors no code.
  const code = errorCode(error) ?? (error instanceof Error ? error.name : "");
  const row = CODES.find(({ match }) => match.test(code));
  return row === undefined
    ? undecided("REGISTRY_UNREACHABLE", "no connection to the registry could be opened")
    : undecided(row.reason, row.sentence);
}
