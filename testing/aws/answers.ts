// What may answer a request to AWS on loopback in place of the operation. See `wire.ts`.
import type { IncomingMessage, ServerResponse } from "node:http";
import { EXPIRED } from "./keys.ts";
import type { AwsError, CommonError } from "./protocol.ts";
import { denial, send, type Call, type Service } from "./service.ts";

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
