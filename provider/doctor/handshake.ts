import { connect } from "node:tls";
import { errorCode } from "../lib/error-code.ts";
import type { Provider } from "./cluster/objects.ts";
import type { Handshake } from "./cluster/observed.ts";

/** Milliseconds that a handshake may take; who cannot be reached from here is no finding. */
const TIMEOUT_MS = 3000;

/** Codes of a connection that did not come about; whatever else is wrong is wrong with the certificate. */
const UNREACHABLE =
  /^(?:E(?:NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|HOSTUNREACH|NETUNREACH|TIMEDOUT|PIPE|PERM|ACCES)|ABORT_ERR)$/;

/**
 * Shakes hands with a Provider's URL as Gatekeeper does, but for a client certificate, and hangs up: TLS 1.3, its `caBundle` and no other
 * authority. By TLS 1.3 a client has judged the server's certificate before it is asked for its own.
 */
export async function shakeHands({ spec }: Provider, signal: AbortSignal): Promise<Handshake> {
  const url = new URL(spec.url);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const either = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const { promise, resolve } = Promise.withResolvers<Handshake>();
  try {
    const socket = connect({
      host,
      port: url.port === "" ? 443 : Number(url.port),
      ca: Buffer.from(spec.caBundle, "base64").toString("utf8"),
      minVersion: "TLSv1.3",
      rejectUnauthorized: true,
    });
    either.addEventListener("abort", () => socket.destroy(new Error("late", { cause: "late" })));
    socket.once("secureConnect", () => resolve({ kind: "accepted" }));
    socket.on("error", (problem) => resolve(outcomeOf(problem)));
    socket.once("close", () => resolve({ kind: "unreachable", why: "closed" }));
    return await promise.finally(() => socket.destroy());
  } catch (problem) {
    // A bundle that is no PEM.
    return { kind: "refused", why: errorCode(problem) ?? "it is no PEM" };
  }
}

function outcomeOf(problem: unknown): Handshake {
  const code = errorCode(problem);
  if (code === undefined || UNREACHABLE.test(code)) {
    return { kind: "unreachable", why: code ?? "late" };
  }
  return { kind: "refused", why: code };
}
