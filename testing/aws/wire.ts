/**
 * AWS on loopback: one server that speaks the wire of several services and checks what AWS checks.
 *
 *   const ecr = createEcr();
 *   await using aws = await startAws({ services: [ecr.service] });
 *   aws.on("GetAuthorizationToken", throttled(), pass());   // once throttled, then as it is
 *   aws.deny("ecr:GetAuthorizationToken");                  // AccessDeniedException with AWS's words, until `allow`
 *   aws.count("GetAuthorizationToken");
 *   aws.requests[0]?.principal;                             // who signed, `arn:aws:iam::111122223333:user/provider`
 *   const keys = aws.issue({ role: "provider", lifeMs: 900_000 });   // temporary credentials that expire on the server's clock
 *
 * A request must be signed (Signature Version 4) for the service that it asks, with keys of this server that have not expired,
 * and with a date near the server's; otherwise it gets AWS's own error. `aws.url` takes any region and notes it in
 * `requests`; `await aws.regionalUrl("eu-west-1")` refuses every other.
 *
 * `on` has answers for the first, second, … request of an operation; the last one goes on for ever. Besides those of `answers.ts`, all of
 * `testing/registry/answers.ts` that need no upstream can be used: `silent()`, `reset()`, `stall()`, `slow(ms, …)`, `after(gate.opened, …)`.
 */
import { once } from "node:events";
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { createArrivals } from "../arrivals.ts";
import type { AwsAnswer } from "./answers.ts";
import { createKeyring, type Keyring } from "./keys.ts";
import type { Asked, AwsError } from "./protocol.ts";
import { denial, Refused, send, type Call, type Operation, type Service } from "./service.ts";
import { parseScope } from "./sigv4.ts";

export interface AwsOptions {
  readonly services: readonly Service[];
  /** Milliseconds since the epoch: the clock of the service. Default the machine's. */
  readonly now?: () => number;
  /** Milliseconds since the epoch: the clock that temporary keys end on, where that is another one. Default `now`. */
  readonly lifeNow?: () => number;
  /** Default `aws`. */
  readonly partition?: string;
  /** Certificate and key, PEM; plain HTTP unless given. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export interface Aws extends Omit<Keyring, "authenticate">, AsyncDisposable {
  /** `http://127.0.0.1:5000`: the endpoint of every service in every region. */
  readonly url: string;
  /** It as the configuration names it under `aws.endpoints`: for each service of it that the configuration knows. */
  readonly endpoints: readonly { readonly service: string; readonly url: string }[];
  /** An endpoint of every service that takes requests for this region alone. */
  regionalUrl(region: string): Promise<string>;
  /** @param operation `GetAuthorizationToken` */
  on(operation: string, ...answers: readonly [AwsAnswer, ...AwsAnswer[]]): void;
  /** Nobody may do it any more. @param action `ecr:GetAuthorizationToken` */
  deny(action: string): void;
  allow(action: string): void;
  /** Every request for an operation, in the order of arrival, also those that were refused. */
  readonly requests: readonly Call[];
  count(operation: string): number;
  /** Resolves when so many requests for the operation have come since the start. @param times default 1 */
  seen(operation: string, times?: number): Promise<void>;
  /** Connections that were ever opened. */
  connections(): number;
  openConnections(): number;
  /** Refuses connections, and ends those that there are, until {@link Aws.up}. */
  down(): Promise<void>;
  /** Listens again, where it listened before. */
  up(): Promise<void>;
  /** Forgets answers, denials and requests; keys stay. */
  reset(): void;
}

/** The other services are found by variables of the environment. */
const CONFIGURED = new Set(["ecr", "sts", "signer"]);

export async function startAws(options: AwsOptions): Promise<Aws> {
  const { services, now = () => Date.now(), partition = "aws", tls } = options;
  const { lifeNow = now } = options;
  const { authenticate, ...keys } = createKeyring({ now, lifeNow, partition });
  const rules = new Map<string, { readonly answers: readonly AwsAnswer[]; used: number }>();
  const deniedActions = new Set<string>();
  const calls = createArrivals<Call>();
  const sockets = new Set<Socket>();
  const servers = new Map<Server, number>();
  const regional = new Map<string, Promise<string>>();
  let connections = 0;

  const handle = async (
    request: IncomingMessage,
    response: ServerResponse,
    region: string | undefined,
  ): Promise<void> => {
    const { method = "", url: target = "", headers } = request;
    const sent = await buffer(request);
    const found = find(services, request, sent);
    // A client corrects its clock by this header.
    response.setHeader("date", new Date(now()).toUTCString());
    if (found === undefined) return send(response, { status: 404, headers: {}, body: "" });
    const { service, asked, operation } = found;
    const scope = parseScope(headers.authorization ?? "");
    const refuse = (error: AwsError): void => send(response, service.protocol.refuse(error));
    const who =
      operation?.isUnsigned === true
        ? undefined
        : authenticate({
            service: service.name,
            region,
            scope,
            request: { method, target, headers, body: sent },
          });
    const isHolder = who !== undefined && "principal" in who;
    const call: Call = {
      ...asked,
      service: service.name,
      region: scope?.region ?? "",
      principal: isHolder ? who.principal : undefined,
      account: isHolder ? who.account : "",
      accessKeyId: scope?.accessKeyId,
      headers,
      at: now(),
    };
    calls.add(call);
    const proceed = async (): Promise<void> => {
      if (who !== undefined && !("principal" in who)) {
        const [kind, message] = who;
        const [status, code] = service.protocol.errors[kind];
        return refuse({ status, code, message });
      }
      if (operation === undefined) {
        const [status, code] = service.protocol.errors.unknown;
        return refuse({ status, code, message: `Could not find operation ${asked.operation}` });
      }
      if (deniedActions.has(`${service.name}:${asked.operation}`)) {
        return refuse(denial(call, service));
      }
      const out = await operation.answer(call, keys);
      if (out instanceof Refused) return refuse(out.error);
      send(response, service.protocol.write(asked.operation, out));
    };
    const rule = rules.get(asked.operation);
    if (rule === undefined) return proceed();
    const answer = rule.answers[Math.min(rule.used, rule.answers.length - 1)];
    rule.used += 1;
    await answer?.({
      request,
      response,
      upstream: undefined,
      call,
      service,
      refuse,
      pass: proceed,
    });
  };

  const listen = async (region?: string): Promise<string> => {
    const serve = (request: IncomingMessage, response: ServerResponse): void => {
      request.on("error", () => {});
      response.on("error", () => {});
      handle(request, response, region).catch(() => request.socket.destroy());
    };
    const server = tls === undefined ? createHttpServer(serve) : createHttpsServer(tls, serve);
    server.on("connection", (socket: Socket) => {
      connections += 1;
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => sockets.delete(socket));
    });
    server.on("tlsClientError", () => {});
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const bound = server.address();
    const port = bound === null || typeof bound === "string" ? 0 : bound.port;
    servers.set(server, port);
    return `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`;
  };

  const down = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await Promise.all(
      [...servers.keys()]
        .filter((server) => server.listening)
        .map(async (server) => once(server.close(), "close")),
    );
  };

  const url = await listen();
  return {
    ...keys,
    url,
    endpoints: services
      .filter(({ name }) => CONFIGURED.has(name))
      .map(({ name }) => ({ service: name, url })),
    regionalUrl(region) {
      const known = regional.get(region) ?? listen(region);
      regional.set(region, known);
      return known;
    },
    on: (operation, ...answers) => void rules.set(operation, { answers, used: 0 }),
    deny: (action) => void deniedActions.add(action),
    allow: (action) => void deniedActions.delete(action),
    requests: calls.all,
    count: (operation) => calls.count(isFor(operation)),
    seen: async (operation, times = 1) => await calls.seen(isFor(operation), times),
    connections: () => connections,
    openConnections: () => sockets.size,
    down,
    async up() {
      await Promise.all(
        [...servers].map(async ([server, port]) => {
          server.listen(port, "127.0.0.1");
          await once(server, "listening");
        }),
      );
    },
    reset() {
      rules.clear();
      deniedActions.clear();
      calls.clear();
    },
    [Symbol.asyncDispose]: down,
  };
}

const isFor =
  (operation: string) =>
  (call: Call): boolean =>
    call.operation === operation;

function find(
  services: readonly Service[],
  request: IncomingMessage,
  sent: Buffer,
):
  | {
      readonly service: Service;
      readonly asked: Asked;
      readonly operation: Operation | undefined;
    }
  | undefined {
  for (const service of services) {
    const asked = service.protocol.read(request, sent);
    if (asked === undefined) continue;
    return { service, asked, operation: service.operations.get(asked.operation) };
  }
  return undefined;
}
