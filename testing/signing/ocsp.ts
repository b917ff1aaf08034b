/**
 * An OCSP responder on loopback, and the answers that it may give.
 *
 * - `startOcspResponder(answer)`: reads requests as RFC 6960 has them and hands out whatever `answer` says of the serial number
 * - `ocspAnswer(options)`: a signed answer about one certificate, in which one rule at a time may be broken
 * - `ocspRefusal(status)`: an answer that says nothing of a certificate and is signed by nobody
 */
import "reflect-metadata";
import { createHash, sign } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";
import {
  BasicOCSPResponse,
  CertID,
  CertStatus,
  id_pkix_ocsp_basic,
  KeyHash,
  OCSPRequest,
  OCSPResponse,
  OCSPResponseStatus,
  ResponderID,
  ResponseBytes,
  ResponseData,
  RevokedInfo,
  SingleResponse,
} from "@peculiar/asn1-ocsp";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import { AlgorithmIdentifier, Certificate } from "@peculiar/asn1-x509";
import { listen } from "../loopback.ts";
import type { Authority, SigningIdentity } from "./authority.ts";

interface OcspAnswerOptions {
  /** Whose certificate it is that the answer is about. */
  readonly authority: Authority;
  /** Of the certificate, hexadecimal. */
  readonly serial: string;
  readonly status: "good" | "revoked" | "unknown";
  /** With a key on P-256. Default the issuing certificate, which need not be sent along; any other is. */
  readonly signer?: SigningIdentity;
  /** From when on the answer is true. Default an hour ago. */
  readonly thisUpdate?: Date;
  /** Until when. Default in a day; `none` leaves it out, which says that there may be news at any time. */
  readonly nextUpdate?: Date | "none";
}

/** A responder that Notation can be sent to. Dispose of it to end it. */
export interface OcspResponder extends AsyncDisposable {
  /** `http://127.0.0.1:<port>/ocsp` */
  readonly url: string;
  /** Serial numbers that were asked about, hexadecimal, in order. */
  readonly asked: readonly string[];
}

const SHA_1 = "1.3.14.3.2.26";
const ECDSA_WITH_SHA_256 = "1.2.840.10045.4.3.2";
/** Milliseconds. */
const SECOND = 1000;
const HOUR = 3600 * SECOND;
/** Whole seconds, as RFC 5280 4.1.2.5.2 has times. */
const whole = (time: Date): Date => new Date(time.getTime() - (time.getTime() % SECOND));
const from = (ms: number): Date => new Date(Date.now() + ms);

/** @returns DER @see RFC 6960 4.2.1 */
export function ocspAnswer(options: OcspAnswerOptions): Buffer {
  const { authority, serial, signer = authority.issuing } = options;
  const { nextUpdate = from(24 * HOUR) } = options;
  const thisUpdate = whole(options.thisUpdate ?? from(-HOUR));
  const [issuer, certificate] = [authority.issuing, signer].map(({ chain: [der] }) =>
    AsnConvert.parse(der ?? Buffer.alloc(0), Certificate),
  );
  if (issuer === undefined || certificate === undefined) throw new TypeError("no certificate");
  const tbsResponseData = new ResponseData({
    responderID: new ResponderID({ byKey: new KeyHash(keyHash(certificate)) }),
    producedAt: thisUpdate,
    responses: [
      new SingleResponse({
        certID: new CertID({
          hashAlgorithm: new AlgorithmIdentifier({ algorithm: SHA_1, parameters: null }),
          issuerNameHash: new OctetString(
            sha1(Buffer.from(AsnConvert.serialize(issuer.tbsCertificate.subject))),
          ),
          issuerKeyHash: new OctetString(keyHash(issuer)),
          serialNumber: integerOf(serial),
        }),
        certStatus: statusOf(options.status, thisUpdate),
        thisUpdate,
        ...(nextUpdate !== "none" && { nextUpdate: whole(nextUpdate) }),
      }),
    ],
  });
  const signed = Buffer.from(AsnConvert.serialize(tbsResponseData));
  const response = new BasicOCSPResponse({
    tbsResponseData,
    signatureAlgorithm: new AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA_256 }),
    signature: bytes(sign("sha256", signed, signer.privateKey)),
    ...(signer !== authority.issuing && { certs: [certificate] }),
  });
  return Buffer.from(
    AsnConvert.serialize(
      new OCSPResponse({
        responseStatus: OCSPResponseStatus.successful,
        responseBytes: new ResponseBytes({
          responseType: id_pkix_ocsp_basic,
          response: new OctetString(AsnConvert.serialize(response)),
        }),
      }),
    ),
  );
}

/** @returns DER @see RFC 6960 4.2.1, "responseStatus" */
export const ocspRefusal = (
  status: Exclude<keyof typeof OCSPResponseStatus, "successful">,
): Buffer =>
  Buffer.from(
    AsnConvert.serialize(new OCSPResponse({ responseStatus: OCSPResponseStatus[status] })),
  );

/** @param answer DER of what is said about a serial number, hexadecimal, whether that is an answer to the question or not */
export async function startOcspResponder(
  answer: (serial: string) => Buffer,
): Promise<OcspResponder> {
  const asked: string[] = [];
  const respond = async (request: IncomingMessage): Promise<Buffer> => {
    const { tbsRequest } = AsnConvert.parse(await questionOf(request), OCSPRequest);
    const serials = tbsRequest.requestList.map(({ reqCert }) =>
      Buffer.from(reqCert.serialNumber).toString("hex").replace(/^00/, ""),
    );
    asked.push(...serials);
    return answer(serials[0] ?? "");
  };
  const server = createServer((request, response) => {
    void respond(request).then(
      (body) => response.setHeader("content-type", "application/ocsp-response").end(body),
      () => response.end(ocspRefusal("malformedRequest")),
    );
  });
  const { port, end } = await listen(server);
  return {
    url: `http://127.0.0.1:${port}/ocsp`,
    asked,
    [Symbol.asyncDispose]: end,
  };
}

/** Of the path for a GET, of the body for a POST. @see RFC 6960 A.1 */
async function questionOf(request: IncomingMessage): Promise<Buffer> {
  if (request.method === "POST") return await buffer(request);
  const text = request.url?.slice("/ocsp/".length) ?? "";
  return Buffer.from(decodeURIComponent(text), "base64");
}

function statusOf(status: OcspAnswerOptions["status"], since: Date): CertStatus {
  switch (status) {
    case "good":
      return new CertStatus({ good: null });
    case "revoked":
      return new CertStatus({ revoked: new RevokedInfo({ revocationTime: since }) });
    case "unknown":
      return new CertStatus({ unknown: null });
  }
}

/** Of a positive number, hexadecimal: a first bit that is set would make it a negative one. @see X.690 8.3 */
const integerOf = (serial: string): ArrayBuffer =>
  bytes(Buffer.from(/^[89a-f]/.test(serial) ? `00${serial}` : serial, "hex"));

/** @see RFC 6960 4.2.1, "KeyHash": of the key's bits alone */
const keyHash = ({ tbsCertificate }: Certificate): ArrayBuffer =>
  sha1(Buffer.from(tbsCertificate.subjectPublicKeyInfo.subjectPublicKey));

const sha1 = (data: Buffer): ArrayBuffer => bytes(createHash("sha1").update(data).digest());

const bytes = (data: Buffer): ArrayBuffer => Uint8Array.from(data).buffer;
