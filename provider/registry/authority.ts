import { isRefusal, undecided, type Undecided } from "../verdict/verdict.ts";
import { parseChallenges, type Challenge } from "./challenge.ts";
import {
  askSource,
  basicHeader,
  isCredentials,
  type Credentials,
  type CredentialSource,
} from "./credentials.ts";
import type { Reply } from "./http.ts";
import type { Realm, Tokens } from "./tokens.ts";
import { untilAborted } from "../lib/deadline.ts";

export interface AuthorityOptions {
  readonly endpoint: URL;
  readonly tokenHosts: readonly string[];
  readonly source: CredentialSource;
  readonly tokens: Tokens;
}

/** How one registry wants to be addressed, as far as it has said. */
export interface Authority {
  /**
   * `Authorization` for a request about the repository: undefined while the registry has not asked for any.
   * @returns undecided when there ought to be one and there is none; rejects with the signal's reason
   */
  authorize(repository: string, signal: AbortSignal): Promise<string | undefined | Undecided>;
  /**
   * Learns from a refusal.
   * @param sent what {@link Authority.authorize} gave for the request
   * @returns undefined when asking once more may help, with what `authorize` then gives; otherwise why not
   */
  learn(repository: string, sent: string | undefined, reply: Reply): Undecided | undefined;
}

type Scheme = { readonly kind: "basic" } | { readonly kind: "bearer"; readonly realm: Realm };

const MAX_REALM_LENGTH = 2048;

/**
 * Remembers the scheme that a registry asked for, so that only the first request is refused, and the realm,
 * so that a further repository costs one request for its token.
 */
export function createAuthority({
  endpoint,
  tokenHosts,
  source,
  tokens,
}: AuthorityOptions): Authority {
  let scheme: Scheme | undefined;
  /** What was last sent as Basic, and what of it was refused since the source was last asked. */
  let sentBasic: { readonly header: string; readonly credentials: Credentials } | undefined;
  let refused: Credentials | undefined;

  const basic = async (): Promise<string | Undecided> => {
    const answer = await askSource(source, refused);
    refused = undefined;
    if (isRefusal(answer)) return answer;
    if (!isCredentials(answer)) {
      return unauthorized("the registry asks for credentials and there are none");
    }
    sentBasic = { header: basicHeader(answer), credentials: answer };
    return sentBasic.header;
  };

  const bearer = async (
    repository: string,
    realm: Realm,
    signal: AbortSignal,
  ): Promise<string | Undecided> => {
    const token = await tokens.pull(repository, realm, signal);
    return isRefusal(token) ? token : `${BEARER}${token}`;
  };

  const forget = (repository: string, sent: string): void => {
    if (sent.startsWith(BEARER)) tokens.drop(repository, sent.slice(BEARER.length));
    if (sentBasic?.header === sent) refused = sentBasic.credentials;
  };

  /** A realm that may see our credentials, or a request of ours at all. */
  const readRealm = ({ parameters }: Challenge): Realm | undefined => {
    const text = parameters.get("realm") ?? "";
    if (text.length > MAX_REALM_LENGTH || !URL.canParse(text)) return undefined;
    const url = new URL(text);
    const isOwn = url.host === endpoint.host;
    const isSafe =
      url.protocol === "https:" ||
      (url.protocol === "http:" && endpoint.protocol === "http:" && isOwn);
    const isBare = url.username === "" && url.password === "" && url.hash === "";
    if (!isSafe || !isBare || !(isOwn || tokenHosts.includes(url.host))) return undefined;
    return { url, service: parameters.get("service") };
  };

  const readScheme = (header: string | undefined): Scheme | Undecided => {
    const challenges = parseChallenges(header ?? "") ?? [];
    const bearer = challenges.find(({ scheme }) => scheme === "bearer");
    if (bearer !== undefined) {
      const realm = readRealm(bearer);
      return realm === undefined
        ? unauthorized("the registry sends us for a token where the configuration does not")
        : { kind: "bearer", realm };
    }
    return challenges.some(({ scheme }) => scheme === "basic")
      ? { kind: "basic" }
      : unauthorized("the registry refused the request and did not say what it wants");
  };

  return {
    async authorize(repository, signal) {
      const asked = scheme;
      if (asked === undefined) return undefined;
      const authorization =
        asked.kind === "basic"
          ? await untilAborted(basic(), signal)
          : await bearer(repository, asked.realm, signal);
      // Perhaps the registry wants something else by now, and only its next refusal would tell.
      if (isRefusal(authorization) && scheme === asked) scheme = undefined;
      return authorization;
    },
    learn(repository, sent, reply) {
      if (sent !== undefined) forget(repository, sent);
      const challenge = reply.header("www-authenticate");
      // Without a challenge the scheme stands, and what was sent is too old (ECR: 403, ECR Public: 400) or not enough.
      if (challenge === undefined && sent !== undefined) return undefined;
      const said = readScheme(challenge);
      if (isRefusal(said)) return said;
      scheme = said;
      return undefined;
    },
  };
}

const BEARER = "Bearer ";

const unauthorized = (sentence: string): Undecided => undecided("REGISTRY_UNAUTHORIZED", sentence);
