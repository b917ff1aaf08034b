import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

/** What is known of the other end of a connection. */
export interface Peer {
  /** Whether its certificate bears one of the accepted names. */
  readonly known: boolean;
  /**
   * Aborts when the connection closes. One for all requests of a connection, because HTTP/1.1 has one at a time
   * and making a signal for each costs more than a cached answer.
   */
  readonly signal: AbortSignal;
}

/**
 * Compares the client certificate's DNS names with a list: any leaf of the client CA passes the TLS check, and
 * Gatekeeper's CA may have signed others.
 * @param clientNames exact DNS names; the subject's common name is not looked at, no wildcard counts
 * @returns looks at a connection once and remembers it as long as it lives; a connection without TLS is not known
 * @see facts of Gatekeeper's client certificate in docs/gatekeeper.md
 */
export function createPeers(clientNames: readonly string[]): (socket: Socket) => Peer {
  const peers = new WeakMap<Socket, Peer>();

  const meet = (socket: Socket): Peer => {
    const gone = new AbortController();
    socket.once("close", () => {
      gone.abort();
    });
    if (socket.destroyed) gone.abort();
    return { known: isKnown(socket, clientNames), signal: gone.signal };
  };

  return (socket) => {
    let peer = peers.get(socket);
    if (peer === undefined) {
      peer = meet(socket);
      peers.set(socket, peer);
    }
    return peer;
  };
}

function isKnown(socket: Socket, clientNames: readonly string[]): boolean {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return false;
  // OpenSSL compares the names. Node's text of them would have to be taken apart, and names can hold commas and quotes.
  const certificate = socket.getPeerX509Certificate();
  return clientNames.some(
    (name) => certificate?.checkHost(name, { subject: "never", wildcards: false }) !== undefined,
  );
}
