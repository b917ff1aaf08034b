import { createServer, request as httpRequest } from "node:http";
import { listen } from "../loopback.ts";

/** A proxy that takes every request for one server's. */
export interface Proxy extends AsyncDisposable {
  /** `http://127.0.0.1:3128` */
  readonly url: string;
  /** Hosts that requests were for, in the order of arrival: `verification.signer.test`. */
  readonly hosts: readonly string[];
}

/**
 * Hands every request on to one server, with the headers that were signed: the way to a double for a program that puts something before
 * the host of its endpoint, which has no address then.
 * @param to `http://127.0.0.1:5000`
 */
export async function startProxy(to: string): Promise<Proxy> {
  const hosts: string[] = [];
  const server = createServer((request, response) => {
    const { host, pathname, search } = new URL(request.url ?? "", to);
    hosts.push(host);
    const { method, headers } = request;
    const onward = httpRequest(new URL(`${pathname}${search}`, to), {
      method,
      headers,
      agent: false,
    });
    onward.on("response", (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => request.socket.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  });
  const { port, end } = await listen(server);
  return {
    url: `http://127.0.0.1:${port}`,
    hosts,
    [Symbol.asyncDispose]: end,
  };
}
