import { once } from "node:events";
import type { AddressInfo, Server, Socket } from "node:net";

/** A server that listens on 127.0.0.1. */
export interface Listening {
  readonly port: number;
  /** How many are connected. */
  readonly connections: () => number;
  /** Ends the server and every connection. */
  readonly end: () => Promise<void>;
}

/**
 * Has a server listen, and keeps its connections, so that it can be ended whoever is connected: Node's own
 * `closeAllConnections` knows no connection whose TLS handshake is under way, and the server then waits for it for ever.
 * @param port default any that is free
 */
export async function listen(server: Server, port = 0): Promise<Listening> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => sockets.size,
    async end() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
