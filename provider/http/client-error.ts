import type { Duplex } from "node:stream";
import { STATUS_CODES } from "node:http";
import { errorCode } from "../lib/error-code.ts";
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

/** Milliseconds for which the rest of a refused request is read and dropped: closing earlier would reset the answer. */
const LINGER_MS = 500;

/** Sockets that were answered: Node hands a socket over again when more of the same request arrives. */
const answered = new WeakSet<Duplex>();

/**
 * Answers a request that never became one: bad syntax, too many headers, too slow. Node leaves the socket to us.
 * @returns the HTTP status that was written; undefined when there was nobody to answer
 */
export function answerClientError(error: Error, socket: Duplex): Status | undefined {
  if (answered.has(socket)) return undefined;
  const code = errorCode(error) ?? "";
  if (!socket.writable || code === "ECONNRESET") {
    socket.destroy();
    return undefined;
  }
  answered.add(socket);
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
  );
  const linger = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once("end", () => socket.destroy());
  socket.once("close", () => {
    clearTimeout(linger);
  });
  socket.resume();
  return status;
}
