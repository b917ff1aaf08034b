/**
 * A registry of as many images as one likes: each is made when somebody asks for it, and none is kept. For loads that no
 * real registry would take in within minutes.
 *
 *   await using registry = await startMade({ envelope: (subject, index) => jws({ signer, subject }) });
 *   const { repository, digest } = registry.image(7);      // always the same ones
 */
import { createServer, type ServerResponse } from "node:http";
import { listen } from "../loopback.ts";
import type { Descriptor } from "../../provider/image/descriptor.ts";
import { digestOf } from "../../provider/image/digest.ts";
import { JWS } from "../signing/envelope.ts";
import type { Answer } from "./answers.ts";
import { OCI_INDEX, OCI_MANIFEST, SIGNATURE_TYPE } from "./push.ts";
import type { Target } from "./target.ts";

export interface MadeOptions {
  /** The JWS envelope of an image; undefined leaves it without a signature. */
  readonly envelope: (subject: Descriptor, index: number) => Buffer | undefined;
  /** Answers in place of the registry; undefined does not. Asked at every request. */
  readonly fault?: () => Answer | undefined;
}

/** An image that can be asked for. */
export interface MadeImage {
  /** `made/app-7` */
  readonly repository: string;
  readonly digest: string;
}

export interface Made extends Target, AsyncDisposable {
  /** `127.0.0.1:5000` */
  readonly host: string;
  image(index: number): MadeImage;
  /** Requests so far, and those of them that a fault answered. */
  counts(): { readonly requests: number; readonly faults: number };
}

/** What one image consists of. */
interface Parts {
  readonly subject: Buffer;
  readonly manifest?: Buffer;
  readonly envelope?: Buffer;
}

/** `/v2/made/app-7/manifests/sha256:…` */
const PATH =
  /^\/v2\/made\/app-(?<index>\d+)\/(?<kind>manifests|referrers|blobs)\/(?<name>[^/?]+)(?:\?|$)/;

/** Images whose parts are remembered while they are fetched: signing again would give another digest. */
const REMEMBERED = 1000;

const CONFIG = { mediaType: SIGNATURE_TYPE, digest: digestOf("{}"), size: 2 };

const subjectOf = (index: number): Buffer =>
  Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: {
        mediaType: "application/vnd.oci.image.config.v1+json",
        digest: digestOf(`configuration of ${index}`),
        size: 100,
      },
      layers: [],
    }),
  );

const describe = (mediaType: string, bytes: Buffer): Descriptor => ({
  mediaType,
  digest: digestOf(bytes),
  size: bytes.length,
});

function send(response: ServerResponse, mediaType: string, body: Buffer): void {
  response.writeHead(200, {
    "content-type": mediaType,
    "content-length": body.length,
    "docker-content-digest": digestOf(body),
  });
  response.end(body);
}

export async function startMade({ envelope: sign, fault }: MadeOptions): Promise<Made> {
  const remembered = new Map<number, Parts>();
  const counts = { requests: 0, faults: 0 };

  function make(index: number): Parts {
    const subject = subjectOf(index);
    const described = describe(OCI_MANIFEST, subject);
    const envelope = sign(described, index);
    if (envelope === undefined) return { subject };
    const manifest = {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: CONFIG,
      layers: [describe(JWS, envelope)],
      subject: described,
    };
    return { subject, manifest: Buffer.from(JSON.stringify(manifest)), envelope };
  }

  function partsOf(index: number): Parts {
    const parts = remembered.get(index) ?? make(index);
    remembered.set(index, parts);
    const [oldest] = remembered.keys();
    if (remembered.size > REMEMBERED && oldest !== undefined) remembered.delete(oldest);
    return parts;
  }

  function answer(url: string, response: ServerResponse): void {
    const { index, kind, name } = PATH.exec(url)?.groups ?? {};
    const { subject, manifest, envelope } = partsOf(Number(index));
    if (kind === "referrers") {
      const signatures =
        manifest === undefined
          ? []
          : [{ ...describe(OCI_MANIFEST, manifest), artifactType: SIGNATURE_TYPE }];
      const list = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: signatures };
      send(response, OCI_INDEX, Buffer.from(JSON.stringify(list)));
      return;
    }
    const candidates: readonly (readonly [string, Buffer | undefined])[] =
      kind === "blobs"
        ? [["application/octet-stream", envelope]]
        : [
            [OCI_MANIFEST, subject],
            [OCI_MANIFEST, manifest],
          ];
    for (const [mediaType, bytes] of candidates) {
      if (bytes === undefined || (name !== "v1" && digestOf(bytes) !== name)) continue;
      send(response, mediaType, bytes);
      return;
    }
    response.writeHead(404, { "content-length": 0 }).end();
  }

  const server = createServer((request, response) => {
    counts.requests += 1;
    request.on("error", () => {});
    response.on("error", () => {});
    const instead = fault?.();
    if (instead === undefined) {
      answer(request.url ?? "", response);
      return;
    }
    counts.faults += 1;
    Promise.resolve(instead({ request, response, upstream: undefined })).catch(() =>
      request.socket.destroy(),
    );
  });
  server.keepAliveTimeout = 60_000;
  const { port, end } = await listen(server);
  const host = `127.0.0.1:${port}`;
  return {
    host,
    url: `http://${host}`,
    image: (index) => ({
      repository: `made/app-${index}`,
      digest: digestOf(subjectOf(index)),
    }),
    counts: () => ({ ...counts }),
    [Symbol.asyncDispose]: end,
  };
}
