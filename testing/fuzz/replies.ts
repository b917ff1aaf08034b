import { once } from "node:events";
import { createServer, type OutgoingHttpHeaders } from "node:http";

/** One answer, the same to whatever is asked. */
export interface Reply {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: string;
}

/** A server that says what it is told to say. Whoever has nothing else to do may end while it listens. */
export async function startReplies(): Promise<{ readonly url: string; next: Reply }> {
  const replies = { url: "", next: { status: 500, headers: {}, body: "" } };
  const server = createServer((_request, response) => {
    const { status, headers, body } = replies.next;
    response.writeHead(status, headers);
    response.end(body);
  });
  server.on("connection", (socket) => socket.unref());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  server.unref();
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("not listening");
  replies.url = `http://127.0.0.1:${address.port}`;
  return replies;
}

/** A status that may be sent; 200 in place of what is none. */
export const sendableStatus = (value: unknown): number =>
  typeof value === "number" && Number.isInteger(value) && value >= 200 && value < 600 ? value : 200;

/** The text of a body that an input gives as text or as the document in it. */
export const bodyOf = (value: unknown): string =>
  typeof value === "string" ? value : JSON.stringify(value ?? null);

/** The members of a JSON object or array; undefined for other bytes. */
export function membersOf(input: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(input).toString());
    return typeof value === "object" && value !== null
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
