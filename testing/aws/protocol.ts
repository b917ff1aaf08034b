/** How AWS's services say what is asked and answered: JSON 1.1, REST with JSON, and forms answered in XML. */
import type { IncomingMessage } from "node:http";

/** What a request asks for, before anybody has checked who asks. */
export interface Asked {
  /** `GetAuthorizationToken` */
  readonly operation: string;
  /** Members of the body or the form; for REST the named groups of the route and what stands in the body. */
  readonly input: Readonly<Record<string, unknown>>;
  /** Of the path; repeated names stay. */
  readonly query: URLSearchParams;
}

/** An answer on the wire. */
export interface Written {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A refusal as a service writes it. */
export interface AwsError {
  readonly status: number;
  /** `AccessDeniedException` */
  readonly code: string;
  readonly message: string;
}

/** The refusals that every service has, in this family's names. */
export type CommonError =
  | "missing"
  | "unrecognized"
  | "expired"
  | "signature"
  | "denied"
  | "throttled"
  | "unavailable"
  | "internal"
  | "unknown";

/** How one family of services writes. */
export interface Protocol {
  /** @returns undefined when the request is none of this service's */
  read(request: IncomingMessage, body: Buffer): Asked | undefined;
  write(operation: string, output: Readonly<Record<string, unknown>>): Written;
  refuse(error: AwsError): Written;
  readonly errors: Readonly<Record<CommonError, readonly [status: number, code: string]>>;
}

const REQUEST_ID = "00000000-0000-4000-8000-000000000000";

/** `POST /` with the operation in `X-Amz-Target`, as ECR speaks. @param target `AmazonEC2ContainerRegistry_V20150921` */
export function json11(target: string): Protocol {
  const type = "application/x-amz-json-1.1";
  const headers = { "content-type": type, "x-amzn-requestid": REQUEST_ID };
  return {
    read(request, body) {
      const [prefix, operation = ""] = String(request.headers["x-amz-target"] ?? "").split(".");
      if (prefix !== target || request.method !== "POST") return undefined;
      return { operation, input: parseObject(body), query: queryOf(request) };
    },
    write: (_, output) => ({ status: 200, headers, body: JSON.stringify(output) }),
    refuse: ({ status, code, message }) => ({
      status,
      headers,
      body: JSON.stringify({ __type: code, message }),
    }),
    errors: {
      missing: [400, "MissingAuthenticationTokenException"],
      unrecognized: [400, "UnrecognizedClientException"],
      expired: [400, "ExpiredTokenException"],
      signature: [400, "InvalidSignatureException"],
      denied: [400, "AccessDeniedException"],
      throttled: [400, "ThrottlingException"],
      unavailable: [503, "ServiceUnavailableException"],
      internal: [500, "ServerException"],
      unknown: [400, "UnknownOperationException"],
    },
  };
}

/** A request of a REST service, and the operation that it is. */
export interface Route {
  readonly method: string;
  /** Over the path without the query; named groups become members of the input, decoded. */
  readonly path: RegExp;
  readonly operation: string;
}

/** As AWS Signer speaks: the name of an error stands in `x-amzn-errortype`. */
export function restJson(routes: readonly Route[]): Protocol {
  const headers = { "content-type": "application/json", "x-amzn-requestid": REQUEST_ID };
  return {
    read(request, body) {
      const [path = ""] = (request.url ?? "").split("?", 1);
      for (const { method, path: pattern, operation } of routes) {
        const match = method === request.method ? pattern.exec(path) : null;
        if (match === null) continue;
        const groups = Object.entries(match.groups ?? {});
        const named = groups.map(([name, value]) => [name, decodeURIComponent(value)] as const);
        const input = { ...parseObject(body), ...Object.fromEntries(named) };
        return { operation, input, query: queryOf(request) };
      }
      return undefined;
    },
    write: (_, output) => ({ status: 200, headers, body: JSON.stringify(output) }),
    refuse: ({ status, code, message }) => ({
      status,
      headers: { ...headers, "x-amzn-errortype": code },
      body: JSON.stringify({ code, message }),
    }),
    errors: {
      missing: [403, "MissingAuthenticationTokenException"],
      unrecognized: [403, "UnrecognizedClientException"],
      expired: [403, "ExpiredTokenException"],
      signature: [403, "InvalidSignatureException"],
      denied: [403, "AccessDeniedException"],
      throttled: [429, "TooManyRequestsException"],
      unavailable: [503, "ServiceUnavailableException"],
      internal: [500, "InternalServiceErrorException"],
      unknown: [404, "UnknownOperationException"],
    },
  };
}

/** A form with an `Action`, answered in XML, as STS speaks. @param namespace `https://sts.amazonaws.com/doc/2011-06-15/` */
export function query(namespace: string, version: string): Protocol {
  const headers = { "content-type": "text/xml", "x-amzn-requestid": REQUEST_ID };
  return {
    read(request, body) {
      if (!String(request.headers["content-type"]).startsWith("application/x-www-form-urlencoded"))
        return undefined;
      const form = new URLSearchParams(body.toString("utf8"));
      if (form.get("Version") !== version) return undefined;
      const operation = form.get("Action") ?? "";
      return { operation, input: Object.fromEntries(form), query: queryOf(request) };
    },
    write: (operation, output) => ({
      status: 200,
      headers,
      body: `<${operation}Response xmlns="${namespace}"><${operation}Result>${xml(output)}</${operation}Result><ResponseMetadata><RequestId>${REQUEST_ID}</RequestId></ResponseMetadata></${operation}Response>`,
    }),
    refuse: ({ status, code, message }) => ({
      status,
      headers,
      body: `<ErrorResponse xmlns="${namespace}"><Error><Type>Sender</Type>${xml({ Code: code, Message: message })}</Error><RequestId>${REQUEST_ID}</RequestId></ErrorResponse>`,
    }),
    errors: {
      missing: [403, "MissingAuthenticationToken"],
      unrecognized: [403, "InvalidClientTokenId"],
      expired: [403, "ExpiredToken"],
      signature: [403, "SignatureDoesNotMatch"],
      denied: [403, "AccessDenied"],
      throttled: [400, "Throttling"],
      unavailable: [503, "ServiceUnavailable"],
      internal: [500, "InternalFailure"],
      unknown: [400, "InvalidAction"],
    },
  };
}

const queryOf = (request: IncomingMessage): URLSearchParams =>
  new URL(request.url ?? "/", "http://of.no.matter").searchParams;

function parseObject(body: Buffer): Readonly<Record<string, unknown>> {
  const text = body.toString("utf8");
  return text === "" ? {} : (JSON.parse(text) as Readonly<Record<string, unknown>>);
}

const xml = (members: Readonly<Record<string, unknown>>): string =>
  Object.entries(members)
    .map(([name, value]) => {
      const inner =
        typeof value === "object" && value !== null
          ? xml(value as Readonly<Record<string, unknown>>)
          : escape(String(value));
      return `<${name}>${inner}</${name}>`;
    })
    .join("");

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
