/**
 * A registry with ECR's manners, in front of a real one: Basic with the tokens of a `createEcrDouble`, 401 with a Basic challenge for nobody,
 * 403 without a challenge for a token that has expired, blobs by redirect to another host, as ECR sends to S3.
 *
 *   await using registry = await startEcrRegistry({ ecr, upstream: olareg, host: WEST });
 *   createTestClient({ target: registry, host: registry.ecrHost, credentials, blobHosts: [registry.blobHost] });
 *   registry.deny("app");                      // 403 with ECR's words, whatever the token, until `allow`
 *   registry.throttle();                       // 429 for everybody, until `release`
 *   registry.on("GET /v2/app/manifests/v1", status(503));
 *   registry.bucket.count(/^GET /);            // what was asked of the other host
 */
import { json, pass, redirect, slow, type Answer } from "../registry/answers.ts";
import type { Target } from "../registry/target.ts";
import { startUnruly, type Unruly } from "../registry/unruly.ts";
import type { EcrDouble } from "./ecr.ts";

/** `111122223333.dkr.ecr.eu-west-1.amazonaws.com` */
export const WEST = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";

export interface EcrRegistryOptions {
  readonly ecr: EcrDouble;
  /** Where the images are. */
  readonly upstream: Target;
  /** As images name it. Default {@link WEST}. */
  readonly host?: string;
  /** Tokens of other regions are refused. Default any region. */
  readonly region?: string;
  /** Milliseconds that every answer takes, here and at the other host; for benches. Default none. */
  readonly distanceMs?: number;
}

export interface EcrRegistry extends Unruly {
  /** As images name it; nobody looks it up, because the target's URL is the endpoint. */
  readonly ecrHost: string;
  /** The host that blobs come from. */
  readonly bucket: Unruly;
  /** `127.0.0.1:5001` */
  readonly blobHost: string;
  /** As the configuration names it under `registries`. */
  readonly entry: Readonly<Record<string, unknown>>;
  /** Nobody may read the repository any more. */
  deny(repository: string): void;
  allow(repository: string): void;
  /** Everybody is asked for fewer requests. */
  throttle(): void;
  release(): void;
}

/** `/v2/<repository>/<kind>/<reference>` */
const PATH = /^\/v2\/(?<repository>.+)\/(?<kind>manifests|blobs|referrers)\/(?<reference>[^/?]+)/;

/** What S3 answers: a signed URL wants no other credentials. */
const withoutCredentials: Answer = (exchange) => {
  if (exchange.request.headers.authorization === undefined) return pass()(exchange);
  return json({ code: "InvalidArgument" }, { status: 400 })(exchange);
};

/** A signed URL is of no use to anyone else, and not for long. */
const SIGNED = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=3600&X-Amz-Signature=";

export async function startEcrRegistry(options: EcrRegistryOptions): Promise<EcrRegistry> {
  const { ecr, upstream, region, host = WEST } = options;
  const { distanceMs = 0 } = options;
  const far = (answer: Answer): Answer => (distanceMs === 0 ? answer : slow(distanceMs, answer));
  const denied = new Set<string>();
  let isThrottled = false;
  await using parts = new AsyncDisposableStack();
  const bucket = parts.use(await startUnruly({ upstream }));
  const registry = parts.use(await startUnruly({ upstream }));

  const answer: Answer = (exchange) => {
    const { request } = exchange;
    const { repository = "", kind } = PATH.exec(request.url ?? "")?.groups ?? {};
    const refuse = (code: number, text: string, headers = {}): void | Promise<void> =>
      json({ errors: [{ code: "DENIED", message: text }] }, { status: code, headers })(exchange);
    if (isThrottled) {
      const errors = [{ code: "TOOMANYREQUESTS", message: "Rate exceeded" }];
      return json({ errors }, { status: 429 })(exchange);
    }
    switch (ecr.accepts(request.headers.authorization ?? "", region)) {
      case "unknown":
        return refuse(401, "Not Authorized", {
          "www-authenticate": `Basic realm="https://${host}/",service="ecr.amazonaws.com"`,
        });
      case "expired":
        return refuse(403, "Your authorization token has expired. Reauthenticate and try again.");
      case "ok":
        break;
    }
    if (denied.has(repository)) {
      return refuse(
        403,
        `User: arn:aws:sts::111122223333:assumed-role/provider/session is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:eu-west-1:111122223333:repository/${repository} because no resource-based policy allows the ecr:BatchGetImage action`,
      );
    }
    if (kind === "blobs") return redirect(`${bucket.url}${request.url}?${SIGNED}00`)(exchange);
    // The real one behind it wants to see none of this.
    delete request.headers.authorization;
    return pass()(exchange);
  };
  registry.on(/^GET /, far(answer));
  // Whoever sends credentials along is told as S3 tells him.
  bucket.on(/^GET /, far(withoutCredentials));
  const owned = parts.move();
  return {
    ...registry,
    ecrHost: host,
    bucket,
    blobHost: bucket.host,
    entry: {
      host,
      endpoint: registry.url,
      plainHttp: true,
      allowedAddresses: ["127.0.0.0/8"],
      blobHosts: [bucket.host],
      credentials: { aws: true },
    },
    deny: (repository) => void denied.add(repository),
    allow: (repository) => void denied.delete(repository),
    throttle: () => void (isThrottled = true),
    release: () => void (isThrottled = false),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
