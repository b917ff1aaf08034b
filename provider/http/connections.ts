import type { IncomingMessage, ServerResponse } from "node:http";
import type { Server } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";

/** Bounds of the connections of a server. */
export interface ConnectionLimits {
  /** At once, handshakes included; beyond it a connection is closed as it arrives. */
  readonly maxConnections: number;
  /** A connection that is older is closed with its next answer. */
  readonly maxAgeMs: number;
  /** Whether a connection is of a caller who will get answers; others make room first. */
  readonly isKnown: (socket: TLSSocket) => boolean;
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
  /** Ends every connection and every handshake. */
  endAll(): void;
  /**
   * `receiving`: one request whose body is still arriving; `active`: something that is there is being answered;
   * undefined before the end of the handshake.
   */
  stateOf(socket: Duplex): "idle" | "receiving" | "active" | undefined;
  counts(): ConnectionCounts;
}

interface Connection {
  readonly socket: TLSSocket;
  readonly openedMs: number;
  /** Answers that are not sent yet. */
  readonly answers: Set<ServerResponse>;
  retired: boolean;
}

/** What of the bound may be in use before room is made, so that who comes then is not turned away. */
const FULL = 7 / 8;
/** What of the bound handshakes may hold then. */
const HANDSHAKES = 1 / 4;

const addressOf = (socket: Socket): string => `${socket.remoteAddress}:${socket.remotePort}`;

/**
 * Watches over the connections of an HTTPS server, so that nobody can take the room of the genuine caller: handshakes
 * that do not end lose their place to later ones, and idle connections to new ones, those of strangers before those of
 * known callers, the longest idle first.
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
  const full = Math.floor(limits.maxConnections * FULL);
  const mostHandshakes = Math.floor(limits.maxConnections * HANDSHAKES);
  // Insertion order is age.
  const handshakes = new Map<string, Socket>();
  const connections = new Map<Duplex, Connection>();
  // Insertion order is the time since which a connection is idle.
  const idle = new Set<Connection>();
  let dropped = 0;
  let isClosing = false;
  let leaves: (socket: TLSSocket) => boolean = never;

  const drop = (socket: Socket): void => {
    dropped += 1;
    socket.destroy();
  };

  const makeRoom = (): void => {
    if (handshakes.size + connections.size <= full) return;
    const [oldest] = handshakes.values();
    if (handshakes.size > mostHandshakes && oldest !== undefined) {
      drop(oldest);
      return;
    }
    const [longest] = idle;
    const stranger = idle.values().find(({ socket }) => !limits.isKnown(socket));
    const dispensable = stranger ?? longest;
    if (dispensable !== undefined) drop(dispensable.socket);
  };

  server.on("connection", (socket: Socket) => {
    if (socket instanceof TLSSocket) return;
    const address = addressOf(socket);
    socket.on("error", ignore);
    socket.once("close", () => handshakes.delete(address));
    handshakes.set(address, socket);
    makeRoom();
  });

  server.on("secureConnection", (socket: TLSSocket) => {
    handshakes.delete(addressOf(socket));
    const connection: Connection = {
      socket,
      openedMs: now(),
      answers: new Set(),
      retired: leaves(socket),
    };
    connections.set(socket, connection);
    idle.add(connection);
    socket.on("error", ignore);
    socket.once("close", () => {
      connections.delete(socket);
      idle.delete(connection);
    });
  });

  server.on("drop", () => {
    dropped += 1;
  });

  const isLast = ({ retired, openedMs }: Connection): boolean =>
    isClosing || retired || now() - openedMs > limits.maxAgeMs;

  /** Answers that are being made are the last ones of their connections too. */
  const tell = (connection: Connection): void => {
    for (const answer of connection.answers) {
      if (!answer.headersSent) answer.setHeader("Connection", "close");
    }
  };

  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    const connection = connections.get(request.socket);
    if (connection !== undefined) {
      connection.answers.add(response);
      idle.delete(connection);
      if (isLast(connection)) response.setHeader("Connection", "close");
      response.once("close", () => {
        connection.answers.delete(response);
        if (connection.answers.size === 0 && !connection.socket.destroyed) idle.add(connection);
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
      for (const connection of connections.values()) tell(connection);
    },
    retire(test) {
      leaves = test;
      for (const connection of connections.values()) {
        if (!test(connection.socket)) continue;
        connection.retired = true;
        tell(connection);
      }
    },
    endRetired() {
      for (const { retired, socket } of idle) if (retired) socket.destroy();
    },
    endAll() {
      for (const socket of handshakes.values()) socket.destroy();
      for (const { socket } of connections.values()) socket.destroy();
    },
    stateOf(socket) {
      const connection = connections.get(socket);
      if (connection === undefined) return undefined;
      const [answer, another] = connection.answers;
      if (answer === undefined) return "idle";
      return another === undefined && !answer.headersSent && !answer.req.complete
        ? "receiving"
        : "active";
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

const never = (): boolean => false;
