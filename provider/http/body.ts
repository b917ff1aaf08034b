import type { IncomingMessage } from "node:http";

/** Bounds of a request's body. */
export interface BodyLimits {
  readonly bodyBytes: number;
  /** From the first look at the body to its last byte. */
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

/**
 * Reads the body of a request, counted as it arrives. Never rejects.
 * A transfer encoding is refused: Gatekeeper always sends a Content-Length, and every way of smuggling a second
 * request needs two readers that disagree about chunks.
 */
export async function readBody(
  request: IncomingMessage,
  limits: BodyLimits,
): Promise<Buffer | NoBody> {
  if (request.headers["transfer-encoding"] !== undefined) {
    return none(400, "a body needs a Content-Length and no Transfer-Encoding");
  }
  const declared = Number(request.headers["content-length"] ?? 0);
  const tooLarge = none(413, `the body has more than ${limits.bodyBytes} bytes`);
  if (declared > DISCARD * limits.bodyBytes) return tooLarge;
  return await new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const timer = setTimeout(() => {
      request.pause();
      resolve(none(408, "the body did not arrive in time"));
    }, limits.bodyTimeoutMs);
    const finish = (body: Buffer | NoBody): void => {
      clearTimeout(timer);
      resolve(body);
    };
    const gone = (): void => {
      finish(none(undefined, "the caller has gone"));
    };
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= limits.bodyBytes) chunks.push(chunk);
      else chunks.length = 0;
    });
    request.on("end", () => {
      if (bytes > limits.bodyBytes) finish(tooLarge);
      else finish(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks));
    });
    request.on("error", gone);
    request.on("close", gone);
  });
}
