import type { Duplex } from "node:stream";
import { STATUS_CODES } from "node:http";
import { encodeFailure } from "../protocol/response.ts";
import { undecided } from "../verdict/verdict.ts";

type Status = 400 | 408 | 431;

const SENTENCES: Readonly<Record<Status, string>> = {
  400: "not HTTP/1.1",
  408: "the request did not arrive in time",
  431: "the headers are too large",
};

/** Codes of Node's HTTP parser and server that are not a plain 400. */
const STATUSES: ReadonlyMap<string, Status> = new Map([
  ["ERR_HTTP_REQUEST_TIMEOUT", 408],
  ["HPE_HEADER_OVERFLOW", 431],
]);

/**
 * Answers a request that never became one: bad syntax, too many headers, too slow. Node leaves the socket to us, and
 * may do so twice for one socket.
 * @returns the HTTP status that was written; undefined when nobody could be answered
 */
export function answerClientError(error: Error, socket: Duplex): Status | undefined {
  const code = codeOf(error);
  if (!socket.writable || code === "ECONNRESET") {
    socket.destroy();
    return undefined;
  }
  const status = STATUSES.get(code) ?? 400;
  const body = encodeFailure(undecided("BAD_REQUEST", SENTENCES[status]));
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      "Content-Type: application/json",
      `Content-Length: ${Buffer.byteLength(body)}`,
      "Connection: close",
      "",
      body,
    ].join("\r\n"),
    () => socket.destroy(),
  );
  return status;
}

/** Node's code of an error, or nothing. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "";
