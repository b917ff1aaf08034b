import type { Socket } from "node:net";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { TLSSocket } from "node:tls";

/** Bounds of the connections of a server. */
export interface ConnectionLimits {
  /** At once, handshakes included; beyond it a connection is closed as it arrives. */
  readonly maxConnections: number;
  /** A connection that is older is closed with its next answer. */
  readonly maxAgeMs: number;
}

/** What there is at one moment. */
export interface ConnectionCounts {
  /** In the midst of a handshake. */
  readonly handshaking: number;
  readonly idle: number;
  readonly active: number;
  /** Closed since the start to make room, or as they arrived. */
  readonly dropped: number;
}

export interface Connections {
  /** Answers are told to close their connection from now on. */
  closeAll(): void;
  /** Connections for which this holds are closed with their next answer, now and when they arrive. */
  retire(leaves: (socket: TLSSocket) => boolean): void;
  /** Ends retired connections on which nothing is being answered. */
  endRetired(): void;
  counts(): ConnectionCounts;
}

interface Connection {
  readonly socket: TLSSocket;
  readonly openedMs: number;
  /** Requests that are not answered yet. */
  active: number;
  retired: boolean;
}

/** What of the connections may be in the midst of a handshake. */
const HANDSHAKES = 1 / 4;

const addressOf = (socket: Socket): string => `${socket.remoteAddress}:${socket.remotePort}`;

/**
 * Watches over the connections of an HTTPS server, so that nobody can take the room of the genuine caller: handshakes
 * that do not end lose their place to later ones, and idle connections to new ones, the longest idle first.
 * Gatekeepers before 3.22 open one connection per call and leave it to the server to close them.
 * @param handle is called for every request, after its connection was looked at
 * @param now monotonic milliseconds
 */
export function watchConnections(
  server: Server,
  limits: ConnectionLimits,
  handle: (request: IncomingMessage, response: ServerResponse) => void,
  now: () => number,
): Connections {
  const mostHandshakes = Math.max(1, Math.floor(limits.maxConnections * HANDSHAKES));
  const mostConnections = Math.max(1, limits.maxConnections - mostHandshakes);
  // Insertion order is age.
  const handshakes = new Map<string, Socket>();
  const connections = new Map<Socket, Connection>();
  // Insertion order is the time since which a connection is idle.
  const idle = new Set<Connection>();
  let dropped = 0;
  let isClosing = false;
  let leaves: (socket: TLSSocket) => boolean = () => false;

  const drop = (socket: Socket): void => {
    dropped += 1;
    socket.destroy();
  };

  server.on("connection", (socket: Socket) => {
    if (socket instanceof TLSSocket) return;
    const address = addressOf(socket);
    socket.on("error", ignore);
    socket.once("close", () => handshakes.delete(address));
    handshakes.set(address, socket);
    const [oldest] = handshakes.values();
    if (handshakes.size > mostHandshakes && oldest !== undefined) drop(oldest);
  });

  server.on("secureConnection", (socket: TLSSocket) => {
    handshakes.delete(addressOf(socket));
    const connection = { socket, openedMs: now(), active: 0, retired: leaves(socket) };
    connections.set(socket, connection);
    idle.add(connection);
    socket.on("error", ignore);
    socket.once("close", () => {
      connections.delete(socket);
      idle.delete(connection);
    });
    const [longest] = idle;
    if (connections.size > mostConnections && longest !== undefined) drop(longest.socket);
  });

  server.on("drop", () => {
    dropped += 1;
  });

  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    const connection = connections.get(request.socket);
    if (connection !== undefined) {
      connection.active += 1;
      idle.delete(connection);
      if (isClosing || connection.retired || now() - connection.openedMs > limits.maxAgeMs) {
        response.setHeader("Connection", "close");
      }
      response.once("close", () => {
        connection.active -= 1;
        if (connection.active === 0 && !connection.socket.destroyed) idle.add(connection);
      });
    }
    handle(request, response);
  };
  server.on("request", serve);
  // Node would answer both without a ProviderResponse.
  server.on("checkExpectation", serve);

  return {
    closeAll() {
      isClosing = true;
    },
    retire(test) {
      leaves = test;
      for (const connection of connections.values()) {
        if (test(connection.socket)) connection.retired = true;
      }
    },
    endRetired() {
      for (const { retired, socket } of idle) if (retired) socket.destroy();
    },
    counts: () => ({
      handshaking: handshakes.size,
      idle: idle.size,
      active: connections.size - idle.size,
      dropped,
    }),
  };
}

/** A connection that breaks is its caller's loss; the error must not end the process. */
function ignore(): void {}
