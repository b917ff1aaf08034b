import type { IncomingMessage } from "node:http";

/** Bounds of a request's body. */
export interface BodyLimits {
  readonly bodyBytes: number;
  /** From the first look at the body to its last byte, at most. */
  readonly bodyTimeoutMs: number;
}

/** Why there is no body. */
export interface NoBody {
  readonly kind: "none";
  /** HTTP status; undefined when the caller has gone and nobody is left to answer. */
  readonly status: 400 | 408 | 413 | undefined;
  readonly sentence: string;
}

const none = (status: NoBody["status"], sentence: string): NoBody => ({
  kind: "none",
  status,
  sentence,
});

/**
 * How much of a body that is too large is read and thrown away, in multiples of the limit: a caller that is still
 * writing when the connection closes would see a reset and not the answer.
 */
const DISCARD = 8;

/** Reads the body of a request, counted as it arrives. Never rejects. */
export type ReadBody = (request: IncomingMessage) => Promise<Buffer | NoBody>;

/** Parts of the time-out: a body may get so much less of it. */
const GRAIN = 1 / 8;

/**
 * A transfer encoding is refused: Gatekeeper always sends a Content-Length, and every way of smuggling a second
 * request needs two readers that disagree about chunks.
 * @param now monotonic milliseconds
 */
export function createReadBody(
  { bodyBytes, bodyTimeoutMs }: BodyLimits,
  now: () => number,
): ReadBody {
  const noLength = none(400, "a body needs a Content-Length and no Transfer-Encoding");
  const tooLarge = none(413, `the body has more than ${bodyBytes} bytes`);
  const tooLate = none(408, "the body did not arrive in time");
  const gone = none(undefined, "the caller has gone");

  // One timer looks at all bodies that are being read: nearly every one is there before a timer of its own was made.
  const reading = new Set<{ readonly since: number; readonly giveUp: () => void }>();
  let timer: NodeJS.Timeout | undefined;
  const watch = (): void => {
    // After a blocked event loop the timer comes before what already waits in the sockets.
    timer ??= setTimeout(() => setImmediate(look), bodyTimeoutMs * GRAIN).unref();
  };
  const look = (): void => {
    timer = undefined;
    for (const { since, giveUp } of reading) {
      // The next ones began later still.
      if (now() - since < bodyTimeoutMs * (1 - GRAIN)) break;
      giveUp();
    }
    if (reading.size > 0) watch();
  };

  return async (request) => {
    if (request.headers["transfer-encoding"] !== undefined) return noLength;
    const declared = Number(request.headers["content-length"] ?? 0);
    if (declared > DISCARD * bodyBytes) return tooLarge;
    return await new Promise((resolve) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      const finish = (body: Buffer | NoBody): void => {
        reading.delete(entry);
        resolve(body);
      };
      const entry = {
        since: now(),
        giveUp: () => {
          request.pause();
          finish(tooLate);
        },
      };
      reading.add(entry);
      watch();
      request.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= bodyBytes) chunks.push(chunk);
        else chunks.length = 0;
      });
      request.on("end", () => {
        if (bytes > bodyBytes) finish(tooLarge);
        else finish(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks));
      });
      const leave = (): void => {
        finish(gone);
      };
      request.on("error", leave);
      request.on("close", leave);
    });
  };
}
