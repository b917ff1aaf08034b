import { randomBytes, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join, resolve } from "node:path";
import type { Schedule } from "../lib/deadline.ts";
import { MAX_REQUEST_BYTES, type PluginOutput } from "./plugin.ts";

/** Environment of one run of Notation, which hands it to the launcher: where to ask, and as which run. */
const SOCKET_VARIABLE = "NOTATION_PROVIDER_PLUGIN_SOCKET";
const RUN_VARIABLE = "NOTATION_PROVIDER_PLUGIN_RUN";

export interface LauncherSocketOptions {
  /** Exists; the socket's own directory is made in it, mode 0700. */
  readonly directory: string;
  /** Milliseconds that a launcher may take to say what it wants. */
  readonly readMs: number;
  readonly schedule: Schedule;
}

/** Where the launchers of the runs that are under way ask, and nobody else. */
export interface LauncherSocket extends AsyncDisposable {
  /**
   * Opens it to one run of Notation, which may ask once. Dispose of it when the run has ended.
   * @param answer what the plugin says to a request of Notation
   */
  open(answer: Answer): PluginRun;
}

type Answer = (input: Uint8Array) => Promise<PluginOutput>;

/** One run of Notation that may ask. */
export interface PluginRun extends Disposable {
  /** Two variables for this child alone; whoever has them may ask about this one envelope. */
  readonly environment: Readonly<Record<string, string>>;
}

interface Run {
  readonly secret: Buffer;
  readonly answer: Answer;
  /** The connection that asks, from the first on. */
  socket?: Socket;
}

/** Connections at once; a run has one. */
const MAX_CONNECTIONS = 1024;
/** Bytes of the path of a Unix socket, without the one that ends it. @see unix(7) */
const MAX_PATH_BYTES = 107;

const NAME_BYTES = 8;
const SECRET_BYTES = 32;
/** The line that a launcher begins with. */
const HEADER = /^(?<name>[0-9a-f]{16}):(?<secret>[0-9a-f]{64}) verify-signature$/;
const HEADER_BYTES = 2 * NAME_BYTES + 1 + 2 * SECRET_BYTES + " verify-signature\n".length;

/**
 * Listens on a socket that only this user can reach.
 * @throws with a sentence when the directory's path is too long for a socket, or what the file system says
 */
export async function createLauncherSocket(
  options: LauncherSocketOptions,
): Promise<LauncherSocket> {
  const { readMs, schedule } = options;
  const directory = mkdtempSync(join(resolve(options.directory), "signer-"));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  const path = join(directory, "s");
  const runs = new Map<string, Run>();
  let server: Server;
  try {
    server = await listen(path);
  } catch (error) {
    remove();
    throw error;
  }
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    const timer = schedule(readMs, () => socket.destroy());
    socket.on("close", () => {
      timer.cancel();
      sockets.delete(socket);
    });
    // Whoever hangs up gets no answer, and that is all.
    socket.on("error", () => socket.destroy());
    receive(socket, runs, () => timer.cancel());
  });

  return {
    open(answer) {
      const name = randomBytes(NAME_BYTES).toString("hex");
      const secret = randomBytes(SECRET_BYTES);
      runs.set(name, { secret, answer });
      return {
        environment: {
          [SOCKET_VARIABLE]: path,
          [RUN_VARIABLE]: `${name}:${secret.toString("hex")}`,
        },
        [Symbol.dispose]() {
          runs.get(name)?.socket?.destroy();
          runs.delete(name);
        },
      };
    },
    async [Symbol.asyncDispose]() {
      runs.clear();
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
      remove();
    },
  };
}

async function listen(path: string): Promise<Server> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw new Error(`the runtime directory's path is too long for a socket in it: ${path}`);
  }
  // The launcher closes its half when it has said everything.
  const server = createServer({ allowHalfOpen: true });
  server.maxConnections = MAX_CONNECTIONS;
  server.listen(path);
  await once(server, "listening");
  chmodSync(path, 0o600);
  // Whoever has nothing else to do may end.
  server.unref();
  return server;
}

/** Reads one request. Nothing is read on behalf of who does not begin with the name and the secret of a run. */
function receive(socket: Socket, runs: ReadonlyMap<string, Run>, done: () => void): void {
  let run: Run | undefined;
  let received = Buffer.alloc(0);
  const body: Buffer[] = [];
  let room = MAX_REQUEST_BYTES;

  function take(bytes: Buffer): void {
    body.push(bytes);
    room -= bytes.length;
    if (room < 0) socket.destroy();
  }

  function identify(chunk: Buffer): void {
    received = Buffer.concat([received, chunk]);
    const end = received.indexOf("\n");
    if (end === -1 && received.length < HEADER_BYTES) return;
    run = runOf(received.subarray(0, end).toString("latin1"), runs);
    if (run === undefined) {
      socket.destroy();
      return;
    }
    run.socket = socket;
    take(received.subarray(end + 1));
  }

  socket.on("data", (chunk: Buffer) => (run === undefined ? identify(chunk) : take(chunk)));
  socket.on("end", () => {
    done();
    if (run === undefined) socket.destroy();
    else void reply(socket, run, Buffer.concat(body));
  });
}

/** The run whose name and secret a line gives, if nobody has asked for it yet. */
function runOf(line: string, runs: ReadonlyMap<string, Run>): Run | undefined {
  const { name = "", secret = "" } = HEADER.exec(line)?.groups ?? {};
  const run = runs.get(name);
  if (run === undefined || run.socket !== undefined) return undefined;
  return timingSafeEqual(Buffer.from(secret, "hex"), run.secret) ? run : undefined;
}

async function reply(socket: Socket, run: Run, input: Uint8Array): Promise<void> {
  try {
    const { code, text } = await run.answer(input);
    socket.end(`${code} ${Buffer.byteLength(text)}\n${text}`);
  } catch {
    // The run is over: nobody reads an answer.
    socket.destroy();
  }
}
