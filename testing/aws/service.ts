import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import type { Issuer } from "./keys.ts";
import type { Asked, AwsError, Protocol, Written } from "./protocol.ts";

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

/** An answer that is an error. @see refusal */
export class Refused {
  readonly error: AwsError;
  constructor(error: AwsError) {
    this.error = error;
  }
}

/** What an operation answers when it refuses. */
export const refusal = (status: number, code: string, message: string): Refused =>
  new Refused({ status, code, message });

/** AWS's own words, which name the caller, the action and the resource. */
export function denial(call: Call, { name, protocol, operations }: Service): AwsError {
  const [status, code] = protocol.errors.denied;
  const action = `${name}:${call.operation}`;
  const resource = operations.get(call.operation)?.resource?.(call) ?? "*";
  const message = `User: ${call.principal} is not authorized to perform: ${action} on resource: ${resource} because no identity-based policy allows the ${action} action`;
  return { status, code, message };
}

/** Sends it as it is. */
export function send(response: ServerResponse, { status, headers, body }: Written): void {
  response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) });
  response.end(body);
}
