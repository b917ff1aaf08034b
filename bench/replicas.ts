import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { startBalancer } from "../testing/cluster/balancer.ts";
import { createCaller, type Caller, type CallerOptions } from "../testing/gatekeeper/caller.ts";
import { createAuthorities, type Authorities } from "../testing/gatekeeper/certificates.ts";
import { SUCCEEDS } from "../testing/notation/behaviours.ts";
import { createFakeNotation, type FakeNotation } from "../testing/notation/fake-notation.ts";
import type { RunningProvider } from "../testing/provider/start.ts";
import { pass, reset, status } from "../testing/registry/answers.ts";
import { startMade, type Made } from "../testing/registry/made.ts";
import { startUnruly } from "../testing/registry/unruly.ts";
import { createAuthority } from "../testing/signing/authority.ts";
import { jws } from "../testing/signing/envelope.ts";
import type { HotLoad, HotReport } from "./hot.ts";
import { pushSigned } from "./images.ts";
import { answersOf, sumOf, vitalsOf } from "./processes.ts";
import type { Row } from "./report.ts";
import type { Setting } from "./setting.ts";
import { measure, quantile } from "./statistics.ts";

type Progress = (text: string) => void;

/** Replicas of the Deployment. */
const REPLICAS = 3;

/** The provider answers within 1.8 s; the rest is the caller's and a busy machine's. */
const LATE_MS = 2000;

/** Milliseconds that the fake Notation takes. */
const RUN_MS = 300;
/** Its runs at once, of each replica. */
const RUNS = 8;

/** Providers behind one address, as a Deployment's are behind their Service. */
interface Replicas extends AsyncDisposable {
  readonly providers: readonly RunningProvider[];
  /** Of callers that reach one of them each. */
  readonly direct: readonly CallerOptions[];
  /** Reaches all of them. */
  caller(): Caller;
}

async function startReplicas(
  start: (authorities: Authorities, index: number) => Promise<RunningProvider>,
): Promise<Replicas> {
  await using parts = new AsyncDisposableStack();
  const authorities = await createAuthorities();
  const providers: RunningProvider[] = [];
  for (let index = 0; index < REPLICAS; index += 1) {
    providers.push(parts.use(await start(authorities, index)));
  }
  const balancer = parts.use(await startBalancer(providers.map(({ url }) => url)));
  const { ca, gatekeeper } = authorities;
  const optionsOf = ({ url }: { readonly url: string }): CallerOptions => ({
    url,
    ca,
    cert: gatekeeper.cert,
    key: gatekeeper.key,
  });
  const owned = parts.move();
  return {
    providers,
    direct: providers.map(optionsOf),
    caller() {
      const caller = createCaller(optionsOf(balancer));
      owned.defer(async () => await caller.close());
      return caller;
    },
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

/**
 * Replicas with a Notation each that takes its time, before a registry of as many images as one likes.
 * @param deadline of one verification, `60s`
 */
async function startSlow(setting: Setting, deadline: string) {
  await using parts = new AsyncDisposableStack();
  const authority = await createAuthority({ name: "bench" });
  const signer = await authority.issue({ commonName: "bench" });
  const made: Made = parts.use(
    await startMade({ envelope: (subject) => jws({ signer, subject }) }),
  );
  const fakes: FakeNotation[] = [];
  const replicas = parts.use(
    await startReplicas(async (authorities) => {
      const verify = `sleep ${RUN_MS / 1000}\n${SUCCEEDS}`;
      const fake = parts.use(await createFakeNotation({ verify }));
      fakes.push(fake);
      return await setting.provider({
        authorities,
        registry: made,
        notation: fake.path,
        overrides: { notation: { concurrency: RUNS }, verification: { deadline } },
      });
    }),
  );
  const owned = parts.move();
  return {
    replicas,
    fakes,
    key(index: number): string {
      const { repository, digest } = made.image(index);
      return `${made.host}/${repository}@${digest}`;
    },
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

/** L-3 with replicas: a thousand distinct images at once after the start. @param share of them */
async function burst(setting: Setting, progress: Progress, share: number): Promise<Row[]> {
  const images = 1000 * share;
  await using slow = await startSlow(setting, "60s");
  progress(`L-3 ${images} distinct images at once, ${REPLICAS} replicas`);
  const caller = slow.replicas.caller();
  const batches = Array.from({ length: images / 10 }, (_, batch) =>
    Array.from({ length: 10 }, (__, index) => slow.key(batch * 10 + index)),
  );
  const decided = new Set<string>();
  const answers: number[] = [];
  const began = performance.now();
  while (decided.size < images && performance.now() - began < 90_000) {
    const open = batches.filter((batch) => batch.some((key) => !decided.has(key)));
    await measure(open, 100, async (batch) => {
      const start = performance.now();
      const { response } = await caller.ask(batch);
      answers.push(performance.now() - start);
      for (const { key } of response.response.items) decided.add(key);
    });
  }
  const seconds = (performance.now() - began) / 1000;
  const late = answers.filter((ms) => ms > LATE_MS).length;
  const own = await Promise.all(
    slow.replicas.providers.map(async (each) => answersOf((await vitalsOf(each)).metrics).late),
  );
  const runs = slow.fakes.map((fake) => fake.runs());
  return [
    {
      id: "L-3",
      what: `${images} distinct cold images in ${batches.length} requests at once, retried, ${REPLICAS} replicas; Notation ${RUN_MS} ms, ${RUNS} at a time each`,
      measured: `all decided after ${seconds.toFixed(0)} s, ${runs.join(", ")} runs, slowest answer ${quantile(answers, 1).toFixed(0)} ms; ${own.join(", ")} late of ${answers.length} by the providers' clocks, ${late} by the caller's`,
      target: "every answer by the deadline, all decided in 60 s, no run twice on a replica",
      met:
        own.every((count) => count === 0) &&
        seconds <= 60 &&
        decided.size === images &&
        runs.every((count) => count <= images),
      limit: `1,000 × ${RUN_MS} ms ÷ 24 = 12.5 s if no retry came to another replica, 37.5 s if all came to all`,
    },
  ];
}

/** L-4: ten times more new images than can be judged, and images that are cached. @param share of the time */
async function overload(setting: Setting, progress: Progress, share: number): Promise<Row[]> {
  const seconds = Math.max(5, 20 * share);
  const capacity = (REPLICAS * RUNS * 1000) / RUN_MS;
  await using slow = await startSlow(setting, "10s");
  const { providers } = slow.replicas;
  const cached = Array.from({ length: 30 }, (_, index) => slow.key(index));
  progress(`L-4 warm ${REPLICAS} replicas`);
  for (const provider of providers) {
    const caller = provider.caller();
    for (;;) {
      const { response } = await caller.ask(cached);
      if (response.response.items.length === cached.length) break;
    }
  }
  progress(`L-4 ${capacity * 10} new images a second for ${seconds} s`);
  const caller = slow.replicas.caller();
  const load: HotLoad = { replicas: slow.replicas.direct, keys: cached, perSecond: 20, seconds };
  const hot = new Worker(new URL("hot.ts", import.meta.url), { workerData: load });
  const reported = once(hot, "message").then(([report]) => report as HotReport);
  let [next, decided] = [1000, 0];
  let mostWaiting = 0;
  const pending = new Set<Promise<void>>();
  const begin = (work: () => Promise<void>): void => {
    const done = work().finally(() => pending.delete(done));
    pending.add(done);
  };
  const began = performance.now();
  for (let tick = 0; performance.now() - began < seconds * 1000; tick += 1) {
    await setTimeout(Math.max(0, began + tick * 50 - performance.now()));
    // A twentieth of a second's worth, ten in a request.
    for (let count = 0; count < capacity / 20; count += 1) {
      const keys = Array.from({ length: 10 }, () => slow.key((next += 1)));
      begin(async () => {
        const { response } = await caller.ask(keys);
        decided += response.response.items.length;
      });
    }
    if (tick % 20 !== 0) continue;
    const looks = await Promise.all(providers.map(vitalsOf));
    for (const { metrics } of looks) {
      mostWaiting = Math.max(mostWaiting, sumOf(metrics, "notation_provider_waiting_keys"));
    }
  }
  await Promise.all(pending);
  const { times, asked, undecided } = await reported;
  progress("L-4 afterwards");
  const ended = performance.now();
  while (performance.now() - ended < 60_000) {
    const start = performance.now();
    const { response } = await caller.ask([slow.key((next += 1))]);
    if (response.response.items.length === 1 && performance.now() - start < 1000) break;
  }
  const recoveredMs = performance.now() - ended;
  const p99 = quantile(times, 0.99);
  return [
    {
      id: "L-4",
      what: `${capacity * 10} new images a second for ${seconds} s where ${capacity} can be judged, and cached ones 20 times a second, ${REPLICAS} replicas`,
      measured: `cached: p99 ${p99.toFixed(0)} ms, ${undecided} of ${asked} undecided; new: ${((decided / (capacity * seconds)) * 100).toFixed(0)} % of the capacity answered in time; at most ${mostWaiting} keys waited at a replica; recovered after ${(recoveredMs / 1000).toFixed(1)} s`,
      target: "cached p99 ≤ 100 ms and none undecided, ≤ 2,000 keys wait, recovered in 5 s",
      met: p99 <= 100 && undecided === 0 && mostWaiting <= 2000 && recoveredMs <= 5000,
      limit: "two cores for three replicas, the registry and the callers",
    },
  ];
}

/** L-8: a Deployment of a thousand Pods, twenty a second, with a registry that fails now and then. */
async function seed(setting: Setting, progress: Progress, share: number): Promise<Row[]> {
  const seconds = 50 * share;
  const images = await pushSigned(setting.registry, setting.signer, "seed/app", 3);
  await using far = await startUnruly({ upstream: setting.registry });
  let requests = 0;
  far.on(/./, (exchange) => {
    requests += 1;
    const isFault = requests % 100 === 0;
    return (isFault ? (requests % 200 === 0 ? reset() : status(503)) : pass())(exchange);
  });
  await using replicas = await startReplicas(
    async (authorities) => await setting.provider({ authorities, registry: far }),
  );
  progress(`L-8 twenty Pods a second for ${seconds} s, ${REPLICAS} replicas, 1 % faults`);
  const caller = replicas.caller();
  const keys = images.map(({ repository, tag }) => `${far.host}/${repository}:${tag}`);
  const times: number[] = [];
  let [wrong, undecided, first, asked] = [0, 0, 0, 0];
  const pending: Promise<void>[] = [];
  const began = performance.now();
  for (let pod = 0; pod < seconds * 20; pod += 1) {
    const at = began + pod * 50;
    await setTimeout(Math.max(0, at - performance.now()));
    // The webhook asks when the Pod is created, and once more for what mutation has changed.
    const admit = async (): Promise<void> => {
      const start = performance.now();
      const { items } = (await caller.ask(keys)).response.response;
      times.push(performance.now() - start);
      wrong += items.filter(({ error }) => error !== undefined).length;
      asked += keys.length;
      const missing = keys.length - items.length;
      if (start - began < 1000) first += missing;
      else undecided += missing;
    };
    pending.push(admit(), admit());
  }
  await Promise.all(pending);
  const portion = undecided / asked;
  return [
    {
      id: "L-8",
      what: `twenty Pods of one Deployment a second for ${seconds} s, 3 images by tag, 2 requests each, ${REPLICAS} replicas, 1 % faults of the registry`,
      measured: `${wrong} wrong, ${undecided} of ${asked} undecided after the first second (${first} in it); p50 ${quantile(times, 0.5).toFixed(1)} ms, p99 ${quantile(times, 0.99).toFixed(0)} ms; ${requests} requests to the registry`,
      target: "0 wrong, ≤ 0.1 % undecided after the first second",
      met: wrong === 0 && portion <= 0.001,
      limit: "the rate of the controller manager",
    },
  ];
}

/** L-3, L-4 and L-8: three replicas behind one address. @param share of the load that is made, 1 or less */
export async function threeReplicas(
  setting: Setting,
  progress: Progress,
  share: number,
): Promise<Row[]> {
  return [
    ...(await burst(setting, progress, share)),
    ...(await overload(setting, progress, share)),
    ...(await seed(setting, progress, share)),
  ];
}
