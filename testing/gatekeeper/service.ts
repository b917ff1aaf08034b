import { join } from "node:path";
import { type AppOptions, createApp } from "../../provider/http/app.ts";
import { certificateFiles } from "../../provider/http/certificate-files.ts";
import {
  createTlsServer,
  type TlsServer,
  type TlsServerOptions,
} from "../../provider/http/server.ts";
import type { RequestEvent } from "../../provider/telemetry/metrics.ts";
import type { Decision } from "../../provider/verify/decision.ts";
import { rejected } from "../../provider/verdict/verdict.ts";
import { createAuthorities, gatekeeperName, type Authorities, type Pair } from "./certificates.ts";
import { type Caller, type CallerOptions, createCaller } from "./caller.ts";
import { createMount } from "./mount.ts";

/** The provider's HTTPS side, in this process, over decisions that the test makes. */
export interface Service extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly server: TlsServer;
  readonly authorities: Authorities;
  /** Requests that were observed so far. */
  readonly requests: readonly RequestEvent[];
  /** What handlers threw so far. */
  readonly errors: readonly unknown[];
  /** A caller with Gatekeeper's certificate, or another. */
  caller(options?: Partial<CallerOptions>): Caller;
  /** Replaces the mounted files; what is not named stays as it was. */
  mount(files: { readonly serving?: Pair; readonly ca?: string }): Promise<void>;
}

export interface ServiceOptions extends Partial<
  Pick<AppOptions, "decide" | "pin" | "observeDecisions" | "observePins">
> {
  readonly authorities?: Authorities;
  readonly app?: Partial<AppOptions["limits"]>;
  readonly limits?: TlsServerOptions["limits"];
  /** Where certificates come from, in the place of the mounted files. */
  readonly source?: TlsServerOptions["source"];
  readonly onChange?: TlsServerOptions["onChange"];
  /** Any that is free unless given. */
  readonly port?: number;
  /** Monotonic milliseconds of the server; the process's own unless given. */
  readonly now?: () => number;
}

/** Every distinct key is refused, at once: for tests in which the decision does not matter. */
export const refuseAll: AppOptions["decide"] = async (keys) =>
  [...new Set(keys)].map((key) => decision(key));

/** A decision to change in what a test is about. */
export const decision = (key: string, members: Partial<Decision> = {}): Decision => ({
  key,
  verdict: rejected("UNSIGNED", "no signature found"),
  cache: "none",
  durationMs: 0,
  ...members,
});

/** Starts {@link Service} on a free port of loopback. */
export async function startService(options: ServiceOptions = {}): Promise<Service> {
  const { authorities = await createAuthorities(), now = () => performance.now() } = options;
  let { serving } = authorities;
  let { ca } = authorities.gatekeeper;
  const files = () => ({ "tls.crt": serving.cert, "tls.key": serving.key, "ca.crt": ca });
  const secret = await createMount(files());
  const mounted = certificateFiles({
    certificate: join(secret.directory, "tls.crt"),
    key: join(secret.directory, "tls.key"),
    clientCA: join(secret.directory, "ca.crt"),
  });
  const requests: RequestEvent[] = [];
  const errors: unknown[] = [];
  const observeRequest = (event: RequestEvent): void => {
    requests.push(event);
  };

  const handler = createApp({
    decide: refuseAll,
    pin: async () => [],
    ...options,
    clientNames: [gatekeeperName()],
    limits: { bodyBytes: 1024 * 1024, bodyTimeoutMs: 2_000, maxKeys: 1_000, ...options.app },
    now,
    observeRequest,
    onError: (error) => errors.push(error),
  });
  const server = await createTlsServer({
    handler,
    clientNames: [gatekeeperName()],
    source: options.source ?? mounted,
    address: "127.0.0.1",
    port: options.port ?? 0,
    now,
    observeRequest,
    ...(options.limits !== undefined && { limits: options.limits }),
    ...(options.onChange !== undefined && { onChange: options.onChange }),
  });
  const { port } = await server.listen();
  const url = `https://127.0.0.1:${port}`;
  const callers: Caller[] = [];

  return {
    url,
    port,
    server,
    authorities,
    requests,
    errors,
    caller(calling = {}) {
      const { cert, key } = authorities.gatekeeper;
      const caller = createCaller({ url, ca: authorities.ca, cert, key, ...calling });
      callers.push(caller);
      return caller;
    },
    async mount(next) {
      serving = next.serving ?? serving;
      ca = next.ca ?? ca;
      await secret.write(files());
    },
    [Symbol.asyncDispose]: async () => {
      for (const caller of callers) await caller.close();
      await server.drain({ announced: AbortSignal.abort(), graceMs: 0 });
      await secret[Symbol.asyncDispose]();
    },
  };
}
