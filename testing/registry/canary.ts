import { once } from "node:events";
import { createServer, type Server } from "node:net";

/** Listeners that nobody should find. */
export interface Canary extends AsyncDisposable {
  /** The same on every address. */
  readonly port: number;
  readonly addresses: readonly string[];
  /** Addresses that were connected to, in order. Each connection is ended at once. */
  readonly connections: readonly string[];
}

const ADDRESSES = [
  "127.0.0.2",
  "127.0.0.3",
  "127.0.0.4",
  "127.0.0.5",
  "127.0.0.6",
  "127.0.0.7",
  "127.0.0.8",
  "127.0.0.9",
];

/** Listens on loopback addresses, one port for all of them. @param addresses default 127.0.0.2 to 127.0.0.9 */
export async function startCanary(addresses: readonly string[] = ADDRESSES): Promise<Canary> {
  const connections: string[] = [];
  for (;;) {
    const servers: Server[] = [];
    const close = async (): Promise<void> => {
      await Promise.all(servers.map(async (server) => once(server.close(), "close")));
    };
    try {
      let port = 0;
      for (const address of addresses) {
        const server = createServer((socket) => {
          connections.push(address);
          socket.on("error", () => {});
          socket.destroy();
        });
        server.listen(port, address);
        await once(server, "listening");
        servers.push(server);
        const bound = server.address();
        port = bound === null || typeof bound === "string" ? 0 : bound.port;
      }
      return { port, addresses, connections, [Symbol.asyncDispose]: close };
    } catch (error) {
      await close();
      // Another program has the port on one of the addresses: another port, then.
      if (!(error instanceof Error && "code" in error && error.code === "EADDRINUSE")) throw error;
    }
  }
}
