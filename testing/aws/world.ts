/**
 * The provider's way to ECR against AWS on loopback, on a clock that goes only when it is told to.
 *
 *   const world = await createWorld(t, { accounts: ["*"] });
 *   await world.ecr.sourceFor(WEST)?.();
 *   world.pass(3_600_000);          // an hour later, for the provider and for AWS alike; timers that are due fire
 *   await world.until(() => …);     // lets what is under way on the network arrive
 */
import type { TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";
import { createCredentials, type Credentials } from "../../provider/aws/credentials.ts";
import { createEcr, type Ecr, type EcrEvent, type EcrOptions } from "../../provider/aws/ecr.ts";
import type { AwsEnvironment } from "../../provider/aws/environment.ts";
import { createSdk } from "../../provider/aws/sdk.ts";
import type { Schedule } from "../../provider/lib/deadline.ts";
import { issueLoopback } from "../registry/olareg.ts";
import { createEcrDouble, type EcrDouble } from "./ecr.ts";
import { createPodIdentity, type PodIdentity } from "./pod-identity.ts";
import { createSts, type Sts } from "./sts.ts";
import { startAws, type Aws } from "./wire.ts";

/** Of a caller with all the time in the world. */
export const never = new AbortController().signal;

export interface WorldOptions {
  /** Default `111122223333`. */
  readonly accounts?: readonly string[];
  readonly regions?: readonly string[];
  readonly roles?: EcrOptions["roles"];
  /** Who the provider is. Default keys of the server's user. */
  readonly environment?: (aws: Aws) => AwsEnvironment;
  /** What chance says. Default 0.5. */
  readonly random?: number;
  /** Plain HTTP unless given; whether the provider trusts the certificate. */
  readonly tls?: "trusted" | "unknown";
}

export interface World {
  readonly aws: Aws;
  readonly double: EcrDouble;
  readonly sts: Sts;
  readonly agent: PodIdentity;
  readonly credentials: Credentials;
  readonly ecr: Ecr;
  readonly events: readonly EcrEvent[];
  /** Lets time pass on every clock, and fires the timers that are due. @param ms milliseconds */
  pass(ms: number): void;
  /** Sets clocks that tell the time of day, and no others. @param ms milliseconds from where they would be */
  setWall(ms: number, whose?: "both" | "ours alone"): void;
  /** Milliseconds from now of the timers that are set. */
  timers(): readonly number[];
  /** Waits on the network for something to become true; pauses of less than half a second pass meanwhile. */
  until(isSo: () => boolean | Promise<boolean>): Promise<void>;
  /** Waits for a promise, and lets what it waits for fall due meanwhile. Only pauses of less than half a second pass. */
  passing<T>(promise: Promise<T>): Promise<T>;
}

const START_MS = Date.parse("2026-11-02T10:00:00Z");

export async function createWorld(t: TestContext, options: WorldOptions = {}): Promise<World> {
  const clock = { ms: 0, wallMs: 0, awsMs: 0 };
  const timers = new Set<{ readonly at: number; readonly callback: () => void }>();
  const events: EcrEvent[] = [];
  const schedule: Schedule = (ms, callback) => {
    const timer = { at: clock.ms + ms, callback };
    timers.add(timer);
    return { cancel: () => void timers.delete(timer) };
  };
  // Before Date stands still: OpenSSL compares with the machine's clock.
  const pair = options.tls === undefined ? undefined : await issueLoopback();
  // AWS's SDK signs with Date, on our clock.
  t.mock.timers.enable({ apis: ["Date"], now: START_MS });
  const wallNow = (): number => START_MS + clock.ms + clock.wallMs;
  const tick = (ms: number): void => {
    clock.ms += ms;
    t.mock.timers.setTime(wallNow());
    for (const timer of timers) {
      if (timer.at > clock.ms) continue;
      timers.delete(timer);
      timer.callback();
    }
  };

  const [double, sts, agent] = [createEcrDouble(), createSts(), createPodIdentity()];
  const aws = await startAws({
    services: [double.service, sts.service, agent.service],
    now: () => START_MS + clock.ms + clock.awsMs,
    ...(pair !== undefined && { tls: pair }),
  });
  t.after(() => aws[Symbol.asyncDispose]());
  const sdk = createSdk({
    requestTimeoutMs: 60_000,
    ...(options.tls === "trusted" && pair !== undefined && { ca: pair.ca }),
  });
  t.after(() => sdk[Symbol.dispose]());
  const clocks = {
    now: () => clock.ms,
    wallNow,
    schedule,
    random: () => options.random ?? 0.5,
  };
  const kinds = { fips: false, dualStack: false };
  const credentials = createCredentials({
    ...clocks,
    ...kinds,
    environment: options.environment?.(aws) ?? { ...aws.credentials, region: "eu-west-1" },
    sdk: sdk.settings,
    instanceMetadata: false,
    stsEndpoint: () => aws.url,
    deadlineMs: 5000,
  });
  t.after(() => credentials.close());
  const ecr = createEcr({
    ...clocks,
    ...kinds,
    accounts: options.accounts ?? ["111122223333"],
    regions: options.regions ?? [],
    roles: options.roles ?? new Map(),
    credentials,
    sdk: sdk.settings,
    endpoint: () => aws.url,
    requestTimeoutMs: 900,
    deadlineMs: 5000,
    observe: (event) => events.push(event),
  });
  t.after(() => ecr.close());

  /** Pauses between attempts pass, and nothing that ends one does. */
  const turn = async (): Promise<void> => {
    const [next] = [...timers].map(({ at }) => at - clock.ms).toSorted((a, b) => a - b);
    if (next !== undefined && next < 500) tick(next);
    await setImmediate();
  };

  return {
    aws,
    double,
    sts,
    agent,
    credentials,
    ecr,
    events,
    pass: tick,
    setWall(ms, whose = "both") {
      clock.wallMs = ms;
      clock.awsMs = whose === "both" ? ms : 0;
      t.mock.timers.setTime(wallNow());
    },
    timers: () => [...timers].map(({ at }) => at - clock.ms),
    async until(isSo) {
      while (!(await isSo())) await turn();
    },
    async passing(promise) {
      const state = { isOver: false };
      const done = promise.finally(() => {
        state.isOver = true;
      });
      while (!state.isOver) await turn();
      return await done;
    },
  };
}
