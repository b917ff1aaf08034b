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
 * `on` has answers for the first, second, … request of an operation; the last one goes on for ever. Besides those below, all of
 * `testing/registry/answers.ts` that need no upstream can be used: `silent()`, `reset()`, `stall()`, `slow(ms, …)`, `after(gate.opened, …)`.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  createServer as createHttpServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { createArrivals } from "../arrivals.ts";
import type { Asked, AwsError, CommonError, Protocol, Written } from "./protocol.ts";
import { amzDate, isSignedBy, parseAmzDate, parseScope, type Scope } from "./sigv4.ts";

/** A request that was let in, or refused. */
export interface Call extends Asked {
  /** `ecr` */
  readonly service: string;
  /** What it was signed for, whether or not it was signed well; empty when it was not signed. */
  readonly region: string;
  /** ARN of who signed; undefined when it was not signed or not well. */
  readonly principal: string | undefined;
  /** Account of who signed; empty when it was not signed. */
  readonly account: string;
  /** Access key that it was signed with. */
  readonly accessKeyId: string | undefined;
  readonly headers: IncomingHttpHeaders;
  /** Milliseconds since the epoch, on the server's clock. */
  readonly at: number;
}

/** What an operation answers: an output, or a refusal made by {@link refusal}. */
export type Output = Readonly<Record<string, unknown>> | Refused;

/** One operation of a service. */
export interface Operation {
  /** Whether it comes without a signature, as a web identity does. */
  readonly isUnsigned?: boolean;
  /** Resource of IAM in the words of a denial. Default `*`. */
  readonly resource?: (call: Call) => string;
  readonly answer: (call: Call, aws: Issuer) => Output | Promise<Output>;
}

/** One service. Its name is that of its scope and of its actions, `ecr`. */
export interface Service {
  readonly name: string;
  readonly protocol: Protocol;
  readonly operations: ReadonlyMap<string, Operation>;
}

/** Keys as clients have them. */
export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Only of temporary ones. */
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

/** The variables by which a process gets long-lived keys. */
export const variablesOf = ({ accessKeyId, secretAccessKey }: Keys) => ({
  AWS_ACCESS_KEY_ID: accessKeyId,
  AWS_SECRET_ACCESS_KEY: secretAccessKey,
});

export interface IssueOptions {
  /** Default `111122223333`. */
  readonly account?: string;
  /** Role that is assumed. Default `provider`. */
  readonly role?: string;
  /** Name of the session. Default `session`. */
  readonly session?: string;
  /** Milliseconds until they expire. Default an hour. */
  readonly lifeMs?: number;
}

/** Makes temporary credentials. */
export interface Issuer {
  issue(options?: IssueOptions): Required<Keys>;
  /** Milliseconds since the epoch. */
  now(): number;
}

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

/** What may answer a request in place of the operation. */
export type AwsAnswer = (exchange: AwsExchange) => void | Promise<void>;

interface AwsExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly upstream: undefined;
  readonly call: Call;
  readonly service: Service;
  /** Sends an error in the service's own way. */
  readonly refuse: (error: AwsError) => void;
  /** Does what the operation does. */
  readonly pass: () => Promise<void>;
}

export interface Aws extends Issuer, AsyncDisposable {
  /** `http://127.0.0.1:5000`: the endpoint of every service in every region. */
  readonly url: string;
  /** It as the configuration names it under `aws.endpoints`: for each service of it that the configuration knows. */
  readonly endpoints: readonly { readonly service: string; readonly url: string }[];
  /** An endpoint of every service that takes requests for this region alone. */
  regionalUrl(region: string): Promise<string>;
  /** Keys of a user that do not expire: `arn:aws:iam::111122223333:user/provider`. */
  readonly credentials: Keys;
  /** Ends keys before their time. */
  expire(accessKeyId: string): void;
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

/** An answer that is an error. @see refusal */
class Refused {
  readonly error: AwsError;
  constructor(error: AwsError) {
    this.error = error;
  }
}

/** What an operation answers when it refuses. */
export const refusal = (status: number, code: string, message: string): Refused =>
  new Refused({ status, code, message });

/** Does what the operation does. */
export const pass =
  (): AwsAnswer =>
  ({ pass: proceed }) =>
    proceed();

/** Refuses. @param code `ValidationException` */
export const error =
  (status: number, code: string, message: string): AwsAnswer =>
  ({ refuse }) =>
    refuse({ status, code, message });

/** `ThrottlingException` of ECR, `TooManyRequestsException` of Signer, `Throttling` of STS. */
export const throttled = (): AwsAnswer => common("throttled", "Rate exceeded");

/** What a service says when it failed: status 500. */
export const internal = (): AwsAnswer =>
  common("internal", "The service encountered an internal error.");

/** Status 503. */
export const unavailable = (): AwsAnswer =>
  common("unavailable", "The service is temporarily unavailable.");

/** `AccessDeniedException` with AWS's words. */
export const denied =
  (): AwsAnswer =>
  ({ call, service, refuse }) =>
    refuse(denial(call, service));

/** `ExpiredTokenException`. */
export const expired = (): AwsAnswer => common("expired", EXPIRED);

/** An output in place of the operation's own; status 200 unless given. */
export const output =
  (value: Readonly<Record<string, unknown>>): AwsAnswer =>
  ({ response, call, service }) =>
    send(response, service.protocol.write(call.operation, value));

/** Any bytes. */
export const body =
  (text: string, status = 200, headers: Readonly<Record<string, string>> = {}): AwsAnswer =>
  ({ response }) =>
    send(response, { status, headers, body: text });

const common =
  (kind: CommonError, message: string): AwsAnswer =>
  ({ service, refuse }) => {
    const [status, code] = service.protocol.errors[kind];
    refuse({ status, code, message });
  };

const EXPIRED = "The security token included in the request is expired";
const UNKNOWN_KEY = "The security token included in the request is invalid.";
const WRONG_SIGNATURE =
  "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";

/** The other services are found by variables of the environment. */
const CONFIGURED = new Set(["ecr", "sts", "signer"]);

const HOUR_MS = 3_600_000;
/** How far the date of a signature may be from the server's clock. */
const SKEW_MS = 5 * 60_000;
const ACCOUNT = "111122223333";

interface Holder extends Keys {
  readonly principal: string;
  readonly account: string;
  expiresAt: number;
}

export async function startAws(options: AwsOptions): Promise<Aws> {
  const { services, now = () => Date.now(), partition = "aws", tls } = options;
  const { lifeNow = now } = options;
  const holders = new Map<string, Holder>();
  const rules = new Map<string, { readonly answers: readonly AwsAnswer[]; used: number }>();
  const deniedActions = new Set<string>();
  const calls = createArrivals<Call>();
  const sockets = new Set<Socket>();
  const servers = new Map<Server, number>();
  const regional = new Map<string, Promise<string>>();
  let connections = 0;

  const hold = (keys: Keys, account: string, principal: string): void => {
    const expiresAt = keys.expiration?.getTime() ?? Infinity;
    holders.set(keys.accessKeyId, { ...keys, account, principal, expiresAt });
  };
  const issuer: Issuer = {
    now,
    issue({ account = ACCOUNT, role = "provider", session = "session", lifeMs = HOUR_MS } = {}) {
      const keys = {
        accessKeyId: `ASIA${randomName()}`,
        secretAccessKey: randomBytes(30).toString("base64"),
        sessionToken: randomBytes(120).toString("base64"),
        // AWS knows no fractions of a second here.
        expiration: new Date(Math.floor((lifeNow() + lifeMs) / 1000) * 1000),
      };
      hold(keys, account, `arn:${partition}:sts::${account}:assumed-role/${role}/${session}`);
      return keys;
    },
  };
  const credentials: Keys = {
    accessKeyId: `AKIA${randomName()}`,
    secretAccessKey: randomBytes(30).toString("base64"),
  };
  hold(credentials, ACCOUNT, `arn:${partition}:iam::${ACCOUNT}:user/provider`);

  /** Who signed, or why nobody did. */
  const authenticate = (
    { name }: Service,
    request: IncomingMessage,
    sent: Buffer,
    scope: Scope | undefined,
    region: string | undefined,
  ): Holder | readonly [CommonError, string] => {
    const { headers, method = "", url: target = "" } = request;
    if (scope === undefined) return ["missing", "Request is missing Authentication Token"];
    const holder = holders.get(scope.accessKeyId);
    if (holder === undefined) return ["unrecognized", UNKNOWN_KEY];
    if (headers["x-amz-security-token"] !== holder.sessionToken) {
      return ["unrecognized", UNKNOWN_KEY];
    }
    if (lifeNow() >= holder.expiresAt) return ["expired", EXPIRED];
    const date = String(headers["x-amz-date"] ?? "");
    const skewMs = parseAmzDate(date) - now();
    if (!(Math.abs(skewMs) <= SKEW_MS)) {
      const limit = `${amzDate(now() + Math.sign(skewMs) * SKEW_MS)} (${amzDate(now())} ${skewMs < 0 ? "-" : "+"} 5 min.)`;
      return [
        "signature",
        skewMs < 0
          ? `Signature expired: ${date} is now earlier than ${limit}`
          : `Signature not yet current: ${date} is still later than ${limit}`,
      ];
    }
    if (scope.date !== date.slice(0, 8)) {
      return [
        "signature",
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP",
      ];
    }
    if (region !== undefined && scope.region !== region) {
      return [
        "signature",
        `Credential should be scoped to a valid region, not '${scope.region}'. `,
      ];
    }
    if (scope.service !== name) {
      return ["signature", `Credential should be scoped to correct service: '${name}'. `];
    }
    const signed = { method, target, headers, body: sent };
    if (!isSignedBy(holder.secretAccessKey, scope, signed)) return ["signature", WRONG_SIGNATURE];
    return holder;
  };

  const handle = async (
    request: IncomingMessage,
    response: ServerResponse,
    region: string | undefined,
  ): Promise<void> => {
    const sent = await buffer(request);
    const found = find(services, request, sent);
    // A client corrects its clock by this header.
    response.setHeader("date", new Date(now()).toUTCString());
    if (found === undefined) return send(response, { status: 404, headers: {}, body: "" });
    const { service, asked, operation } = found;
    const scope = parseScope(request.headers.authorization ?? "");
    const refuse = (error: AwsError): void => send(response, service.protocol.refuse(error));
    const who =
      operation?.isUnsigned === true
        ? undefined
        : authenticate(service, request, sent, scope, region);
    const isHolder = who !== undefined && "principal" in who;
    const call: Call = {
      ...asked,
      service: service.name,
      region: scope?.region ?? "",
      principal: isHolder ? who.principal : undefined,
      account: isHolder ? who.account : "",
      accessKeyId: scope?.accessKeyId,
      headers: request.headers,
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
      const out = await operation.answer(call, issuer);
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
    ...issuer,
    url,
    endpoints: services
      .filter(({ name }) => CONFIGURED.has(name))
      .map(({ name }) => ({ service: name, url })),
    regionalUrl(region) {
      const known = regional.get(region) ?? listen(region);
      regional.set(region, known);
      return known;
    },
    credentials,
    expire(accessKeyId) {
      const holder = holders.get(accessKeyId);
      if (holder !== undefined) holder.expiresAt = -Infinity;
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

/** AWS's own words, which name the caller, the action and the resource. */
function denial(call: Call, { name, protocol, operations }: Service): AwsError {
  const [status, code] = protocol.errors.denied;
  const action = `${name}:${call.operation}`;
  const resource = operations.get(call.operation)?.resource?.(call) ?? "*";
  const message = `User: ${call.principal} is not authorized to perform: ${action} on resource: ${resource} because no identity-based policy allows the ${action} action`;
  return { status, code, message };
}

function send(response: ServerResponse, { status, headers, body }: Written): void {
  response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) });
  response.end(body);
}

/** Sixteen capitals and digits. */
const randomName = (): string =>
  Array.from(randomBytes(16), (byte) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[byte % 32]).join("");
