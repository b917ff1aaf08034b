import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";

/** Where a server is to listen. */
export interface Address {
  /** `0.0.0.0`, `::`, `127.0.0.1` */
  readonly address: string;
  /** 0 for any that is free. */
  readonly port: number;
}

/**
 * Has a server listen.
 * @returns where it does, with the port that it has
 * @throws with what the system says: `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`
 */
export async function listen(server: Server, { address, port }: Address): Promise<AddressInfo> {
  server.listen({ host: address, port });
  await once(server, "listening");
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("not a TCP address");
  return bound;
}
