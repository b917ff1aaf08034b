import type { Credentials as Login, CredentialSource } from "../registry/credentials.ts";
import { anonymous } from "../registry/credentials.ts";
import type { FailureReason } from "../verdict/reasons.ts";
import { undecided, type Undecided } from "../verdict/verdict.ts";
import type { Credentials } from "./credentials.ts";
import { createEcrApi, type EcrCaller } from "./ecr-api.ts";
import { isPublicEcr, parseEcrHost } from "./ecr-host.ts";
import { isFailure, type AwsFailure, type FailureKind } from "./failure.ts";
import { partitionOf, partitionOfArn, type EndpointKind } from "./partition.ts";
import {
  createRenewed,
  toFetchEvent,
  type Clocks,
  type FetchEvent,
  type Lent,
  type Renewed,
  type RenewedState,
} from "./renewed.ts";
import type { SdkSettings } from "./sdk.ts";
import { createSigningStatus, type SigningStatusOf } from "./signing-status.ts";

export interface EcrOptions extends Clocks, EndpointKind {
  /** Accounts whose registries get a token, twelve digits; `*` is every account. */
  readonly accounts: readonly string[];
  /** Regions that tokens are fetched for, each before anybody asks. Empty: any, when somebody asks. */
  readonly regions: readonly string[];
  /** ARN of the role to assume for the registries of an account. */
  readonly roles: ReadonlyMap<string, string>;
  readonly credentials: Credentials;
  readonly sdk: SdkSettings;
  /** `https://host` of ECR's own interface in place of AWS's own in a region. */
  readonly endpoint?: (region: string) => string | undefined;
  /** Milliseconds that one attempt may take, and a token or an answer with its second attempt. */
  readonly requestTimeoutMs: number;
  readonly deadlineMs: number;
  readonly observe?: (event: EcrEvent) => void;
}

/** What was asked of ECR's own interface. */
export interface EcrEvent extends FetchEvent {
  readonly service: "ecr";
  readonly operation: "token" | "signingStatus";
  readonly region: string;
  /** ARN of the role that asked; the provider's own otherwise. */
  readonly role?: string;
}

/** A token that is held, or that could not be had. */
export interface TokenState extends RenewedState {
  readonly region: string;
  readonly role?: string;
}

/** Amazon ECR, as far as the configuration names its accounts. */
export interface Ecr {
  /**
   * Who we are to a registry. Pure: no name is looked up, nothing is fetched.
   * @param host as images name it
   * @returns undefined when it is not ECR by the grammar, or of an account or region that the configuration does not name: it
   *   gets nothing of AWS
   */
  sourceFor(host: string): CredentialSource | undefined;
  /** What ECR knows of an image without a signature; undefined where {@link Ecr.sourceFor} is. Rejects with the signal's reason. */
  readonly signingStatus: SigningStatusOf;
  /**
   * Fetches tokens before anybody asks, and keeps at it until they are there: those of registries, and of the regions that are
   * listed; the first of them where a configuration names very many.
   * @param hosts of registries, as images name them; those that are none of ours are passed over
   */
  prefetch(hosts?: readonly string[]): void;
  states(): readonly TokenState[];
  close(): void;
}

/** Tokens that are fetched before anybody asks; AWS gives some twenty in a second. */
const MAX_PREFETCHED = 128;

/** The user that tokens of ECR belong to. */
const USERNAME = "AWS";

/**
 * @throws Error with a sentence for a region of no partition that is known: nobody knows whom to ask there
 * @see docs/threat-model.md, T-31, docs/reliability.md, F-11 and F-15
 */
export function createEcr(options: EcrOptions): Ecr {
  const { accounts, regions, roles, now, observe } = options;
  const stray = regions.find((region) => partitionOf(region) === undefined);
  if (stray !== undefined) throw new Error(`no partition of AWS has the region ${stray}`);
  const api = createEcrApi(options);
  const tokens = new Map<string, { readonly caller: EcrCaller; readonly login: Renewed<Login> }>();
  const askSigningStatus = createSigningStatus({ ...options, api });

  const callerFor = (host: string): (EcrCaller & { readonly account: string }) | undefined => {
    const parsed = parseEcrHost(host);
    if (parsed === undefined) return undefined;
    const { account, region } = parsed;
    if (!accounts.includes(account) && !accounts.includes("*")) return undefined;
    if (regions.length > 0 && !regions.includes(region)) return undefined;
    return { account, region, role: roles.get(account) };
  };

  /** One token opens every registry of the region that the caller may read. A region is of one partition. */
  const loginOf = ({ region, role }: EcrCaller): Renewed<Login> => {
    const name = `${region} ${role ?? ""}`;
    const known = tokens.get(name);
    if (known !== undefined) return known.login;
    const caller = { region, role };
    const login = createRenewed<Login>({
      ...options,
      fetch: async (deadline) => await fetchLogin(caller, deadline),
      late: { failure: "unreachable", sentence: "ECR did not give a token in time" },
      tell: (event) => tell("token", caller, event),
    });
    tokens.set(name, { caller, login });
    return login;
  };

  const fetchLogin = async (
    caller: EcrCaller,
    deadline: AbortSignal,
  ): Promise<Lent<Login> | AwsFailure> => {
    const token = await api.token(caller, deadline);
    if (isFailure(token)) return token;
    return { ...token, value: { username: USERNAME, password: token.value } };
  };

  const tell = (
    operation: EcrEvent["operation"],
    { region, role }: EcrCaller,
    event: FetchEvent,
  ): void =>
    observe?.({
      service: "ecr",
      operation,
      region,
      ...(role !== undefined && { role }),
      ...event,
    });

  return {
    sourceFor(host) {
      if (isPublicEcr(host)) return anonymous();
      const caller = callerFor(host);
      if (caller === undefined) return undefined;
      return async (refused) => {
        const login = loginOf(caller);
        const answer =
          refused === undefined ? await login.current(NEVER) : await login.replace(refused, NEVER);
        return isFailure(answer) ? toUndecided(answer) : answer;
      };
    },
    async signingStatus(host, repository, digest, signal) {
      const caller = callerFor(host);
      if (caller === undefined) return undefined;
      const startedAt = now();
      const status = await askSigningStatus(
        { region: caller.region, role: caller.role },
        { account: caller.account, repository, digest },
        signal,
      );
      const answer = status.kind === "unknown" ? status.why : status;
      tell("signingStatus", caller, toFetchEvent(answer, now() - startedAt));
      return status;
    },
    prefetch(hosts = []) {
      const everyRole = new Set([undefined, ...roles.values()]);
      const named = accounts.includes("*")
        ? everyRole
        : new Set(accounts.map((account) => roles.get(account)));
      const ofHosts = hosts.map(callerFor).filter((caller) => caller !== undefined);
      const ofRegions = regions.flatMap((region) =>
        [...named]
          // A role is nobody in another partition than its own.
          .filter((role) => role === undefined || partitionOf(region) === partitionOfArn(role))
          .map((role) => ({ region, role })),
      );
      for (const caller of [...ofHosts, ...ofRegions]) {
        if (tokens.size >= MAX_PREFETCHED) return;
        loginOf(caller).keepWarm();
      }
    },
    states: () =>
      [...tokens.values()].map(({ caller: { region, role }, login }) =>
        Object.assign(login.state(), { region }, role === undefined ? {} : { role }),
      ),
    close() {
      for (const { login } of tokens.values()) login[Symbol.dispose]();
      api[Symbol.dispose]();
    },
  };
}

/** A deadline of its own bounds every fetch; who waits has another. */
const NEVER = new AbortController().signal;

const REASONS: Readonly<Record<FailureKind, FailureReason>> = {
  denied: "REGISTRY_UNAUTHORIZED",
  expired: "REGISTRY_UNAUTHORIZED",
  missing: "REGISTRY_UNAUTHORIZED",
  throttled: "REGISTRY_THROTTLED",
  unreachable: "REGISTRY_UNREACHABLE",
};

const toUndecided = ({ failure, sentence }: AwsFailure): Undecided =>
  undecided(REASONS[failure], sentence);
