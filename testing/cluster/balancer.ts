import { connect, createServer, type Socket } from "node:net";
import { listen } from "../loopback.ts";

/** One address before several, as a Service is: it hands each new connection to the next. */
export interface Balancer extends AsyncDisposable {
  /** `https://127.0.0.1:<port>` */
  readonly url: string;
}

/**
 * Connections that are there stay where they are, whatever becomes of the endpoints: so does the network of a node.
 * @param urls of the servers, looked at for each connection; their certificates must be good for 127.0.0.1
 */
export async function startBalancer(urls: readonly string[]): Promise<Balancer> {
  let next = 0;
  const open = new Set<Socket>();
  const server = createServer((incoming) => {
    const { port } = new URL(urls[next++ % urls.length] ?? "");
    const outgoing = connect(Number(port), "127.0.0.1");
    for (const [from, to] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      open.add(from);
      from.setNoDelay(true).pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        open.delete(from);
        to.destroy();
      });
    }
  });
  const { port, end } = await listen(server);
  return {
    url: `https://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await end();
    },
  };
}
