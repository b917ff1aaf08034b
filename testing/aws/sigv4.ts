/** Signature Version 4 as AWS checks it. @see IAM User Guide, "Create a signed AWS API request" */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** What was signed, as it came. */
export interface SignedRequest {
  readonly method: string;
  /** Path with query, as it was sent. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What the `Authorization` says of itself. */
export interface Scope {
  readonly accessKeyId: string;
  /** `20260102` */
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  /** 64 hexadecimal digits. */
  readonly signature: string;
}

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=(?<accessKeyId>[A-Z0-9]+)\/(?<date>\d{8})\/(?<region>[a-z0-9-]+)\/(?<service>[a-z0-9-]+)\/aws4_request, SignedHeaders=(?<signedHeaders>[a-z0-9;-]+), Signature=(?<signature>[0-9a-f]{64})$/;

/** @returns undefined when it is no `Authorization` of this kind */
export function parseScope(authorization: string): Scope | undefined {
  const groups = AUTHORIZATION.exec(authorization)?.groups;
  if (groups === undefined) return undefined;
  const { accessKeyId = "", date = "", region = "", service = "", signature = "" } = groups;
  const signedHeaders = (groups["signedHeaders"] ?? "").split(";");
  return { accessKeyId, date, region, service, signedHeaders, signature };
}

/** Milliseconds since the epoch of an `x-amz-date`, `20260102T030405Z`; NaN when it is none. */
export function parseAmzDate(text: string): number {
  const parts = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/.exec(text);
  if (parts === null) return Number.NaN;
  const [, year, month, day, hour, minute, second] = parts;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

/** `20260102T030405Z` */
export const amzDate = (ms: number): string =>
  new Date(ms).toISOString().replace(/[-:]|\.\d+/g, "");

/**
 * Headers that a service wants signed, of those that came.
 * @see IAM User Guide, "Elements of an AWS API request signature"
 */
const MUST_BE_SIGNED = ["host", "x-amz-date", "x-amz-security-token", "x-amz-target"];

/** Whether the signature is that of this secret, and over everything that it must be over. */
export function isSignedBy(secret: string, scope: Scope, request: SignedRequest): boolean {
  const { headers, body } = request;
  const missing = MUST_BE_SIGNED.filter(
    (name) => headers[name] !== undefined && !scope.signedHeaders.includes(name),
  );
  if (missing.length > 0) return false;
  const payload = sha256(body);
  const claimed = headers["x-amz-content-sha256"];
  if (claimed !== undefined && claimed !== payload) return false;
  const [path = "/", query = ""] = request.target.split("?", 2);
  const canonical = [
    request.method,
    // Every service but S3 encodes the path that is sent once more.
    encode(path).replaceAll("%2F", "/"),
    canonicalQuery(query),
    ...scope.signedHeaders.map((name) => `${name}:${oneSpace(headers[name])}`),
    "",
    scope.signedHeaders.join(";"),
    payload,
  ].join("\n");
  const credentialScope = `${scope.date}/${scope.region}/${scope.service}/aws4_request`;
  const date = String(headers["x-amz-date"] ?? "");
  const text = ["AWS4-HMAC-SHA256", date, credentialScope, sha256(canonical)].join("\n");
  let key: string | Buffer = `AWS4${secret}`;
  for (const part of [scope.date, scope.region, scope.service, "aws4_request"]) {
    key = hmac(key, part);
  }
  return timingSafeEqual(hmac(key, text), Buffer.from(scope.signature, "hex"));
}

const sha256 = (data: string | Buffer): string => createHash("sha256").update(data).digest("hex");

const hmac = (key: string | Buffer, data: string): Buffer =>
  createHmac("sha256", key).update(data).digest();

const oneSpace = (value: string | readonly string[] | undefined): string =>
  String(value ?? "")
    .trim()
    .replace(/ +/g, " ");

/** @see RFC 3986 2.3: everything but the unreserved characters is encoded */
const encode = (text: string): string =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );

const canonicalQuery = (query: string): string =>
  query
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const [name = "", value = ""] = pair.split("=", 2);
      return `${encode(decodeURIComponent(name))}=${encode(decodeURIComponent(value))}`;
    })
    .toSorted()
    .join("&");
