import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { request as httpsRequest } from "node:https";
import { buffer } from "node:stream/consumers";

/** A registry that is spoken to: a real one, or a double. */
export interface Target {
  /** `http://127.0.0.1:5000` */
  readonly url: string;
  /** PEM of the authority of its certificate. */
  readonly ca?: string;
  /** Sent with every request. */
  readonly authorization?: string;
}

export interface Sending {
  readonly method?: string;
  /** Path with query, or a URL of the same registry. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

export interface Received {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** One request on a connection of its own; any status is an answer. */
export async function send(target: Target, sending: Sending): Promise<Received> {
  const url = new URL(sending.path, target.url);
  const { promise, resolve, reject } = Promise.withResolvers<Received>();
  const request = url.protocol === "https:" ? httpsRequest : httpRequest;
  const outgoing = request(
    url,
    {
      method: sending.method ?? "GET",
      agent: false,
      headers: {
        ...(target.authorization !== undefined && { authorization: target.authorization }),
        ...sending.headers,
      },
      ...(target.ca !== undefined && { ca: target.ca }),
    },
    (incoming) => {
      buffer(incoming)
        .then((body) =>
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body }),
        )
        .catch(reject);
    },
  );
  outgoing.on("error", reject);
  outgoing.end(sending.body);
  return promise;
}
