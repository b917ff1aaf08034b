// Asks for cached images at even times, in a thread of its own and not through the balancer: the thread that makes an overload is late itself.
import { setTimeout } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { createCaller, type CallerOptions } from "../testing/gatekeeper/caller.ts";

/** What the thread is told. */
export interface HotLoad {
  /** Replicas, which are asked in turn. */
  readonly replicas: readonly CallerOptions[];
  /** Keys that are cached; three are asked for at a time. */
  readonly keys: readonly string[];
  readonly perSecond: number;
  readonly seconds: number;
}

/** What it says at its end. */
export interface HotReport {
  /** Milliseconds of each answer. */
  readonly times: readonly number[];
  /** Keys that were asked for. */
  readonly asked: number;
  /** Those of them that had no answer. */
  readonly undecided: number;
}

async function ask({ replicas, keys, perSecond, seconds }: HotLoad): Promise<HotReport> {
  const callers = replicas.map(createCaller);
  const times: number[] = [];
  let [asked, undecided] = [0, 0];
  const began = performance.now();
  const one = async (tick: number): Promise<void> => {
    await setTimeout(began + (tick * 1000) / perSecond - performance.now());
    const three = [0, 1, 2].map((offset) => keys[(tick * 3 + offset) % keys.length] ?? "");
    const start = performance.now();
    const answer = await callers[tick % callers.length]?.ask(three);
    times.push(performance.now() - start);
    asked += three.length;
    undecided += three.length - (answer?.response.response.items.length ?? 0);
  };
  await Promise.all(Array.from({ length: perSecond * seconds }, (_, tick) => one(tick)));
  await Promise.all(callers.map(async (caller) => await caller.close()));
  return { times, asked, undecided };
}

if (parentPort !== null) {
  const report = await ask(workerData as HotLoad);
  // eslint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort.postMessage(report);
}
