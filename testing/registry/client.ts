import {
  createRegistryClient,
  type RegistryClientOptions,
} from "../../provider/registry/client.ts";
import { anonymous } from "../../provider/registry/credentials.ts";
import type { RegistryEvent, RegistryOptions } from "../../provider/registry/options.ts";
import type { RegistryClient } from "../../provider/registry/registry.ts";
import type { Target } from "./target.ts";

export interface TestClientOptions extends Partial<RegistryOptions> {
  readonly target: Target;
  /** Host as images name it. Default the target's. */
  readonly host?: string;
  /** Default a clock that stands still. */
  readonly now?: () => number;
  readonly resolve?: RegistryClientOptions["resolve"];
  /** What is opened by its host alone, by what differs from the one registry. */
  readonly open?: (host: string) => Partial<RegistryOptions> | undefined;
}

export interface TestClient extends AsyncDisposable {
  readonly client: RegistryClient;
  readonly host: string;
  readonly events: readonly RegistryEvent[];
  /** Milliseconds of each wait before a retry, none of which takes any time. */
  readonly waits: readonly number[];
}

/** A client of one registry on loopback: anonymous and patient unless the options say otherwise. */
export function createTestClient(options: TestClientOptions): TestClient {
  const { target, now = () => 0, resolve, open, ...overrides } = options;
  const events: RegistryEvent[] = [];
  const waits: number[] = [];
  const registry: RegistryOptions = {
    host: new URL(target.url).host,
    endpoint: target.url,
    ...(target.ca !== undefined && { ca: target.ca }),
    credentials: anonymous(),
    tokenHosts: [],
    blobHosts: [],
    allowedAddresses: ["127.0.0.1/32"],
    concurrency: 8,
    maxWaiting: 100,
    requestTimeoutMs: 10_000,
    ...overrides,
  };
  const client = createRegistryClient({
    registries: [registry],
    observe: (event) => events.push(event),
    now,
    wait: async (ms, signal) => {
      signal.throwIfAborted();
      waits.push(ms);
    },
    ...(resolve !== undefined && { resolve }),
    open: (host) => {
      const opened = open?.(host);
      return opened && { ...registry, host, ...opened };
    },
  });
  return {
    client,
    host: registry.host,
    events,
    waits,
    [Symbol.asyncDispose]: () => client.close(),
  };
}
